from __future__ import annotations

import importlib.util
import re
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
