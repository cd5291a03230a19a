"""What the one who starts the server sees until it is up: bars in a terminal, a line of the log a step otherwise."""

from __future__ import annotations

import sys
import threading
from typing import IO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from ari_assistant.telemetry import LogStream, get_logger

__all__ = ["StartScreen"]

log = get_logger("start")


class _HowFar(ProgressColumn):
    """`57 of 121`; nothing while the end is not known."""

    def render(self, task: Task) -> Text:
        """See rich."""
        return Text(f"{task.completed:.0f} of {task.total:.0f}" if task.total and task.total > 1 else "")


class StartScreen:
    """Takes the server's progress and the lines that the operator must see. The log's lines go above the bars."""

    def __init__(self, log_stream: LogStream) -> None:
        """`log_stream`: where the log goes."""
        self._log_stream = log_stream
        self._out = LogStream(sys.stdout)
        self._console = Console(file=cast(IO[str], LogStream(sys.stderr)), highlight=False)
        self._terminal = log_stream.isatty()
        self._bars: Progress | None = None
        self._steps: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def progress(self, what: str, done: int, total: int) -> None:
        """The step `what` is so far; a total of 0 means that the end is not known. May be called in any thread."""
        with self._lock:
            new = what not in self._steps
            if not self._terminal:
                self._steps[what] = TaskID(0)
                if new:
                    log.info("progress", step=what)
                return
            if self._bars is None:
                self._bars = self._started()
            if new:
                for step in self._steps.values():  # a step begins when the one before it is done
                    self._bars.update(step, completed=1, total=1)
                self._steps[what] = self._bars.add_task(what, total=total or None)
            self._bars.update(self._steps[what], completed=done, total=total or None)

    def announce(self, line: str) -> None:
        """Print `line` on standard output, and what a newcomer may want to know beside it in a terminal."""
        with self._lock:
            if self._bars is not None:
                for step in self._steps.values():
                    self._bars.update(step, completed=1, total=1)
        self.close()
        self._out.write(line + "\n")
        if self._terminal and line.startswith("Dial sip:"):
            self._console.print(
                "  with any softphone (Linphone, Zoiper, a desk phone): no account, no password.\n"
                '  Ask "When are you open?". Calls are shown below; Ctrl-C ends the program.',
                style="dim",
            )

    def close(self) -> None:
        """Take the bars away."""
        with self._lock:
            self._log_stream.above = None
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def _started(self) -> Progress:
        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(20), _HowFar())
        bars = Progress(*columns, TimeElapsedColumn(), console=self._console, redirect_stderr=False)
        bars.start()
        self._log_stream.above = lambda text: self._console.print(
            Text.from_ansi(text.rstrip("\n")), soft_wrap=True
        )
        return bars
