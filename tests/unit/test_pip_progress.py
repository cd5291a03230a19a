from __future__ import annotations

import importlib.util
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts/pip_progress.py"
    spec = importlib.util.spec_from_file_location("pip_progress", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_pip_says_becomes_how_far_it_is(script: ModuleType) -> None:
    line = script.Line(3)
    for text in (
        "Collecting aiohttp==3.14.0 (from -r requirements/run.lock (line 10))",
        "Downloading aiohttp-3.14.0-cp311-manylinux_x86_64.whl (1.7 MB)",
        "Collecting click==8.4.0",
        "Using cached click-8.4.0-py3-none-any.whl (500 kB)",
        "Downloading x.whl.metadata (500 kB)",
    ):
        line.heard(text)
    assert (line.collected, line.total, line.installing) == (2, 3, False)
    assert line.megabytes == pytest.approx(2.2)
    line.heard("Installing collected packages: aiohttp, click")
    assert (line.total, line.installing) == (2, True)


def test_a_pip_that_fails_is_heard_and_its_status_handed_on(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    assert script.main(["no-such-package-of-ours"]) == 1
    said = capfd.readouterr().err
    assert ("no-such-package-of-ours" if find_spec("pip") else "No module named pip") in said
    assert str(tmp_path / "pip.log") in said
    assert len(said.splitlines()) <= 5
