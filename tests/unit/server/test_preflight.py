"""What is looked at before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ari_assistant.config.ports import free_tcp_port
from ari_assistant.config.settings import Settings
from ari_assistant.fault import Fault
from ari_assistant.private_files import private_directory
from ari_assistant.server.preflight import OperatorKey, preflight
from ari_assistant.store.repositories import Resource

ASSISTANTS = """
assistants:
  - id: desk
    firstMessage: Hello.
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "assistants.yaml"
    file.write_text(ASSISTANTS)
    return Settings(
        data_dir=tmp_path / "data",
        assistants_file=file,
        api_port=free_tcp_port(),
        sip_host="127.0.0.1",
        sip_port=free_tcp_port(),
    )


def changed(settings: Settings, **values: Any) -> Settings:
    return settings.model_copy(update=values)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        yield tcp.getsockname()[1]


def fault_of(settings: Settings) -> Fault:
    with pytest.raises(Fault) as raised, preflight(settings):
        pass
    return raised.value


def test_a_start_can_rely_on_what_was_found(settings: Settings, tmp_path: Path, log_lines: list[Any]) -> None:
    with preflight(settings) as ready:
        assert ready.data.path == tmp_path / "data"
        assistants: tuple[Resource, ...] = ready.assistants.assistants
        assert [one.document["firstMessage"] for one in assistants] == ["Hello."]
    assert [line["event"] for line in log_lines] == ["assistants_file"]


def test_key_and_id_are_made_once_and_kept_for_their_owner_alone(settings: Settings) -> None:
    with preflight(settings) as first:
        pass
    with preflight(settings) as second:
        pass
    assert first.api_key.new
    assert second.api_key == OperatorKey(first.api_key.text)
    assert second.server_id == first.server_id
    assert [path.stat().st_mode & 0o777 for path in (first.data.api_key, first.data.server_id)] == [0o600, 0o600]


def test_a_key_that_is_set_is_not_kept(settings: Settings) -> None:
    with preflight(Settings(**settings.model_dump(exclude={"api_key"}), api_key="mine")) as ready:
        assert ready.api_key == OperatorKey("mine")
        assert not ready.data.api_key.exists()


def test_two_servers_cannot_share_a_data_directory_and_it_is_free_after_the_first(settings: Settings) -> None:
    with preflight(settings):
        fault = fault_of(settings)
        assert str(fault) == f"another ari-assistant uses {settings.data_dir}"
        assert "ARI_ASSISTANT_DATA_DIR" in fault.cure
    with preflight(settings):
        pass


def test_a_port_that_is_taken_is_named_with_the_setting(settings: Settings, taken: int) -> None:
    api = fault_of(changed(settings, api_port=taken))
    assert str(api).startswith(f"the API cannot have TCP port {taken} on 127.0.0.1: ")
    assert "ARI_ASSISTANT_API_PORT" in api.cure
    sip = fault_of(changed(settings, sip_port=taken))
    assert str(sip).startswith(f"SIP cannot have UDP port {taken} on 127.0.0.1: ")
    assert "ARI_ASSISTANT_SIP_PORT" in sip.cure


def test_the_sip_port_of_a_running_asterisk_is_its_own_but_it_needs_credentials(
    settings: Settings, taken: int
) -> None:
    running = changed(settings, asterisk="http://127.0.0.1:8088", sip_port=taken)
    assert "ARI_ASSISTANT_ARI_PASSWORD" in fault_of(running).cure
    with preflight(Settings(**running.model_dump(exclude={"ari_password"}), ari_password="x")):
        pass


def test_a_faulty_assistants_file_ends_the_start(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "assistants.yaml").write_text("assistant: []")
    assert "property assistant should not exist" in str(fault_of(settings))


def test_a_benchmark_is_told(settings: Settings, log_lines: list[Any]) -> None:
    with preflight(changed(settings, bench="echo")):
        pass
    assert log_lines[0]["event"] == "BENCHMARK_MODE"
    assert log_lines[0]["mode"] == "echo"


def test_what_an_older_version_left_open_is_mended_and_what_is_not_ours_is_left_alone(settings: Settings) -> None:
    data = private_directory(settings.data_dir)
    ours = [
        data / name
        for name in ("api-key", "ari-assistant.db", "ari-assistant.db-wal", "recordings/a.wav", "logs/a.jsonl")
    ]
    somebodys = data / "notes/plan.sh"
    for path in (*ours, somebodys):
        path.parent.mkdir(exist_ok=True)
        path.touch()
        path.chmod(0o755)
    data.chmod(0o755)
    with preflight(settings):
        pass
    assert {path.stat().st_mode & 0o777 for path in ours} == {0o600}
    assert [path.stat().st_mode & 0o777 for path in (data, data / "recordings", somebodys)] == [
        0o700,
        0o700,
        0o755,
    ]
