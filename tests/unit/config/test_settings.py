from __future__ import annotations

from pathlib import Path

import pytest

from ari_assistant.config.hosts import ThisMachine, primary_address
from ari_assistant.config.settings import SECRETS, Settings, SettingsFault, load_settings


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


def test_every_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"api_key", "ari_password", "chat_api_key", "database_url", "provider_keys", "server_secret"} == SECRETS
    for name in SECRETS:
        (tmp_path / name).write_text(f"\n {name}=x\n")
    monkeypatch.setenv("ARI_ASSISTANT_SETTINGS_FILE", "settings.yaml")
    (tmp_path / "settings.yaml").write_text("server_secret_file: server_secret\n")
    (tmp_path / ".env").write_text("api_key_file=api_key\nARI_ASSISTANT_DATABASE_URL_FILE=database_url\n")
    for name in ("ari_password", "chat_api_key", "provider_keys"):
        monkeypatch.setenv(f"ARI_ASSISTANT_{name.upper()}_FILE", name)
    settings = load_settings()
    for name in SECRETS:
        assert getattr(settings, name).get_secret_value() == f"{name}=x"
    assert settings.database == "database_url=x"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, r"ARI_ASSISTANT_API_KEY_FILE: secret: No such file"),
        (b" \n", r"ARI_ASSISTANT_API_KEY_FILE: secret is empty"),
        (b"\xff", r"ARI_ASSISTANT_API_KEY_FILE: secret: it is no text"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv("ARI_ASSISTANT_API_KEY_FILE", "secret")
    with pytest.raises(SettingsFault, match=expected):
        load_settings()


def test_a_secret_that_is_given_twice_is_refused_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("\napi_key=x\n")
    (tmp_path / "secret").write_text("y")
    monkeypatch.setenv("ARI_ASSISTANT_API_KEY_FILE", "secret")
    with pytest.raises(SettingsFault, match=r"ARI_ASSISTANT_API_KEY_FILE and \.env:2: api_key are both set"):
        load_settings()


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARI_ASSISTANT_CHAT_MODEL_FILE", "x")
    with pytest.raises(SettingsFault, match="unknown setting ARI_ASSISTANT_CHAT_MODEL_FILE"):
        load_settings()


def test_an_empty_variable_is_an_unset_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("sip_port=\n")
    for name in ("API_PORT", "API_KEY", "API_KEY_FILE", "LOG_JSON", "SETTINGS_FILE"):
        monkeypatch.setenv(f"ARI_ASSISTANT_{name}", "")
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ASTERISK", "http://", "http://127.0.0.1:8088"),
        ("ASTERISK", "http://a b", "http://127.0.0.1:8088"),
        ("ASTERISK", "http://a:99999", "http://127.0.0.1:8088"),
        ("ASTERISK", "ftp://a", "http://127.0.0.1:8088"),
        ("LOCAL_NETWORKS", "10.0.0.0/8,mine", "mine is no network"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"ARI_ASSISTANT_{name}", value)
    with pytest.raises(SettingsFault, match=expected):
        load_settings()
