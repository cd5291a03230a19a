"""What an operator can put right."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Fault", "faults_in"]


class Fault(Exception):
    """The program cannot go on, and the one who started it can change that. The text is one sentence that says what is
    wrong; `cure` says what to do, as an imperative without a full stop, and is empty where the text says it."""

    def __init__(self, text: str, *, cure: str = "") -> None:
        super().__init__(text)
        self.cure = cure


def faults_in(raised: BaseException) -> Iterator[Fault]:
    """The faults in what was raised: itself, or those of an exception group, however deep (a task group wraps whatever
    ends it, and an exception of its own block too)."""
    if isinstance(raised, Fault):
        yield raised
    elif isinstance(raised, BaseExceptionGroup):
        for inner in raised.exceptions:
            yield from faults_in(inner)
