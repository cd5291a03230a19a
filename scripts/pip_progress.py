"""pip install with one line that says how far it is, instead of some lines a package: `pip_progress.py ARGUMENTS…`.

What pip says is kept in `.venv/pip.log`, and its end is shown when it fails. Standard library only: it runs before
anything is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import threading
import time
from itertools import pairwise
from pathlib import Path

_SIZE = re.compile(r"\(([\d.]+) ([kMG])B\)")
_MEGABYTES = {"k": 1e-3, "M": 1.0, "G": 1e3}
_BAR = 24


def installed() -> int:
    """How many packages there are."""
    return len(list(Path(sysconfig.get_path("purelib")).glob("*.dist-info")))


class Line:
    """The one line; nothing of it where standard error is no terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.collected = 0
        self.megabytes = 0.0
        self.installing = False
        self.over = threading.Event()
        self._before = installed()
        self._began = time.monotonic()

    def heard(self, text: str) -> None:
        """Take a line of pip's."""
        self.collected += text.startswith("Collecting ")
        if text.startswith("Installing collected packages:"):
            self.installing = True
            self.total = text.count(",") + 1  # not all of a lock is for this machine
        size = _SIZE.search(text)
        if size is not None and "Downloading" in text:
            self.megabytes += float(size[1]) * _MEGABYTES[size[2]]

    @property
    def seconds(self) -> int:
        """Since the start."""
        return int(time.monotonic() - self._began)

    def show(self) -> None:
        """Draw it until it is over."""
        while sys.stderr.isatty() and not self.over.wait(0.2):
            what = "installing " if self.installing else "downloading"
            done = min(installed() - self._before if self.installing else self.collected, self.total)
            filled = _BAR * done // self.total
            bar = "━" * filled + "╌" * (_BAR - filled)
            clock = f"{self.seconds // 60}:{self.seconds % 60:02}"
            self._draw(f"  {what} {bar} {done} of {self.total}, {self.megabytes:.0f} MB  {clock}")
        if sys.stderr.isatty():
            self._draw("")

    def _draw(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Run pip; its exit status."""
    locks = [Path(after) for before, after in pairwise(arguments) if before == "-r"]
    line = Line(max(1, sum(text[:1].isalnum() for lock in locks for text in lock.read_text().splitlines())))
    drawing = threading.Thread(target=line.show)
    drawing.start()
    log = Path(sys.prefix, "pip.log")
    said: list[str] = []
    last = ""
    pip = [sys.executable, "-m", "pip", "install", "--progress-bar=off", "--disable-pip-version-check", *arguments]
    try:
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
        ):
            assert process.stdout is not None
            for text in process.stdout:
                kept.write(text)
                line.heard(text.strip())
                last = text
                if "ERROR" in text or "error:" in text:
                    said.append(text)
    finally:
        line.over.set()
        drawing.join()
    if process.returncode:
        sys.stderr.write("".join(said[-6:] or [last]) + f"bootstrap: pip failed; all that it said is in {log}\n")
    else:
        sys.stderr.write(f"bootstrap: {line.total} packages, {line.megabytes:.0f} MB, in {line.seconds} s\n")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
