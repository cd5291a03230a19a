"""The mission names Linphone: its own command line client places a call."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

from ari_assistant.config.hosts import primary_address
from tests.support.house import House
from tests.support.studio import Studio, read_wav, sounds_like

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(120)]

RC = """\
[sip]
sip_port={port}
sip_tcp_port={port}
guess_hostname=1

[sound]
echocancellation=0

[video]
enabled=0
"""


@pytest.mark.skipif(shutil.which("linphonec") is None, reason="apt-get install linphone-cli (.ci/run does)")
@pytest.mark.skipif(primary_address().startswith("127."), reason="linphonec needs an address besides loopback")
async def test_linphone_is_greeted_asks_and_is_answered(house: House, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / ".local/share/linphone").mkdir(parents=True)
    rc = tmp_path / "rc"
    rc.write_text(RC.format(port=house.sip_port + 1))
    heard = tmp_path / "heard.wav"
    question = studio.say("When are you open?", before=4.0, after=1.0)
    process = await asyncio.create_subprocess_exec(
        "linphonec", "-b", str(rc),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HOME": str(tmp_path)}, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdin is not None
    for line in ("soundcard use files", f"play {question}", f"record {heard}", f"call {house.uri('banana')}"):
        process.stdin.write(line.encode() + b"\n")
    try:
        for _ in range(300):
            if sounds_like(studio.hear(_mono(heard)), "nine to five"):
                break
            await asyncio.sleep(0.5)
    finally:
        process.stdin.write(b"terminate\nquit\n")
        output, _ = await process.communicate()
    words = studio.hear(_mono(heard))
    assert sounds_like(words, "welcome to the yellow banana company"), output.decode(errors="replace")[-2000:]
    assert sounds_like(words, "nine to five")
    record = await house.ended_call("banana")
    assert re.search(r"When are you open", record["transcript"])


def _mono(path: Path):  # type: ignore[no-untyped-def]
    pcm = read_wav(path)
    if not pcm.size:
        return pcm
    rate = int.from_bytes(path.read_bytes()[24:28], "little")
    pcm = pcm[:, 0] if pcm.ndim > 1 else pcm
    return pcm[:: max(1, rate // 8000)]
