from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from ari_assistant.asterisk.instance import (
    NEEDED_MODULES,
    InstanceOptions,
    conf_dir,
    new_password,
    render_instance,
)
from ari_assistant.asterisk.obtain import AsteriskBinary, AsteriskFault, find_system

OPTIONS = InstanceOptions(
    sip_host="0.0.0.0",
    sip_port=5070,
    rtp_first=20000,
    rtp_last=20999,
    ari_port=8089,
    ari_username="me",
    ari_password="p4ss",
    app="app",
    media_address="192.0.2.2",
    external_address="203.0.113.5",
    local_networks=("10.0.0.0/8",),
)


@pytest.fixture
def binary(tmp_path: Path) -> AsteriskBinary:
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in NEEDED_MODULES:
        (modules / f"{name}.so").touch()
    return AsteriskBinary(("asterisk",), "Asterisk 22.10.1", modules, tmp_path / "data")


def test_every_word_is_filled_in_and_only_the_owner_can_read(tmp_path: Path, binary: AsteriskBinary) -> None:
    conf = render_instance(tmp_path / "instance", binary, OPTIONS)
    etc = conf.parent
    texts = {path.name: path.read_text() for path in etc.iterdir()}
    assert not [name for name, text in texts.items() if re.search(r"@[A-Z_]+@", text)]
    assert "bind = 0.0.0.0:5070" in texts["pjsip.conf"]
    assert "external_media_address = 203.0.113.5" in texts["pjsip.conf"]
    assert "local_net = 10.0.0.0/8" in texts["pjsip.conf"]
    assert "media_address = 192.0.2.2" in texts["pjsip.conf"]
    assert "password = p4ss" in texts["ari.conf"]
    assert "bindaddr = 127.0.0.1" in texts["http.conf"]
    assert "load = chan_rtp.so" in texts["modules.conf"]
    assert "; not in this Asterisk: codec_g722.so" in texts["modules.conf"]
    assert stat.S_IMODE((etc / "ari.conf").stat().st_mode) == 0o600


def test_a_module_that_nothing_works_without_is_missed_at_once(tmp_path: Path, binary: AsteriskBinary) -> None:
    (binary.modules / "chan_rtp.so").unlink()
    with pytest.raises(AsteriskFault, match=r"chan_rtp\.so"):
        render_instance(tmp_path / "instance", binary, OPTIONS)


def test_the_configuration_that_ships_leads_nowhere_but_into_the_application() -> None:
    dialplan = (conf_dir() / "extensions.conf").read_text()
    applications = set(re.findall(r"(?:,\d+,|n(?:\(\w+\))?,)(\w+)\(", dialplan))
    assert applications <= {"Stasis", "Hangup", "Goto", "GotoIf", "Gosub", "Return", "Set", "Transfer"}
    contexts = [
        "general",
        "globals",
        "from-sip",
        "ari-assistant-nowhere",
        "ari-assistant-invite",
        "ari-assistant-transfer",
    ]
    assert re.findall(r"^\[([^\]]+)\]", dialplan, re.M) == contexts
    before, _, after = dialplan.partition("[ari-assistant-transfer]")
    assert ",Transfer(" not in before, "only the application sends a caller there"
    assert after.count(",Transfer(") == 1
    assert "include" not in dialplan
    pjsip = (conf_dir() / "pjsip.conf").read_text()
    assert re.findall(r"^context = (\S+)", pjsip, re.M) == ["from-sip", "ari-assistant-nowhere"]
    assert re.findall(r"^\[([^\]]+)\]\ntype = endpoint", pjsip, re.M) == ["anonymous", "outbound"]
    assert "endpoint_identifier_order = request_uri,anonymous" in pjsip, "nothing must lead a caller to [outbound]"
    assert not re.search(
        r"^\s*password", "".join(p.read_text() for p in conf_dir().glob("*.conf") if p.name != "ari.conf"), re.M
    )


def test_passwords_are_new_each_time() -> None:
    assert new_password() != new_password()
    assert len(new_password()) >= 24


def test_a_path_that_is_no_asterisk_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "asterisk"
    fake.write_text("#!/bin/sh\necho Asterisk 18.1.0\n")
    fake.chmod(0o755)
    with pytest.raises(AsteriskFault, match=r"Asterisk 18\.1\.0"):
        find_system(str(fake))
    with pytest.raises(AsteriskFault, match="does not exist"):
        find_system(str(tmp_path / "nothing"))
