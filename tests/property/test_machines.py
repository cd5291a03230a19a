"""Any state, any event: both machines stay legal, and the tables are complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.calls import state as call_state
from ari_assistant.turns.turn_taking import (
    TRANSITIONS,
    Interrupted,
    SpeechStarted,
    TurnEnded,
    TurnEvent,
    TurnState,
    TurnTaking,
)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("frames"), st.booleans(), st.integers(1, 60)),
        st.tuples(st.just("heard"), st.booleans(), st.integers(-1, 1)),
        st.tuples(st.just("over"), st.booleans(), st.integers(-1, 1)),
        st.tuples(st.just("gap"), st.booleans(), st.integers(1, 100)),
    ),
    max_size=40,
)


@given(steps)
def test_turn_taking_takes_anything_in_any_state(script: list[tuple[str, bool, int]]) -> None:
    machine = TurnTaking(now=0.0)
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
            before = machine.state
            machine.reply_heard(machine.turn + number, protected=flag)
            protected = flag if before is not machine.state else protected
        else:
            commands += machine.reply_over(machine.turn + number, now=now)
        assert machine.state in TurnState
        for command in commands:
            assert command.turn == machine.turn or isinstance(command, SpeechStarted)
            if isinstance(command, SpeechStarted):
                assert command.turn == turn + 1, "turn numbers rise one by one"
                turn = command.turn
            if isinstance(command, TurnEnded):
                assert command.voice_ended <= now
            if isinstance(command, Interrupted):
                assert command.voice_started <= now
        assert machine.turn == turn


def test_every_state_of_turn_taking_can_be_reached_and_left() -> None:
    assert set(TRANSITIONS) == set(TurnState)
    reached = {target for table in TRANSITIONS.values() for target in table.values()}
    assert reached == set(TurnState)
    used = {event for table in TRANSITIONS.values() for event in table}
    assert used == set(TurnEvent)


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
