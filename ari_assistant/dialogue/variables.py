"""What the templates of one call may name: the variables, and what was said so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.template import fill_for_speech, render
from ari_assistant.vapi.base import JsonObject

__all__ = ["Variables"]


class Variables:
    """Of one call. `values` grows: tools add to it; `history` is the conversation's."""

    def __init__(self, values: JsonObject, history: History, *, log: Any) -> None:
        self.values = values
        self.history = history
        self._log = log
        self._warned: set[str] = set()

    def fill(self, template: str, extra: Mapping[str, Any]) -> str:
        """`template` with the variables, `messages`, `transcript` and `extra` in it (a `template.TemplateRenderer`).
        What is missing is left out, and logged once a template."""
        said: JsonObject = {}
        if "messages" in template:
            said["messages"] = from_caller(self.history.openai_messages())
        if "transcript" in template:
            said["transcript"] = from_caller(self.history.transcript())
        rendered = render(template, {**self.values, **said, **extra})
        if (rendered.missing or rendered.fault) and template not in self._warned:
            self._warned.add(template)
            names = list(rendered.missing)
            if rendered.fault is not None:
                self._log.warning("template_broken", names=names, fault=rendered.fault, template=template[:80])
            else:  # a caller who gave no name is nothing to worry about
                self._log.info("variable_missing", names=names, template=template[:80])
        return rendered.text

    def spoken(self, template: str) -> str:
        """`template` as it is said: a variable without a value leaves no hole in the sentence."""
        return fill_for_speech(self.fill, template, {})
