"""Settings: environment variables `ARI_ASSISTANT_…`, or the same names in lower case without the prefix in a
`.env` file in the working directory or in a YAML settings file (`ARI_ASSISTANT_SETTINGS_FILE`).

The environment wins over `.env`, which wins over the settings file. An empty variable is an unset one. A secret may
be kept in a file: `ARI_ASSISTANT_CHAT_API_KEY_FILE=/run/secrets/chat-api-key` instead of `ARI_ASSISTANT_CHAT_API_KEY`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from ari_assistant.data_directory import DataDirectory
from ari_assistant.fault import Fault

__all__ = ["PREFIX", "SECRETS", "Settings", "SettingsFault", "load_settings"]

PREFIX = "ARI_ASSISTANT_"


class SettingsFault(Fault):
    """A setting is wrong; the text names it, where it stands, and what would be right."""


class Settings(BaseSettings):
    """Every setting, with its default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    api_host: str = "127.0.0.1"
    """Where the REST API listens."""
    api_port: int = Field(default=8080, ge=1, le=65535)
    api_key: SecretStr | None = None
    """The private key of the API; generated and kept in the data directory when unset."""
    public_url: str | None = None
    """The API's URL as others see it, for links to recordings; `http://api_host:api_port` by default."""
    sip_host: str = "0.0.0.0"  # noqa: S104 - callers come from anywhere, that is the purpose
    """The address that SIP and RTP are bound to."""
    sip_port: int = Field(default=5060, ge=1, le=65535)
    sip_domains: list[str] = Field(default_factory=list)
    """Further names of this machine that callers dial, separated by commas."""
    rtp_ports: str = "20000-20999"
    """First and last UDP port of RTP; four a call."""
    external_address: str | None = None
    """The address that callers beyond a NAT see."""
    local_networks: list[str] = Field(default_factory=list)
    """Networks that reach this machine without NAT, in CIDR form, separated by commas."""
    data_dir: Path = Path("data")
    assistants_file: Path | None = None
    """Assistants and numbers in YAML or JSON; the example that ships when unset."""
    asterisk: str = "auto"
    """`auto`, `private`, the path of an asterisk binary, or the ARI URL of a running one."""
    ari_port: int = Field(default=0, ge=0, le=65535)
    """Loopback port of our Asterisk's HTTP server; 0 takes a free one."""
    ari_username: str = "ari-assistant"
    ari_password: SecretStr | None = None
    """Only for a running Asterisk; ours gets a new one at every start."""
    ari_app: str = Field(default="ari-assistant", pattern=r"^[A-Za-z0-9_-]+$")
    media_host: str = "127.0.0.1"
    """Where our end of ExternalMedia is bound; Asterisk must reach it."""
    media_transport: Literal["rtp", "websocket"] = "rtp"
    """How audio comes from Asterisk: RTP over UDP, or a websocket to its HTTP server (chan_websocket)."""
    database_url: SecretStr | None = None
    """SQLAlchemy URL, with its password; a SQLite file in the data directory when unset."""
    chat_url: str | None = None
    """Base URL of an OpenAI-compatible chat endpoint, for assistants that name no endpoint of their own."""
    chat_api_key: SecretStr | None = None
    chat_model: str | None = None
    server_url: str | None = None
    """Where server messages go when neither assistant nor number names a server."""
    server_secret: SecretStr | None = None
    sign_webhooks: bool = True
    """A message to a server with a secret is also signed with it (HMAC-SHA256, `x-signature`, `x-timestamp`)."""
    strict_urls: bool = False
    """Requests to servers of users go to public addresses only."""
    provider_keys: SecretStr | None = None
    """Keys of providers, `name=key`, separated by commas: `openai=sk-…,deepgram=…`."""
    provider_urls: str = ""
    """Where providers are asked when it is not at their own address, `name=URL`, separated by commas."""
    assistant_request_seconds: float = Field(default=7.5, gt=0, le=60)
    transcriber: Literal["moonshine", "faster-whisper"] = "moonshine"
    """The local recogniser."""
    whisper_model: Path | None = None
    """Folder of a CTranslate2 Whisper model; the English one of the extra `whisper` when unset."""
    vad: Literal["silero", "webrtc"] = "silero"
    endpointing_seconds: float = Field(default=0.6, ge=0.2, le=5)
    """Silence that ends a turn whose words are complete. The end-of-turn model shortens it; broken sentences, digits
    and spelled letters make it longer by up to a second."""
    end_of_turn_model: bool = True
    """Smart Turn listens to the prosody of every pause (a process of 110 MB)."""
    max_calls: int = Field(default=0, ge=0)
    """Calls at a time; further ones are refused with 503. 0: as many as the machine serves well."""
    bench: Literal["echo", "reply"] | None = None
    """For measuring the media plane without a brain: `echo` sends every frame back, `reply` answers each burst of
    speech with a tone. Callers get nothing else."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool | None = None
    """JSON lines; by default when standard error is no terminal."""
    settings_file: Path | None = None

    @field_validator("sip_domains", "local_networks", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("asterisk")
    @classmethod
    def _address(cls, value: str) -> str:
        if "://" in value:
            try:
                parts = urlsplit(value)
                good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            except ValueError:
                good = False
            if not good or not value.isprintable() or " " in value:
                raise ValueError("write the address of its HTTP server, for example http://127.0.0.1:8088")
        return value

    @field_validator("local_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network} is no network: write 192.168.0.0/16,10.0.0.0/8") from None
        return value

    @field_validator("rtp_ports")
    @classmethod
    def _range(cls, value: str) -> str:
        match = re.fullmatch(r"(\d{1,5})\s*-\s*(\d{1,5})", value)
        if match is None or not 1024 <= int(match[1]) < int(match[2]) <= 65535:
            raise ValueError("write FIRST-LAST, for example 20000-20999, between 1024 and 65535")
        return f"{match[1]}-{match[2]}"

    @field_validator("provider_urls")
    @classmethod
    def _named_urls(cls, value: str) -> str:
        if any(not name or not url for name, url in _pairs(value).items()):
            raise ValueError("write NAME=URL,NAME=URL, for example openai=http://127.0.0.1:8000/v1")
        return value

    @field_validator("provider_keys")
    @classmethod
    def _named_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and any(not n or not k for n, k in _pairs(value.get_secret_value()).items()):
            raise ValueError("write NAME=KEY,NAME=KEY, for example openai=sk-...,deepgram=...")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Initial values (files are among them) below the environment."""
        return (_Environment(settings_cls), init_settings)

    @property
    def uses_running_asterisk(self) -> bool:
        """`asterisk` is the ARI URL of one that is not ours."""
        return self.asterisk.startswith(("http://", "https://"))

    @property
    def keys_by_provider(self) -> dict[str, str]:
        """`provider_keys` as a mapping."""
        return _pairs(self.provider_keys.get_secret_value() if self.provider_keys is not None else "")

    @property
    def urls_by_provider(self) -> dict[str, str]:
        """`provider_urls` as a mapping."""
        return _pairs(self.provider_urls)

    @property
    def rtp_range(self) -> tuple[int, int]:
        """First and last RTP port."""
        first, last = self.rtp_ports.split("-")
        return int(first), int(last)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{DataDirectory(self.data_dir.resolve()).database}"

    @property
    def api_base(self) -> str:
        """The API's URL as others see it."""
        host = "127.0.0.1" if self.api_host in ("0.0.0.0", "::") else self.api_host  # noqa: S104 - compared
        host = f"[{host}]" if ":" in host else host
        return (self.public_url or f"http://{host}:{self.api_port}").rstrip("/")


SECRETS = frozenset(name for name, field in Settings.model_fields.items() if field.annotation == SecretStr | None)
"""The settings that may stand in a file of their own, which the name with `_file` behind it names."""

_KNOWN = frozenset(Settings.model_fields) | {f"{name}_file" for name in SECRETS}


def _pairs(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


class _Environment(EnvSettingsSource):
    """The environment, with lists as comma-separated text instead of JSON."""

    def prepare_field_value(self, field_name: str, field: Any, value: Any, value_is_complex: bool) -> Any:
        """See pydantic-settings."""
        return value


def _from_env_file(path: Path) -> dict[str, tuple[str, str]]:
    """`.env`: key → (value, where it stands). Keys of other programs are left alone."""
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsFault(f"{path}: {fault}") from fault
    for key, value in values.items():
        name = key.removeprefix(PREFIX).lower()
        if name not in _KNOWN:
            if key.startswith(PREFIX):
                raise SettingsFault(f"{path}: unknown setting {key}{_suggestion(name)}")
            continue
        line = next((n for n, text in enumerate(lines, 1) if re.match(rf"\s*(export\s+)?{key}\s*=", text)), 0)
        if value:
            found[name] = (value, f"{path}:{line}")
    return found


def _from_yaml_file(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as fault:
        raise SettingsFault(f"{path}: {fault.strerror}", cure=f"correct {PREFIX}SETTINGS_FILE") from fault
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise SettingsFault(f"{path}: {fault}") from fault
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise SettingsFault(f"{path}: the settings file must be a mapping of names to values")
    found = {}
    for key, _ in node.value:
        where = f"{path}:{key.start_mark.line + 1}"
        if key.value not in _KNOWN:
            raise SettingsFault(f"{where}: unknown setting {key.value}{_suggestion(str(key.value))}")
        found[str(key.value)] = (values[key.value], where)
    return found


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, _KNOWN, n=1)
    return f": did you mean {near[0]}?" if near else f"; known are {', '.join(Settings.model_fields)}"


def _from_secret_files(files: dict[str, tuple[Any, str]]) -> dict[str, tuple[str, str]]:
    """The secrets that files hold: name → (value, the file). Raises SettingsFault: for a secret that is given twice,
    and for a file that cannot be read or has nothing in it."""
    found = {}
    for name in sorted(SECRETS):
        variable, by_file = f"{PREFIX}{name.upper()}", f"{name}_file"
        if os.environ.get(f"{variable}_FILE"):
            path, where = os.environ[f"{variable}_FILE"], f"{variable}_FILE"
        elif files.get(by_file, ("",))[0]:
            path, where = str(files[by_file][0]), f"{files[by_file][1]}: {by_file}"
        else:
            continue
        if os.environ.get(variable) or files.get(name, ("",))[0]:
            also = variable if os.environ.get(variable) else f"{files[name][1]}: {name}"
            raise SettingsFault(f"{where} and {also} are both set", cure="take one of them away")
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            reason = (fault.strerror if isinstance(fault, OSError) else None) or "it is no text in UTF-8"
            raise SettingsFault(
                f"{where}: {path}: {reason}",
                cure=f"put the secret there, to be read by the user with the id {os.getuid()}",
            ) from fault
        if not value:
            raise SettingsFault(f"{where}: {path} is empty", cure="put the secret there, and nothing else")
        found[name] = (value, path)
    return found


def load_settings(**given: Any) -> Settings:
    """Read all sources. Raises SettingsFault with file, line and key."""
    files: dict[str, tuple[Any, str]] = {}
    settings_file = os.environ.get(f"{PREFIX}SETTINGS_FILE")
    if settings_file:
        files |= _from_yaml_file(Path(settings_file))
    if Path(".env").is_file():
        files |= _from_env_file(Path(".env"))
    for key in os.environ:
        name = key.removeprefix(PREFIX).lower()
        if key.startswith(PREFIX) and name not in _KNOWN and name not in _NOT_SETTINGS:
            raise SettingsFault(f"environment: unknown setting {key}{_suggestion(name)}")
    files |= _from_secret_files(files)
    values = {name: value for name, (value, _) in files.items() if name in Settings.model_fields} | given
    try:
        return Settings(**values)
    except ValidationError as fault:
        texts = []
        for item in fault.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            in_environment = bool(os.environ.get(f"{PREFIX}{name.upper()}"))
            where = f"{PREFIX}{name.upper()}" if in_environment or name not in files else files[name][1]
            texts.append(f"{where}: {name}: {item['msg'].removeprefix('Value error, ')}")
        raise SettingsFault("\n".join(texts)) from fault


_NOT_SETTINGS = frozenset({"engine_stderr", "asterisk_mirror", "asterisk_suite", "piper_noise"})
"""Variables of ours that are switches for developers, not settings."""
