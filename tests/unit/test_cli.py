from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ari_assistant.cli import main
from ari_assistant.phone import missing_phone_cure


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


@pytest.mark.parametrize(
    ("version", "machine", "words"),
    [
        ((3, 12), "x86_64", "pip install 'ari-assistant[phone]'"),
        ((3, 13), "x86_64", "Python 3.11 or 3.12"),
        ((3, 12), "aarch64", "any softphone (pjsua2 has no wheel for aarch64)"),
    ],
)
def test_where_the_telephone_has_no_wheel_nobody_is_sent_to_install_it(
    version: tuple[int, int], machine: str, words: str
) -> None:
    assert words in missing_phone_cure(version, machine)


def test_without_its_package_the_telephone_says_what_to_do(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_assistant.cli.find_spec", lambda _: None)
    called = runner.invoke(main, ["call", "sip:hello@127.0.0.1"])
    assert called.exit_code == 1
    assert f"What to do: {missing_phone_cure()}." in called.output
