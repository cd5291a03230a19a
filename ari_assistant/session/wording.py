"""The core's texts, as they are said and written: which of several, and with their variables."""

from __future__ import annotations

import random

from ari_assistant.conversation.actions import Text
from ari_assistant.dialogue.variables import Variables

__all__ = ["as_said", "as_written"]


def as_said(text: Text, variables: Variables) -> str:
    """One of the choices, at random."""
    chosen = random.choice(text.choices)  # noqa: S311 - no secret
    return variables.spoken(chosen) if text.is_template else chosen


def as_written(text: Text, variables: Variables) -> str:
    """For the history and the model."""
    return variables.fill(text.choices[0], {}) if text.is_template else text.choices[0]
