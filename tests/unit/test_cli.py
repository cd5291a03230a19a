from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ari_assistant.cli import main


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARI_ASSISTANT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("ari_assistant.cli.configure_logging", lambda **_: None)
    return CliRunner()


def test_a_key_is_shown_once_listed_without_itself_and_revoked(runner: CliRunner) -> None:
    made = runner.invoke(main, ["key", "create", "--name", "my program"])
    assert made.exit_code == 0, made.output
    key = made.stdout.strip().splitlines()[-1]
    assert len(key) > 40
    listed = runner.invoke(main, ["key", "list"]).stdout
    assert key not in listed
    key_id = listed.split()[0]
    assert "private" in listed
    assert listed.rstrip().endswith("good  my program")
    assert runner.invoke(main, ["key", "revoke", key_id]).exit_code == 0
    assert "revoked" in runner.invoke(main, ["key", "list"]).stdout
    again = runner.invoke(main, ["key", "revoke", key_id])
    assert again.exit_code == 1
    assert "no good key" in again.output
