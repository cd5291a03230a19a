"""The tables of a reply's life and of a conversation's stages: complete, and with ends that are ends."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import pytest

from ari_assistant.conversation.actions import ReplySpec
from ari_assistant.conversation.reply_life import (
    REPLY_TRANSITIONS,
    LiveReply,
    ReplyEvent,
    ReplyKind,
    ReplyState,
)
from ari_assistant.conversation.stages import STAGE_TRANSITIONS, Stage, StageEvent

Table = Mapping[Any, Mapping[Any, Enum]]


def reply(state: ReplyState) -> LiveReply:
    return LiveReply(ReplySpec(1, 1, "model", confirmed=False, protected=False), ReplyKind.ANSWER, state)


@pytest.mark.parametrize(
    ("table", "states", "events", "first"),
    [
        (REPLY_TRANSITIONS, ReplyState, ReplyEvent, {ReplyState.PREPARING}),
        (STAGE_TRANSITIONS, Stage, StageEvent, {Stage.WAITING}),
    ],
)
def test_every_state_can_be_reached_and_every_event_leads_somewhere(
    table: Table, states: type[Enum], events: type[Enum], first: set[Enum]
) -> None:
    assert set(table) == set(states)
    assert {target for row in table.values() for target in row.values()} | first == set(states)
    assert {event for row in table.values() for event in row} == set(events)


@pytest.mark.parametrize("end", [ReplyState.OVER, ReplyState.CUT, ReplyState.WITHDRAWN])
def test_a_reply_that_is_over_stays_over(end: ReplyState) -> None:
    ended = reply(end)
    assert not any(ended.step(event) for event in ReplyEvent)
    assert ended.state is end
    assert not ended.confirmed


def test_what_was_heard_cannot_be_withdrawn_and_what_was_not_confirmed_cannot_be_heard() -> None:
    assert not reply(ReplyState.HEARD).step(ReplyEvent.WITHDRAW)
    assert not reply(ReplyState.PREPARING).step(ReplyEvent.FIRST_FRAME)
