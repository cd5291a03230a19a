"""Any state, any event: both machines stay legal, and the tables are complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.reports import call_state as call_state
from ari_assistant.turns.turn_taking import (
    TRANSITIONS,
    Interrupted,
    ReplyHeld,
    SpeechStarted,
    TurnEnded,
    TurnEvent,
    TurnOptions,
    TurnState,
    TurnTaking,
)

_WITH_A_REPLY = {TurnState.SPEAKING, TurnState.OVERLAPPING, TurnState.REPLY_HELD, TurnState.JUDGING}


class Watched(TurnTaking):
    """Notes each event that the machine takes, and what its state should be by the table alone."""

    def __init__(self, options: TurnOptions | None = None, *, now: float = 0.0) -> None:
        self.by_the_table = TurnState.LISTENING
        super().__init__(options, now=now)

    def _step(self, event: TurnEvent) -> bool:
        taken = super()._step(event)
        if taken:
            self.by_the_table = TRANSITIONS[self.by_the_table][event]
        return taken


steps = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.booleans(), st.integers(1, 60)),
        st.tuples(st.just("heard"), st.booleans(), st.integers(-1, 1)),
        st.tuples(st.just("over"), st.booleans(), st.integers(-1, 1)),
        st.tuples(st.just("gap"), st.booleans(), st.integers(1, 100)),
        st.tuples(st.just("expect"), st.booleans(), st.integers(0, 100)),
        st.tuples(st.just("verdict"), st.booleans(), st.integers(-1, 0)),
        st.tuples(st.just("key"), st.booleans(), st.just(0)),
    ),
    max_size=40,
)


@given(steps, st.sampled_from([0, 2]), st.sampled_from([0.0, 0.2, 0.5]))
def test_turn_taking_takes_anything_in_any_state(
    script: list[tuple[str, bool, int]], num_words: int, voice_seconds: float
) -> None:
    machine = Watched(TurnOptions(num_words=num_words, voice_seconds=voice_seconds), now=0.0)
    now = 0.0
    turn = 0
    protected = False
    for kind, flag, number in script:
        commands = []
        if kind == "frames":
            for _ in range(number):
                now += 0.02
                commands += machine.receive_frame(flag, now=now)
        elif kind == "gap":
            now += number * 0.02
            commands += machine.handle_deadline(now)
        elif kind == "heard":
            machine.reply_heard(machine.turn + number, now=now, protected=flag)
            protected = flag
        elif kind == "expect":
            commands += machine.expect(machine.turn, number * 0.02, now=now)
        elif kind == "verdict":
            commands += machine.overlap(machine.turn + number, flag, now=now)
        elif kind == "key":
            machine.press_key()
            turn = machine.begin_turn() if flag else turn
        else:
            commands += machine.reply_over(machine.turn + number, now=now)
        assert machine.state is machine.by_the_table, "no change of state but by an event of the table"
        for command in commands:
            assert command.turn == machine.turn or isinstance(command, SpeechStarted)
            if isinstance(command, SpeechStarted):
                assert command.turn == turn + 1, "turn numbers rise one by one"
                turn = command.turn
            if isinstance(command, TurnEnded):
                assert command.voice_ended <= now
            if isinstance(command, Interrupted | ReplyHeld):
                assert not protected, "a protected reply goes on"
        assert machine.turn == turn


@given(steps)
def test_whatever_went_before_a_key_frees_the_floor_unless_a_protected_reply_is_heard(
    script: list[tuple[str, bool, int]],
) -> None:
    machine = TurnTaking(now=0.0)
    now = 0.0
    protected = False
    for kind, flag, number in script:
        if kind == "frames":
            for _ in range(number):
                now += 0.02
                machine.receive_frame(flag, now=now)
        elif kind == "heard":
            machine.reply_heard(machine.turn, now=now, protected=flag)
            protected = flag
        elif kind == "over":
            machine.reply_over(machine.turn, now=now)
    before = machine.state
    machine.press_key()
    if before in _WITH_A_REPLY and protected:
        assert machine.state is before
    else:
        assert machine.state is TurnState.LISTENING
        assert machine.reply_over(machine.turn, now=now) == [], "nothing is left of the reply that was cut"
        assert machine.state is TurnState.LISTENING
    turn = machine.turn
    assert machine.begin_turn() == turn + 1
    assert machine.state is TurnState.THINKING


def test_every_state_of_turn_taking_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(TurnState)
    reached = {target for table in TRANSITIONS.values() for target in table.values()}
    assert reached == set(TurnState)
    used = {event for table in TRANSITIONS.values() for event in table}
    assert used == set(TurnEvent)
    assert all({TurnEvent.KEY, TurnEvent.ENTRY} <= set(table) for table in TRANSITIONS.values())


@given(st.lists(st.sampled_from(list(call_state.CallEvent)), max_size=12))
def test_a_call_ends_once_and_stays_ended(events: list[call_state.CallEvent]) -> None:
    state = call_state.CallState.RINGING
    ended = 0
    for event in events:
        following = call_state.after(state, event)
        if state is call_state.CallState.ENDED:
            assert following is None
        if following is not None:
            state = following
            ended += state is call_state.CallState.ENDED
    assert ended <= 1
    if call_state.CallEvent.ENDED in events:
        assert state is call_state.CallState.ENDED
