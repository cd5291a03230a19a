"""`waitFunction` (contract §10.1): a formula in mathjs' syntax, from the probability that the caller goes on to
milliseconds. Parsed by us, never evaluated as code."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

__all__ = ["DEFAULT_WAIT_FUNCTION", "BadFormula", "WaitFunction"]

DEFAULT_WAIT_FUNCTION: Final = "20 + 500 * sqrt(x) + 2500 * x^3"
_MAX_TOKENS = 200
_FUNCTIONS: Final[dict[str, Callable[..., float]]] = {
    "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "log2": math.log2, "log10": math.log10, "abs": abs,
    "min": min, "max": max, "pow": math.pow, "cbrt": math.cbrt, "floor": math.floor, "ceil": math.ceil,
    "round": round, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh,
}  # fmt: skip
_CONSTANTS: Final = {"e": math.e, "pi": math.pi, "E": math.e, "PI": math.pi}
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\S))")

_Node = Callable[[float], float]


class BadFormula(ValueError):
    """The text is no formula that we know; the message says what stands in the way."""


class WaitFunction:
    """`f(x)` with x from 0 (the caller is done) to 1 (they go on)."""

    def __init__(self, text: str) -> None:
        """Raises BadFormula."""
        self._tokens: list[str] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            assert match is not None
            self._tokens.append(match[0].strip())
            at = match.end()
        if len(self._tokens) > _MAX_TOKENS:
            raise BadFormula(f"waitFunction is longer than {_MAX_TOKENS} terms")
        self._at = 0
        self._function = self._sum()
        if self._at < len(self._tokens):
            raise BadFormula(f"waitFunction: {self._tokens[self._at]!r} is not expected there")

    def seconds(self, x: float) -> float:
        """The wait in seconds, 0 … 15; what has no value (a root of a negative number) counts as 0."""
        try:
            value = self._function(min(1.0, max(0.0, x)))
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            return 0.0
        if isinstance(value, complex) or math.isnan(value):
            return 0.0
        return min(15.0, max(0.0, value / 1000))

    # -- one method a level of precedence -------------------------------------------------------------------

    def _take(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return None

    def _sum(self) -> _Node:
        left = self._product()
        while (sign := self._take("+", "-")) is not None:
            left = _both(left, self._product(), (lambda a, b: a + b) if sign == "+" else (lambda a, b: a - b))
        return left

    def _product(self) -> _Node:
        left = self._signed()
        while (sign := self._take("*", "/", "%")) is not None:
            operation = {"*": lambda a, b: a * b, "/": lambda a, b: a / b, "%": lambda a, b: a % b}[sign]
            left = _both(left, self._signed(), operation)
        return left

    def _signed(self) -> _Node:
        sign = self._take("+", "-")
        if sign is None:
            return self._power()
        inner = self._signed()
        return (lambda x: -inner(x)) if sign == "-" else inner

    def _power(self) -> _Node:
        base = self._value()
        if self._take("^") is None:
            return base
        return _both(base, self._signed(), math.pow)

    def _value(self) -> _Node:
        if self._at >= len(self._tokens):
            raise BadFormula("waitFunction ends too early")
        term = self._tokens[self._at]
        self._at += 1
        if term == "(":
            inner = self._sum()
            self._close()
            return inner
        if term[0].isdigit() or term[0] == ".":
            number = float(term)
            return lambda _: number
        if term == "x":
            return lambda x: x
        if term in _FUNCTIONS and self._take("(") is not None:
            arguments = [self._sum()]
            while self._take(",") is not None:
                arguments.append(self._sum())
            self._close()
            function = _FUNCTIONS[term]
            return lambda x: float(function(*(argument(x) for argument in arguments)))
        if term in _CONSTANTS:
            constant = _CONSTANTS[term]
            return lambda _: constant
        raise BadFormula(
            f"waitFunction: {term!r} is not known; x, numbers, + - * / ^ and {', '.join(_FUNCTIONS)} are"
        )

    def _close(self) -> None:
        if self._take(")") is None:
            raise BadFormula("waitFunction: a ) is missing")


def _both(left: _Node, right: _Node, operation: Callable[[float, float], float]) -> _Node:
    return lambda x: operation(left(x), right(x))
