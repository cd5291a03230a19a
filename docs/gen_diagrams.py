"""Writes the state diagrams of the documentation from the tables in the code: `python docs/gen_diagrams.py`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from ari_assistant.conversation import reply_life, stages
from ari_assistant.reports import call_state as calls
from ari_assistant.turns import turn_taking as turns

DOCS = Path(__file__).parent


def diagram(table: Mapping[Any, Mapping[Any, Enum]], start: Enum) -> str:
    """A Mermaid state diagram."""

    def name(state: Enum) -> str:
        return str(state.value).replace("-", "_").replace(" ", "_")

    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {name(start)}"]
    for state, row in table.items():
        lines += [f"    {name(state)} --> {name(target)}: {event.value}" for event, target in row.items()]
    return "\n".join([*lines, "```"])


def rendered(text: str) -> str:
    """`text` with the diagrams between its marks replaced."""
    for mark, drawn in (
        ("turns", diagram(turns.TRANSITIONS, turns.TurnState.LISTENING)),
        ("reply", diagram(reply_life.REPLY_TRANSITIONS, reply_life.ReplyState.PREPARING)),
        ("stages", diagram(stages.STAGE_TRANSITIONS, stages.Stage.WAITING)),
        ("calls", diagram(calls.TRANSITIONS, calls.CallState.RINGING)),
    ):
        begin, end = f"<!-- {mark} begin -->", f"<!-- {mark} end -->"
        if begin in text:
            head, rest = text.split(begin)
            text = f"{head}{begin}\n{drawn}\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    page = DOCS / "turn-taking.md"
    page.write_text(rendered(page.read_text()))
