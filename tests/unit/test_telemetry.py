"""What the server's log says, and what only a call's own log does."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from ari_assistant.telemetry import CallLog, Private, configure_logging, get_logger


@pytest.fixture(autouse=True)
def configuration_is_put_back() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def logged(level: str, *, json_lines: bool = True) -> tuple[str, str]:
    """A line about what a caller said: in the server's log, and in the call's."""
    out = io.StringIO()
    configure_logging(level=level, json_lines=json_lines, stream=out)
    call = CallLog("one")
    get_logger("test").info("caller_said", call_id="one", turn=3, text=Private("my card is 4711"))
    call.close()
    return out.getvalue(), call.text()


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_callers_words_are_not_in_the_servers_log_but_in_the_calls(json_lines: bool) -> None:
    server, call = logged("info", json_lines=json_lines)
    assert "caller_said" in server
    assert "4711" not in server
    assert json.loads(call)["text"] == "my card is 4711"


def test_how_long_they_were_is() -> None:
    server, _ = logged("info")
    assert json.loads(server)["text"] == "(15 characters)"
    assert json.loads(server)["turn"] == 3


def test_who_asks_for_everything_gets_everything() -> None:
    assert "4711" in logged("debug")[0]


def test_a_traceback_does_not_show_what_the_variables_held() -> None:
    out = io.StringIO()
    configure_logging(level="info", json_lines=False, stream=out)
    words = "my card is 4711"
    try:
        raise ValueError(len(words))
    except ValueError:
        get_logger("test").exception("failed")
    assert "ValueError: 15" in out.getvalue()
    assert "4711" not in out.getvalue()
