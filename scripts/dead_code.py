"""Finds code that nothing uses, by vulture; `make lint` runs it. Ends with 1 and the places when there is any.

In two points it is stricter than vulture's own command. A name is not used because it stands in `__all__`, which would
hide everything public. And the package is looked at by itself: what only a test or a benchmark uses belongs to them.

What others call (a library by its callbacks, JSON by its fields) is named in `dead_code_whitelist.py`, with the reason.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ari_assistant"
SCHEMAS = PACKAGE / "vapi"
WHITELIST = ROOT / "scripts/dead_code_whitelist.py"
CALLED_BY_THEIR_DECORATOR = ["@*_validator", "@*.command", "@*.add", "@event.listens_for"]
"""pydantic, click, the API's routes, SQLAlchemy."""
CONFIDENCE = 60
"""Percent: vulture's figure for whatever bears a name that is written nowhere else."""


class Finder(Vulture):  # type: ignore[misc]
    """Vulture, to which `__all__` says nothing."""

    def visit_Assign(self, node: ast.Assign) -> None:
        """Vulture looks for `__all__` here, and for nothing else."""


def unused(*paths: Path) -> list[str]:
    """The places under `paths` that nothing under `paths` uses."""
    finder = Finder(ignore_decorators=CALLED_BY_THEIR_DECORATOR)
    finder.scavenge(
        [str(path) for path in (*paths, WHITELIST)], exclude=[str(PACKAGE / "store/migrations/versions")]
    )
    return [
        f"{item.filename.relative_to(ROOT)}:{item.first_lineno}: {item.message}"
        for item in finder.get_unused_code(min_confidence=CONFIDENCE)
        # A schema's fields are the contract's: they are checked and kept whether a line reads them or not.
        if not (item.typ == "variable" and SCHEMAS in item.filename.parents)
    ]


def main() -> None:
    """Print what is found and fail, or end in silence."""
    everything = (PACKAGE, *(ROOT / folder for folder in ("benchmarks", "docs", "scripts")))
    found = dict.fromkeys([*unused(PACKAGE), *unused(*everything)])
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
