"""What the server's log says, and what only a call's own log does."""

from __future__ import annotations

import errno
import io
import json
import os
import pty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from ari_assistant.telemetry import CallLog, LogStream, Private, configure_logging, get_logger, lines_lost


@pytest.fixture(autouse=True)
def as_it_was(log_lines: object) -> Iterator[None]:
    """The real configuration, and the tests' own one afterwards."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@contextmanager
def closed_pipe() -> Iterator[TextIO]:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        yield stream


@contextmanager
def full_disk() -> Iterator[TextIO]:
    with Path("/dev/full").open("w") as stream:
        yield stream


@contextmanager
def dead_terminal() -> Iterator[TextIO]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        os.close(ours)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            os.write(theirs, b"x")
        yield stream


@contextmanager
def nobody_reads() -> Iterator[TextIO]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)  # who waits now waits for ever
    with os.fdopen(writing, "w") as stream:
        yield stream
    os.close(reading)


@pytest.mark.parametrize("trouble", [closed_pipe, full_disk, dead_terminal, nobody_reads])
@pytest.mark.parametrize("json_lines", [True, False])
def test_what_cannot_be_written_is_counted_and_neither_raised_nor_waited_for(
    trouble: Callable[[], Any], json_lines: bool
) -> None:
    with trouble() as stream:
        configure_logging(json_lines=json_lines, stream=stream)
        log = get_logger("x").bind(call_id="c")
        call_log = CallLog("c")
        log.info("first")
        log.exception("second", exc_info=ValueError("x"))
        call_log.close()
        assert lines_lost() == 2
        assert [json.loads(line)["event"] for line in call_log.text().splitlines()] == ["first", "second"]


def test_a_stream_that_was_closed_before_the_start_takes_nothing() -> None:
    log_stream = LogStream(None)
    log_stream.write("x\n")
    assert log_stream.lost == 1
    assert not log_stream.isatty()


def test_the_next_line_that_is_written_says_how_many_were_not() -> None:
    class Sometimes(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            if self.broken:
                raise OSError(errno.ENOSPC, "full")
            return super().write(text)

    stream = Sometimes()
    configure_logging(json_lines=True, stream=stream)
    log = get_logger("x")
    log.info("a")
    log.info("b")
    stream.broken = False
    log.info("c")
    log.info("d")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line.get("lost_before")) for line in lines] == [("c", 2), ("d", None)]


def test_a_line_that_was_written_in_part_is_not_continued_by_the_next() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as stream:
        log_stream = LogStream(stream)
        log_stream.write("x" * 1_000_000 + "\n")
        assert log_stream.lost == 1
        while True:
            try:
                os.read(reading, 1 << 16)
            except BlockingIOError:
                break
        log_stream.write("next\n")
        assert os.read(reading, 100) == b"\nnext\n"
    os.close(reading)


def test_a_value_that_cannot_be_rendered_is_a_lost_line() -> None:
    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    configure_logging(json_lines=True, stream=io.StringIO())
    get_logger("x").info("a", value=Nasty())
    assert lines_lost() == 1


def lines_for_people(write: Callable[[Any], None], level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure_logging(json_lines=False, stream=stream, level=level)
    write(get_logger("server"))
    return stream.getvalue().splitlines()


def test_a_terminal_shows_calls_and_trouble_and_not_how_the_parts_come_up() -> None:
    def write(log: Any) -> None:
        log.info("engine_ready", pid=1)
        log.bind(call_id="0198-abcd").info("call_started", uri="sip:hello@localhost")
        log.bind(call_id="0198-abcd").info("turn", reply="Yes.", modelLatency=0.4, turnLatency=655.3)
        log.warning("ari_unreachable", reason="no answer")

    shown = [line.partition(" ")[2] for line in lines_for_people(write)]
    assert shown == [
        "call abcd: call started uri=sip:hello@localhost",
        "call abcd: turn reply=Yes. turnLatency=655.3",
        "warning ari unreachable reason='no answer'",
    ]
    assert len(lines_for_people(write, "debug")) == 4


def test_what_a_caller_sent_does_not_steer_the_terminal() -> None:
    def write(log: Any) -> None:
        try:
            raise ValueError("\x1b]0;owned\x07")
        except ValueError:
            log.exception("bad\x1b[2J", caller="\x1b[2J\x07", names=["\x1b[1m"])

    text = "\n".join(lines_for_people(write))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "owned" in text


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
    assert "caller" in server
    assert "said" in server
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
