"""Logging: readable in a terminal, JSON lines otherwise (structlog); and the log of each call beside it."""

from __future__ import annotations

import json
import logging
import sys
from collections import deque
from typing import Any, ClassVar, TextIO

import structlog

__all__ = ["CallLog", "Private", "configure_logging", "get_logger"]


class Private(str):
    """Something that a caller said or pressed, or that was said to them, as a field of a log line: the call's own log
    keeps it, the server's log has its length only (above the level `debug`)."""

    __slots__ = ()


def get_logger(name: str) -> Any:
    """A structlog logger whose lines carry `part=name`. Bind a call's id with `.bind(call_id=...)`."""
    return structlog.get_logger(part=name)


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


def _without_words(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: see `Private`."""
    return {
        key: f"({len(value)} characters)" if isinstance(value, Private) else value for key, value in event.items()
    }


def configure_logging(
    *, level: str = "info", json_lines: bool | None = None, stream: TextIO | None = None
) -> None:
    """Set up structlog once, at the start of a process.

    `level` is a name of the standard library (`debug`, `info`, `warning`, `error`); an unknown one raises
    ValueError. `json_lines` None chooses by whether `stream` (default: standard error) is a terminal.
    """
    numeric = logging.getLevelNamesMapping().get(level.upper())
    if numeric is None:
        raise ValueError(f"log level {level!r} is unknown: use debug, info, warning or error")
    out = stream if stream is not None else sys.stderr
    terminal = bool(getattr(out, "isatty", lambda: False)())
    as_json = not terminal if json_lines is None else json_lines
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        CallLog.tee,
        *([] if numeric <= logging.DEBUG else [_without_words]),
    ]
    if as_json:
        tail: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # rich's tracebacks show local variables: the callers' words, and keys.
        tail = [structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), stream=out, force=True)
