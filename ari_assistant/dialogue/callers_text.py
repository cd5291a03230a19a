"""Text that a caller chose, on its way through templates.

A caller's headers, their name, what they said to a model: all of it may be said and read, but it must not choose where
a call or a request goes. The mark goes with the value: what a tool or an assistant sets under the same name has none. A
template's text that has such a value in it is marked in its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, TextIO

from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.builtin.tags.assign_tag import AssignNode, AssignTag
from liquid.builtin.tags.capture_tag import CaptureNode, CaptureTag
from liquid.builtin.tags.cycle_tag import CycleNode, CycleTag
from liquid.builtin.tags.echo_tag import EchoNode, EchoTag
from liquid.context import RenderContext
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

__all__ = ["TAGS", "FromCaller", "Place", "Watched", "from_caller", "watched"]

Place = Callable[[str], str]
"""How a caller's text is written where a template has it."""
_ENCODING = frozenset({"url_encode", "base64_url_safe_encode"})
"""Filters after which a text is fit for a URL already."""


class FromCaller(str):
    """A text that the caller chose, or that has such a text in it."""

    __slots__ = ()


def from_caller(value: Any) -> Any:
    """`value` with every text in it marked."""
    if isinstance(value, str):
        return FromCaller(value)
    if isinstance(value, dict):
        return {key: from_caller(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_caller(item) for item in value]
    return value


def _is_from_caller(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_from_caller(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_is_from_caller(item) for item in value)
    return isinstance(value, FromCaller)


@dataclass(slots=True)
class Watched:
    """What is known of one rendering."""

    place: Place | None = None
    neutral: str | None = None
    """Stands for every caller's text, to see what of the result is the template's own."""
    from_caller: bool = False
    """A caller's text was written."""
    own_locals: set[str] = field(default_factory=set)
    """Variables of the template's that hold nothing of the caller's, or hold it as `place` writes it."""


_watched: ContextVar[Watched | None] = ContextVar("watched", default=None)


@contextmanager
def watched(place: Place | None = None, neutral: str | None = None) -> Iterator[Watched]:
    """Watch a rendering within the block."""
    watching = Watched(place, neutral)
    token = _watched.set(watching)
    try:
        yield watching
    finally:
        _watched.reset(token)


def _written(
    text: str, expressions: Iterable[Expression], context: RenderContext, *, encoded: bool = False
) -> str:
    watching = _watched.get()
    if watching is None or not _of_caller(expressions, context, watching):
        return text
    watching.from_caller = True
    if watching.neutral is not None:
        return watching.neutral
    return text if encoded or watching.place is None else watching.place(text)


def _of_caller(expressions: Iterable[Expression], context: RenderContext, watching: Watched) -> bool:
    return any(_path_of_caller(path, context, watching) for one in expressions for path in _paths(one))


def _paths(expression: Expression) -> Iterator[Path]:
    if isinstance(expression, Path):
        yield expression
    for child in expression.children():
        yield from _paths(child)


def _path_of_caller(path: Path, context: RenderContext, watching: Watched) -> bool:
    name = path.head()
    if not isinstance(name, str):
        return True
    try:
        value = context.scope[name]
    except (KeyError, TypeError, IndexError):
        return False
    if name in context.globals and context.globals[name] is value:
        return _is_from_caller(value)
    return name not in watching.own_locals  # a local may be made of anything


class _OutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        expression = self.expression
        text = to_liquid_string(expression.evaluate(context), context.autoescape)
        filters = expression.filters if isinstance(expression, FilteredExpression) else None
        encoded = bool(filters) and filters is not None and filters[-1].name in _ENCODING
        return buffer.write(_written(text, [expression], context, encoded=encoded))


class _EchoNode(_OutputNode, EchoNode):
    pass


class _CycleNode(CycleNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        text = StringIO()
        CycleNode.render_to_output(self, context, text)
        return buffer.write(_written(text.getvalue(), self.expressions(), context))


class _AssignNode(AssignNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        watching = _watched.get()
        if watching is not None:
            own = not _of_caller([self.expression], context, watching)
            (watching.own_locals.add if own else watching.own_locals.discard)(self.name)
        return AssignNode.render_to_output(self, context, buffer)


class _CaptureNode(CaptureNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        written = CaptureNode.render_to_output(self, context, buffer)
        watching = _watched.get()
        if watching is not None and (watching.place is not None or watching.neutral is not None):
            watching.own_locals.add(self.name)
        return written


class _Output(Output):
    node_class = _OutputNode


class _Echo(EchoTag):
    node_class = _EchoNode


class _Cycle(CycleTag):
    node_class = _CycleNode


class _Assign(AssignTag):
    node_class = _AssignNode


class _Capture(CaptureTag):
    node_class = _CaptureNode


TAGS = (_Output, _Echo, _Cycle, _Assign, _Capture)
"""Liquid's tags that write values or keep them."""
