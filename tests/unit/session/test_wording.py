"""The core's texts, as they are said and written."""

from __future__ import annotations

from ari_assistant.conversation.actions import Text
from ari_assistant.dialogue.history import History
from ari_assistant.dialogue.variables import Variables
from ari_assistant.session.wording import as_said, as_written
from ari_assistant.telemetry import get_logger


def test_one_of_several_is_said_with_its_variables_and_without_holes() -> None:
    variables = Variables({"name": "Ada"}, History(), log=get_logger("test"))
    assert as_said(Text(("Hello {{name}}.", "Hi {{name}}.")), variables) in ("Hello Ada.", "Hi Ada.")
    assert as_said(Text(("Hello {{nobody}}, come in.",)), variables) == "Hello, come in."
    assert as_written(Text(("Greet {{name}}.",)), variables) == "Greet Ada."


def test_what_a_caller_said_is_no_template() -> None:
    variables = Variables({"name": "Ada"}, History(), log=get_logger("test"))
    said = Text(("I say {{name}}.",), is_template=False)
    assert as_said(said, variables) == as_written(said, variables) == "I say {{name}}."
