from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ari_assistant.config.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_diagrams_are_those_of_the_tables() -> None:
    spec = importlib.util.spec_from_file_location("gen_diagrams", ROOT / "docs/gen_diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs/turn-taking.md").read_text()
    assert module.rendered(page) == page, "run: python docs/gen_diagrams.py"


def test_every_setting_is_documented_and_nothing_else() -> None:
    documented = set(re.findall(r"^\| `ARI_ASSISTANT_(\w+)`", (ROOT / "docs/configuration.md").read_text(), re.M))
    assert {name.lower() for name in documented} == set(Settings.model_fields)


def test_every_section_mark_names_a_section_of_the_contract() -> None:
    sections = set(re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", (ROOT / "docs/contract.md").read_text(), re.M))
    assert {"1", "7.4", "14"} <= sections
    lost = [
        f"{path.relative_to(ROOT)}: §{mark}"
        for folder in ("ari_assistant", "asterisk-conf", "benchmarks", "docs", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".md", ".conf") and path != Path(__file__)
        for rfc, mark in re.findall(r"(RFC \d+ )?§(\d+(?:\.\d+)*)", path.read_text())
        if not rfc and mark not in sections
    ]
    assert lost == []


def test_nothing_leans_on_what_is_not_in_the_repository() -> None:
    elsewhere = re.compile(r"(?i)design decision|\bissue #?\d|\bhouse plan|\bmission\b|\bfounders?\b|\bredesign")
    pages = [ROOT / name for name in ("Makefile", "pyproject.toml")] + list(ROOT.glob("*.md"))
    folders = ("ari_assistant", "asterisk-conf", "benchmarks", "docs", "scripts", "tests")
    pages += [path for folder in folders for path in (ROOT / folder).rglob("*")]
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in pages
        if path.suffix in {".py", ".md", ".conf", ".toml", ""} and path.is_file() and path != Path(__file__)
        for match in elsewhere.finditer(path.read_text())
    ]
    assert found == []


_FOLDERS = ("ari_assistant", "asterisk-conf", "benchmarks", "deploy", "docs", "requirements", "scripts", "tests")
_PATH = re.compile(r"(?<![\w/.:<>{}~*-])((?:[\w.-]+/)+[\w.-]*\w/?)")
_SUFFIXES = (".py", ".md", ".conf", ".lock", ".mjs", ".toml", ".json", ".yaml", ".sh")


def _prose() -> Iterator[tuple[Path, str]]:
    """What is written for people: the Markdown pages; of a module the docstrings and the comments."""
    yield from ((path, path.read_text()) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
    for folder in ("ari_assistant", "benchmarks", "docs", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            strings = [
                node.value.value
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ]
            yield path, "\n".join([*strings, *re.findall(r"(?:^|\s)# .*", text)])


def _is_ours(name: str) -> bool:
    """A path in this repository, not a URL's, a program's or an alternative ("and/or")."""
    first = name.split("/")[0]
    return first in _FOLDERS or (name.endswith(_SUFFIXES) and (ROOT / "ari_assistant" / first).is_dir())


def test_every_path_that_is_named_leads_somewhere() -> None:
    """From the root, from the package (`calls/legs.py`), or from the page that names it."""
    named = {(path, name) for path, text in _prose() for name in _PATH.findall(text)}
    ours = [(path, name) for path, name in named if _is_ours(name)]
    assert len(ours) > 100
    lost = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in sorted(ours)
        if not any((base / name).exists() for base in (ROOT, ROOT / "ari_assistant", path.parent))
    ]
    assert lost == []


def test_every_module_that_is_named_is_there() -> None:
    """In docstrings a module may stand as Python has it: `` `reports.messages` implements it ``."""
    package = ROOT / "ari_assistant"
    rooms = "|".join(path.name for path in package.iterdir() if (path / "__init__.py").is_file())
    others = {"server.url", "server.headers", "asterisk.conf", "assistants.yaml"}  # fields of the contract, files
    named = {
        (path, module)
        for path, text in _prose()
        if path.suffix == ".py"
        for module in re.findall(rf"`(?:ari_assistant\.)?((?:{rooms})\.[a-z_]+)(?:\.\w+)*`", text)
    }
    assert len(named) > 5
    lost = [
        f"{path.relative_to(ROOT)}: {module}"
        for path, module in sorted(named)
        if module not in others and find_spec(f"ari_assistant.{module}") is None
    ]
    assert lost == []


def test_the_lines_of_a_page_can_be_read() -> None:
    """120 characters; a table's row, a link's address and what stands in a fence cannot be broken."""
    long = []
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        fenced = False
        for number, line in enumerate(path.read_text().splitlines(), 1):
            fenced ^= line.startswith("```")
            if len(line) > 120 and not fenced and not line.startswith("|"):
                long.append(f"{path.relative_to(ROOT)}:{number}")
    assert long == []
