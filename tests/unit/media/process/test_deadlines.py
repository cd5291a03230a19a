from __future__ import annotations

from ari_assistant.media.process.deadlines import Deadlines


def test_nothing_is_due_before_its_time_and_the_earliest_comes_first() -> None:
    assert Deadlines[str]().earliest is None
    deadlines = Deadlines[str]()
    deadlines.put("late", 3.0)
    deadlines.put("soon", 1.0)
    assert deadlines.earliest == 1.0
    assert deadlines.pop(0.9) is None
    assert [deadlines.pop(5.0) for _ in range(3)] == ["soon", "late", None]


def test_a_new_deadline_takes_the_place_of_the_old_one() -> None:
    deadlines = Deadlines[str]()
    deadlines.put("one", 1.0)
    deadlines.put("one", 2.0)
    assert deadlines.earliest == 2.0
    assert deadlines.pop(1.5) is None
    assert deadlines.pop(2.0) == "one"
    assert deadlines.pop(9.0) is None


def test_what_comes_without_end_does_not_keep_anything_else_from_its_turn() -> None:
    deadlines = Deadlines[str]()
    deadlines.put("goes on", 20.5)
    done = []
    for now in range(100):
        deadlines.put(f"ends at {now}", now)
        done.append(deadlines.pop(now))
    assert done[20:23] == ["ends at 20", "goes on", "ends at 21"]


def test_what_is_due_at_one_time_comes_in_the_order_of_its_coming() -> None:
    deadlines = Deadlines[int]()
    for number in range(5):
        deadlines.put(number, 1.0)
    assert [deadlines.pop(1.0) for _ in range(5)] == [0, 1, 2, 3, 4]
