"""compose.yaml hands on every setting: as it interpolates, without an engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ari_assistant.cli import main
from ari_assistant.config.settings import PREFIX, SECRETS, Settings, load_settings

COMPOSE = yaml.safe_load((Path(__file__).parents[3] / "compose.yaml").read_text())

STACK = {"ARI_PASSWORD": "the service `configure` writes it into the file that the server reads"}
"""Settings that the server itself is not given, and how they take effect."""


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME-default}`, `${NAME:-default}` and `${NAME:+instead}`, nested, as the Compose specification says."""
    form = re.compile(r"\$\{(\w+)(:?[-+])((?:[^${}])*)\}")
    while (match := form.search(text)) is not None:
        name, operator, word = match.groups()
        value = variables.get(name)
        there = bool(value) if operator[0] == ":" else value is not None
        text = text.replace(
            match[0], (word if there else "") if "+" in operator else (value if there else word) or ""
        )
    return text


def environment(service: str, **variables: str) -> dict[str, str]:
    """What the container of `service` is started with."""
    given = {PREFIX + name.upper(): value for name, value in variables.items()}
    declared: dict[str, Any] = COMPOSE["services"][service]["environment"]
    return {name: interpolated(value, given) for name, value in declared.items()}


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_server_is_given_every_setting_and_the_file_of_every_secret() -> None:
    wanted = {name.upper() for name in Settings.model_fields} | {f"{name.upper()}_FILE" for name in SECRETS}
    assert set(environment("ari-assistant")) == {PREFIX + name for name in wanted - set(STACK)}
    assert PREFIX + "ARI_PASSWORD" in environment("configure")


VALUES = {
    "api_host": "192.0.2.1", "api_port": "81", "api_key": "k", "public_url": "https://a.example",
    "sip_host": "192.0.2.2", "sip_port": "5070", "sip_domains": "a.example,b.example", "rtp_ports": "30000-30999",
    "external_address": "203.0.113.7", "local_networks": "10.0.0.0/8", "ari_port": "8090", "ari_username": "u",
    "ari_app": "app2", "media_host": "127.0.0.2", "media_transport": "websocket", "database_url": "postgresql://h/n",
    "chat_url": "http://127.0.0.1:11434/v1", "chat_api_key": "c", "chat_model": "m", "server_url": "http://a.example",
    "server_secret": "s", "sign_webhooks": "false", "strict_urls": "true", "provider_keys": "openai=k",
    "provider_urls": "vosk=ws://127.0.0.1:2700", "assistant_request_seconds": "3", "transcriber": "faster-whisper",
    "vad": "webrtc", "endpointing_seconds": "0.9", "end_of_turn_model": "false", "max_calls": "3", "bench": "echo",
    "log_level": "debug", "log_json": "true", "asterisk": "http://192.0.2.9:8088",
}  # fmt: skip


def test_each_takes_effect_in_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = {"data_dir", "assistants_file", "settings_file", "whisper_model"}
    assert set(VALUES) | mounted | {"ari_password"} == set(Settings.model_fields)
    plain = load_settings()
    for name, value in environment("ari-assistant", **VALUES).items():
        if name != PREFIX + "ARI_PASSWORD_FILE":  # the volume's
            monkeypatch.setenv(name, value)
    settings = load_settings()
    assert [name for name in VALUES if getattr(settings, name) == getattr(plain, name)] == []


def test_none_is_set_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = {"ari_port": 8088, "asterisk": "http://127.0.0.1:8088", "data_dir": Path("/data")}
    stack["assistants_file"] = Path("/config/assistants.yaml")
    plain = load_settings()
    for name, value in environment("ari-assistant").items():
        if name != PREFIX + "ARI_PASSWORD_FILE":
            monkeypatch.setenv(name, value)
    settings = load_settings()
    expected = {name: stack.get(name, getattr(plain, name)) for name in Settings.model_fields}
    assert {name: getattr(settings, name) for name in Settings.model_fields} == expected


def test_what_names_a_file_is_mounted() -> None:
    given = {f"{PREFIX}{name.upper()}": f"/mine/{name}" for name in (*(f"{s}_file" for s in SECRETS), "data_dir")}
    secrets = {name: interpolated(secret["file"], given) for name, secret in COMPOSE["secrets"].items()}
    assert secrets == {name: f"/mine/{name}_file" for name in SECRETS}
    services = COMPOSE["services"]
    inside = {
        **environment("ari-assistant", **{f"{s}_file": "x" for s in SECRETS}),
        **environment("configure", ari_password_file="x"),
    }
    for name in SECRETS:
        assert inside[f"{PREFIX}{name.upper()}_FILE"] == f"/run/secrets/{name}"
        assert name in services["configure" if name == "ari_password" else "ari-assistant"]["secrets"]
    volumes = [interpolated(volume, given) for volume in services["ari-assistant"]["volumes"]]
    assert "/mine/data_dir:/data" in volumes
    settings_file = environment("ari-assistant", settings_file="mine.yaml")[f"{PREFIX}SETTINGS_FILE"]
    assert f"/dev/null:{settings_file}:ro" in volumes


def test_asterisks_container_knows_the_address_beyond_the_nat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_assistant.cli.configure_logging", lambda **_: None)
    given = {"external_address": "203.0.113.7", "local_networks": "10.0.0.0/8,192.168.0.0/16", "sip_port": "5070"}
    for name, value in environment("configure", **given).items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["render-asterisk", str(tmp_path / "asterisk")])
    assert result.exit_code == 0, result.output
    pjsip = (tmp_path / "asterisk/etc/pjsip.conf").read_text()
    assert "external_media_address = 203.0.113.7" in pjsip
    assert "external_signaling_address = 203.0.113.7" in pjsip
    assert "local_net = 192.168.0.0/16" in pjsip
    assert ":5070" in pjsip
    # A changed setting must start Asterisk anew: compose does that when a service's own environment changes.
    assert environment("asterisk", **given).items() >= {PREFIX + k.upper(): v for k, v in given.items()}.items()
