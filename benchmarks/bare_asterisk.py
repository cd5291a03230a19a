"""The same Asterisk with the same configuration, without us: what everything is compared with."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from ari_assistant.asterisk.instance import InstanceOptions, new_password, render_instance
from ari_assistant.asterisk.obtain import obtain
from ari_assistant.asterisk.process import AsteriskProcess, stop
from tests.support.ports import free_port


@dataclass(frozen=True, slots=True)
class BareAsterisk:
    """A running one."""

    sip_port: int
    ari_url: str
    user: str
    password: str
    app: str
    pid: int


@asynccontextmanager
async def bare_asterisk(
    folder: Path, *, modules: tuple[str, ...], dialplan: str, websocket_clients: str = "", rtp_first: int = 40_000
) -> AsyncGenerator[BareAsterisk, None]:
    """With these modules and lines of the context `from-sip` more; every other extension goes to the application."""
    binary = obtain("auto", lambda *_: None)
    sip_port, ari_port, password = free_port(), free_port(), new_password()
    options = InstanceOptions(
        sip_host="127.0.0.1", sip_port=sip_port, rtp_first=rtp_first, rtp_last=rtp_first + 1_999, ari_port=ari_port,
        ari_username="bench", ari_password=password, app="bench", media_address="127.0.0.1",
    )  # fmt: skip
    conf = render_instance(folder, binary, options)
    with (conf.parent / "modules.conf").open("a") as file:
        file.writelines(f"load = {module}\n" for module in modules)
    extensions = conf.parent / "extensions.conf"
    extensions.write_text(extensions.read_text().replace("[from-sip]\n", f"[from-sip]\n{dialplan}"))
    with (conf.parent / "websocket_client.conf").open("a") as file:
        file.write(websocket_clients)
    url = f"http://127.0.0.1:{ari_port}/ari"
    asterisk = AsteriskProcess(
        binary, conf, ping_url=f"{url}/asterisk/ping", authorization=aiohttp.encode_basic_auth("bench", password)
    )
    process = await asterisk.start()
    try:
        pid = int((folder / "run" / "asterisk.pid").read_text())
        yield BareAsterisk(sip_port, url, "bench", password, "bench", pid)
    finally:
        await stop(process)
