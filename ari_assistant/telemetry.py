"""Logging: readable in a terminal, JSON lines otherwise (structlog)."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

__all__ = ["configure_logging", "get_logger"]


def get_logger(name: str) -> Any:
    """A structlog logger whose lines carry `part=name`. Bind a call's id with `.bind(call_id=...)`."""
    return structlog.get_logger(part=name)


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
    ]
    if as_json:
        tail: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        tail = [structlog.dev.ConsoleRenderer(colors=terminal)]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(numeric, logging.WARNING), stream=out, force=True)
