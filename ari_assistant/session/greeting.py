"""How an assistant begins: with its first message, with words of the model, or not at all (contract §2)."""

from __future__ import annotations

from typing import Any

from ari_assistant.conversation.actions import Text
from ari_assistant.conversation.core import Greeting
from ari_assistant.dialogue.address import AddressRefused, filled_url
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.speaker import is_audio_url
from ari_assistant.vapi.assistant import Assistant

__all__ = ["first_message", "greeting"]


def first_message(assistant: Assistant, variables: Variables, *, log: Any) -> str | None:
    """What is said first, its template filled, or the URL of its audio; None when the model or the caller begins. A URL
    whose host a caller's words would choose is logged, and not asked."""
    template = assistant.first_message
    if assistant.first_message_mode not in (None, "assistant-speaks-first") or not template:
        return None
    text = variables.spoken(template).strip()
    if not is_audio_url(text):
        return text or None
    try:
        return filled_url(template.strip(), variables.values)
    except AddressRefused as fault:
        log.warning("first_message_audio_refused", reason=str(fault))
        return None


def greeting(assistant: Assistant, text: str | None) -> Greeting:
    """`text` is its first message, where there is one that can be said."""
    if text is not None:
        protected = not assistant.first_message_interruptions_enabled
        return Greeting((Text((text,), is_template=False),), protected=protected)
    return Greeting(by_model=assistant.first_message_mode == "assistant-speaks-first-with-model-generated-message")
