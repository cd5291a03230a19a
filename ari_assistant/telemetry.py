"""Logging: readable in a terminal, JSON lines otherwise (structlog); and the log of each call beside it.

A logger never raises and never waits: a call does not end, and is not late, because nobody reads the log. What cannot
be written at once (a closed pipe, a terminal that is gone or halted, a full disk) is counted: `lines_lost`, and the
field `lost_before` of the next line that is written.
"""

from __future__ import annotations

import io
import json
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, TextIO, cast

import structlog

__all__ = ["CallLog", "LogStream", "Private", "configure_logging", "get_logger", "lines_lost"]

_PIPE_BUF = select.PIPE_BUF
"""A pipe or terminal that can be written to takes so many bytes without a wait (pipe(7))."""


class Private(str):
    """Something that a caller said or pressed, or that was said to them, as a field of a log line: the call's own log
    keeps it, the server's log has its length only (above the level `debug`)."""

    __slots__ = ()


def get_logger(name: str) -> Any:
    """A structlog logger whose lines carry `part=name`. Bind a call's id with `.bind(call_id=...)`."""
    return structlog.get_logger(part=name)


class LogStream(io.TextIOBase):
    """A text stream over `target` that never raises and never waits; what it cannot take at once is lost and counted.

    A regular file is always written to; of a pipe or a terminal the kernel is asked first. None, as Python has it for
    a standard stream that was closed before the start, takes nothing.
    """

    def __init__(self, target: TextIO | None) -> None:
        self._target = target
        self._lock = threading.Lock()
        self.above: Callable[[str], None] | None = None
        """Prints a text above a display that has the terminal just now."""
        self._torn = False
        """The last line was written in part."""
        self.lost = 0
        """Writes (the log's are whole lines) that failed."""
        self.lost_before = 0
        """… since the last one that did not."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the target."""
        return getattr(self._target, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        """Of the target. Raises OSError when it has none."""
        if self._target is None:
            raise OSError("closed before the start")
        return self._target.fileno()

    def isatty(self) -> bool:
        """Of the target."""
        try:
            return self._target is not None and self._target.isatty()
        except (OSError, ValueError):
            return False

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Write `text`, or count it as lost; returns its length in either case."""
        with self._lock:
            try:
                self._write(text)
            except (OSError, ValueError):
                self.count_lost()
            else:
                self.lost_before = 0
        return len(text)

    def count_lost(self) -> None:
        """A line was lost."""
        self.lost += 1
        self.lost_before += 1

    def _write(self, text: str) -> None:
        if self._target is None:
            raise OSError("closed before the start")
        if self.above is not None:
            self.above(text)
            return
        try:
            number = self._target.fileno()
        except (OSError, ValueError):  # not a file: a test's, or an embedding program's
            self._target.write(text)
            self._target.flush()
            return
        rest = memoryview(("\n" * self._torn + text).encode(self.encoding, "backslashreplace"))
        whole = len(rest)
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        try:
            while rest:
                if not poll.poll(0):
                    raise BlockingIOError
                rest = rest[os.write(number, rest[:_PIPE_BUF]) :]
        finally:
            if len(rest) < whole:
                self._torn = bool(rest)


class CallLog:
    """Keeps the lines that carry one call's `call_id`, the newest `limit` of them, until it is closed."""

    _open: ClassVar[dict[str, CallLog]] = {}

    def __init__(self, call_id: str, *, limit: int = 5_000) -> None:
        self._call_id = call_id
        self._lines: deque[dict[str, Any]] = deque(maxlen=limit)
        self._open[call_id] = self

    def close(self) -> None:
        """Stop."""
        self._open.pop(self._call_id, None)

    def text(self) -> str:
        """The lines so far as JSON, one a line."""
        return "".join(json.dumps(line, default=repr, ensure_ascii=False) + "\n" for line in self._lines)

    @classmethod
    def tee(cls, _: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
        """A structlog processor: every line goes on, and into its call's log."""
        if (kept := cls._open.get(str(event.get("call_id")))) is not None:
            kept._lines.append({key: value for key, value in event.items() if key != "exc_info"})
        return event


_stream = LogStream(sys.stderr)
"""Where the log goes."""


def lines_lost() -> int:
    """How many lines of the log could not be written since `configure_logging`."""
    return _stream.lost


def _tell_lost(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    if _stream.lost_before:
        event["lost_before"] = _stream.lost_before
    return event


def _never_raises(level: int) -> Any:
    """structlog's logger from `level` up, for which a line that cannot be rendered is a lost one."""
    base = structlog.make_filtering_bound_logger(level)

    class Logger(base):  # type: ignore[misc, valid-type]
        def _proxy_to_logger(self, *arguments: Any, **fields: Any) -> Any:
            try:
                return super()._proxy_to_logger(*arguments, **fields)
            except Exception:
                _stream.count_lost()

    return Logger


def _only_what_matters(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """In a terminal: calls, and what needs attention. How the parts come up is for those who ask (`debug`)."""
    if event.get("level") == "info" and "call_id" not in event:
        raise structlog.DropEvent
    # Of the latencies the one that the caller feels.
    return {name: value for name, value in event.items() if name == "turnLatency" or not name.endswith("Latency")}


_LEVELS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_DIM, _BOLD, _OFF = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def _shown(value: Any) -> str:
    """A value as it can stand in a terminal: what a caller sent must not steer it."""
    plain = isinstance(value, str) and value.isprintable() and value and " " not in value
    return str(value) if plain else repr(value)


def _legible(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def _for_people(*, colors: bool) -> Callable[[Any, str, dict[str, Any]], str]:
    """`09:41:07 warning call a8f2: call not admitted reason='…'`, and a traceback below it."""

    def paint(code: str, text: str) -> str:
        return f"{code}{text}{_OFF}" if colors and text else text

    def render(_: Any, __: str, event: dict[str, Any]) -> str:
        level = event.pop("level", "info")
        words = [paint(_DIM, str(event.pop("timestamp", "")))]
        if level != "info":
            words.append(paint(_LEVELS.get(level, _DIM), level))
        if (call_id := event.pop("call_id", None)) is not None:
            words.append(paint(_DIM, f"call {str(call_id)[-4:]}:"))
        words.append(paint(_BOLD, _legible(str(event.pop("event", "")).replace("_", " "))))
        event.pop("part", None)
        below = [_legible(str(event.pop(key))) for key in ("stack", "exception") if key in event]
        words += [
            f"{paint(_DIM, f'{name}=')}{_shown(value)}" for name, value in event.items() if value is not None
        ]
        return "\n".join([" ".join(words), *below])

    return render


def _without_words(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: see `Private`."""
    return {
        key: f"({len(value)} characters)" if isinstance(value, Private) else value for key, value in event.items()
    }


def configure_logging(
    *, level: str = "info", json_lines: bool | None = None, stream: TextIO | None = None
) -> LogStream:
    """Set up structlog once, at the start of a process. Returns where the lines go, for whatever else writes there.

    `level` is a name of the standard library (`debug`, `info`, `warning`, `error`); an unknown one raises
    ValueError. `json_lines` None chooses by whether `stream` (default: standard error) is a terminal.
    """
    global _stream
    numeric = logging.getLevelNamesMapping().get(level.upper())
    if numeric is None:
        raise ValueError(f"log level {level!r} is unknown: use debug, info, warning or error")
    _stream = out = LogStream(stream if stream is not None else sys.stderr)
    as_json = not out.isatty() if json_lines is None else json_lines
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
    ]
    words = [] if numeric <= logging.DEBUG else [_without_words]
    if as_json:
        tail: list[Any] = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            CallLog.tee,
            *words,
            _tell_lost,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        tail = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            CallLog.tee,
            *words,
            *([_only_what_matters] if numeric == logging.INFO else []),
            _tell_lost,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            _for_people(colors=out.isatty() and "NO_COLOR" not in os.environ),
        ]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=_never_raises(numeric),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, out)),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), stream=out, force=True)
    return out
