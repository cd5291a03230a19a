from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "ari_assistant"
OF_TWO_FIELDS = {"Model", "Server", "Transcriber", "Voice"}
"""The contract's and ours: see docs/decisions.md."""


def test_a_public_class_or_type_has_a_name_of_its_own_in_the_package() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for statement in ast.parse(path.read_text()).body:
            for name in _defined(statement):
                where[name].append(str(path.relative_to(PACKAGE)))
    twice = {name: places for name, places in where.items() if len(places) > 1}
    assert set(twice) == OF_TWO_FIELDS, twice


def _defined(statement: ast.stmt) -> list[str]:
    """The public classes and the aliases and variables of types that a statement of a module makes."""
    names = [statement.name] if isinstance(statement, ast.ClassDef) else []
    if isinstance(statement, ast.Assign):
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return [name for name in names if name[0].isupper() and name != name.upper()]
