"""A running ari-assistant for the end-to-end tests, as a user starts it: the command, in its own process."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import yaml

from tests.support.ports import free_port, rtp_range

STARTED_SECONDS = 240.0


def faults_in(log: str) -> list[str]:
    """The lines of an Asterisk's log in which it finds its own memory broken ("FRACK"), or a lock held by nobody."""
    return [line for line in log.splitlines() if "FRACK" in line or "Failed assertion" in line]


class RunningServer:
    """One server, its Asterisk, its API."""

    def __init__(self, folder: Path, assistants: dict[str, Any], **settings: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.sip_port = free_port()
        self.api_port = free_port()
        first, last = rtp_range()
        file = folder / "assistants.yaml"
        file.write_text(yaml.safe_dump(assistants))
        self.environment = {
            "ARI_ASSISTANT_SIP_HOST": "127.0.0.1",
            "ARI_ASSISTANT_SIP_PORT": str(self.sip_port),
            "ARI_ASSISTANT_API_PORT": str(self.api_port),
            "ARI_ASSISTANT_ARI_PORT": str(free_port()),
            "ARI_ASSISTANT_RTP_PORTS": f"{first}-{last}",
            "ARI_ASSISTANT_DATA_DIR": str(folder / "data"),
            "ARI_ASSISTANT_ASSISTANTS_FILE": str(file),
            "ARI_ASSISTANT_LOG_JSON": "true",
            "ARI_ASSISTANT_PIPER_NOISE": "0",  # what is recognised in one run is recognised in every run
            **{f"ARI_ASSISTANT_{name.upper()}": value for name, value in settings.items()},
        }
        self.out = folder / "out.log"
        self.log = folder / "err.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._stalls_told = 0
        self._users = itertools.count(1)

    # -- the process ----------------------------------------------------------------------------------------

    def start(self, *, stderr: int | None = None) -> None:
        """Start it and wait for its `Dial sip:` line (`Ready:` where the Asterisk is another's). `stderr`: a file
        descriptor instead of `log`."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("ARI_ASSISTANT_")}
        with self.out.open("wb") as out, self.log.open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ari_assistant", "run"],
                cwd=self.folder,
                env={**inherited, **self.environment},
                stdout=out,
                stderr=err if stderr is None else stderr,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTED_SECONDS
        while not re.search(r"^(Dial sip:|Ready: )", self.out.read_text(), re.M):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM, as an operator would; returns the exit status."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(40)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive, f"processes left behind: {alive}"
        self.assert_loop_never_stood()
        return status

    def assert_loop_never_stood(self) -> None:
        """Since it was asked last, the server's event loop did not stand for more than 50 ms.

        Beside other servers on the same cores, a thread that holds the interpreter's lock may itself wait for a CPU;
        the loop then stands in `select`, and no code of ours is what it stands at. Those tests do not count that; the
        ones that run alone do.
        """
        stalls = self.logged("loop_stood")
        new, self._stalls_told = stalls[self._stalls_told :], len(stalls)
        if "PYTEST_XDIST_WORKER" in os.environ:
            new = [stall for stall in new if not (stall["where"] and stall["where"][0].endswith(" select"))]
        assert not new, "the event loop stood:\n" + "\n".join(f"{s['ms']} ms: {s['where']}" for s in new)

    @property
    def asterisk_pid(self) -> int:
        """Of the Asterisk that runs now."""
        return int((self.folder / "data/asterisk/run/asterisk.pid").read_text())

    def engine(self, name: str) -> psutil.Process:
        """The process of a speech engine."""
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if name in child.cmdline():
                return child
        raise AssertionError(f"no process of {name}")

    def asterisk_faults(self) -> list[str]:
        """What Asterisk's logs say of memory that was used after it was freed."""
        logs = self.folder / "data/asterisk/log"
        return faults_in("".join((logs / name).read_text(errors="replace") for name in ("console", "messages")))

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        lines = []
        for line in self.log.read_text().splitlines():
            try:
                data = json.loads(line)
            except ValueError:
                continue
            if data.get("event") == event:
                lines.append(data)
        return lines

    # -- SIP, the API, ARI ----------------------------------------------------------------------------------

    def uri(self, user: str) -> str:
        """What to dial."""
        return f"sip:{user}@127.0.0.1:{self.sip_port}"

    @property
    def key(self) -> str:
        """The API key that the first start generated."""
        return (self.folder / "data/api-key").read_text().strip()

    async def api(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> tuple[int, Any]:
        """One request to the API: status and parsed JSON."""
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"http://127.0.0.1:{self.api_port}{path}", json=body) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def created(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST, and the resource that was made."""
        status, resource = await self.api("POST", path, body)
        assert status == 201, resource
        return dict(resource)

    async def new_number(self, assistant: dict[str, Any] | None = None, **more: Any) -> str:
        """A new number, with a new assistant where one is given; returns its user."""
        user = f"user{next(self._users)}"
        if assistant is not None:
            more["assistantId"] = (await self.created("/assistant", assistant))["id"]
        await self.created("/phone-number", {"provider": "vapi", "sipUri": f"sip:{user}@localhost", **more})
        return user

    async def ari(self, path: str) -> Any:
        """Ask Asterisk behind the server's back."""
        async with self._ari_request("GET", path) as response:
            return await response.json()

    async def ari_delete(self, path: str) -> None:
        """Take something away from Asterisk behind the server's back."""
        async with self._ari_request("DELETE", path) as response:
            assert response.status == 204

    async def ari_post(self, path: str) -> None:
        """Make something in Asterisk behind the server's back."""
        async with self._ari_request("POST", path) as response:
            assert response.status == 200, await response.text()

    @property
    def ari_url(self) -> str:
        """Of the Asterisk that this server started."""
        port = re.search(r"bindport = (\d+)", (self.folder / "data/asterisk/etc/http.conf").read_text())
        assert port is not None
        return f"http://127.0.0.1:{port[1]}"

    @property
    def ari_password(self) -> str:
        """Of the same."""
        password = re.search(r"password = (\S+)", (self.folder / "data/asterisk/etc/ari.conf").read_text())
        assert password is not None
        return password[1]

    @asynccontextmanager
    async def _ari_request(self, method: str, path: str) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        headers = {"Authorization": aiohttp.encode_basic_auth("ari-assistant", self.ari_password)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.ari_url}/ari/{path}") as response,
        ):
            yield response

    async def calls_to(self, user: str) -> int:
        """How many calls this number has had."""
        _, calls = await self.api("GET", "/call?limit=1000")
        return len([call for call in calls if _dialled(call).startswith(f"sip:{user}@")])

    async def ended_call(self, user: str, *, number: int = 0) -> dict[str, Any]:
        """The record of the newest ended call to `user` (or an earlier one), once it is stored."""
        for _ in range(200):
            _, calls = await self.api("GET", "/call?limit=200")
            found = [call for call in calls if _dialled(call).startswith(f"sip:{user}@")]
            if len(found) > number and found[number]["status"] == "ended":
                return dict(found[number])
            await asyncio.sleep(0.05)
        raise AssertionError(f"no ended call to {user}")

    async def assert_clean(self) -> None:
        """No channel and no bridge is left in Asterisk."""
        channels: Any = None
        bridges: Any = None
        for _ in range(100):
            channels, bridges = await self.ari("channels"), await self.ari("bridges")
            if not channels and not bridges:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"left behind in Asterisk: {channels} {bridges}")


def _dialled(call: dict[str, Any]) -> str:
    """The Request-URI of an inbound call, else what was dialled."""
    sip = (call.get("phoneCallProviderDetails") or {}).get("sip")
    return str(sip["uri"] if sip else call["customer"].get("sipUri"))
