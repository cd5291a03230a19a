from __future__ import annotations

from pathlib import Path

import pytest

from ari_assistant.config.hosts import ThisMachine, primary_address
from ari_assistant.config.settings import SettingsFault, load_settings


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults() -> None:
    settings = load_settings()
    assert (settings.api_host, settings.api_port, settings.sip_port) == ("127.0.0.1", 8080, 5060)
    assert settings.rtp_range == (20000, 20999)
    assert settings.api_base == "http://127.0.0.1:8080"


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.yaml").write_text("sip_port: 1111\napi_port: 2222\nlog_level: debug\n")
    (tmp_path / ".env").write_text("api_port=3333\nARI_ASSISTANT_VAD=webrtc\nOTHER_PROGRAM=1\n")
    monkeypatch.setenv("ARI_ASSISTANT_SETTINGS_FILE", "settings.yaml")
    monkeypatch.setenv("ARI_ASSISTANT_SIP_DOMAINS", "a.example, b.example")
    monkeypatch.setenv("ARI_ASSISTANT_VAD", "silero")
    settings = load_settings()
    assert (settings.sip_port, settings.api_port, settings.log_level) == (1111, 3333, "debug")
    assert settings.vad == "silero"
    assert settings.sip_domains == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("settings.yaml", "api_port: 1\nsip_prot: 5060\n", r"settings.yaml:2: unknown setting sip_prot: did you mean sip_port"),
        ("settings.yaml", "\nsip_port: many\n", r"settings.yaml:2: sip_port: Input should be a valid integer"),
        ("settings.yaml", "- a\n", r"must be a mapping"),
        (".env", "\n\nrtp_ports=9-1\n", r"\.env:3: rtp_ports: write FIRST-LAST"),
        (".env", "ARI_ASSISTANT_SIP_PROT=1\n", r"unknown setting ARI_ASSISTANT_SIP_PROT: did you mean sip_port"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_file_line_and_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, expected: str
) -> None:
    (tmp_path / file).write_text(text)
    if file == "settings.yaml":
        monkeypatch.setenv("ARI_ASSISTANT_SETTINGS_FILE", file)
    with pytest.raises(SettingsFault, match=expected):
        load_settings()


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARI_ASSISTANT_API_PROT", "1")
    with pytest.raises(SettingsFault, match="ARI_ASSISTANT_API_PROT: did you mean api_port"):
        load_settings()
    monkeypatch.delenv("ARI_ASSISTANT_API_PROT")
    monkeypatch.setenv("ARI_ASSISTANT_API_PORT", "99999")
    with pytest.raises(SettingsFault, match=r"ARI_ASSISTANT_API_PORT: api_port: .*65535"):
        load_settings()


def test_names_and_addresses_of_this_machine() -> None:
    machine = ThisMachine(domains=["Voice.Example.org."], addresses=["203.0.113.9"])
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "voice.example.org", "203.0.113.9"):
        assert machine(host), host
    assert machine(primary_address())
    for host in ("sip.vapi.ai", "203.0.113.10", "example.org"):
        assert not machine(host), host
