"""Keeps our Asterisk running."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil

from ari_assistant.asterisk.obtain import AsteriskBinary, AsteriskFault
from ari_assistant.supervision import Backoff, Supervisor, ended
from ari_assistant.telemetry import get_logger

__all__ = ["AsteriskProcess", "stop"]

log = get_logger("asterisk")

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


async def stop(process: asyncio.subprocess.Process) -> None:
    """Stop an Asterisk, gently first. Harmless when it has ended."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await ended(process, within_seconds=_STOP_SECONDS)


class AsteriskProcess:
    """One Asterisk in the foreground of ours (`supervision`)."""

    def __init__(
        self,
        binary: AsteriskBinary,
        conf: Path,
        *,
        ping_url: str,
        authorization: str,
    ) -> None:
        """`conf` is the instance's `asterisk.conf`; `ping_url` answers once Asterisk is up."""
        self._binary = binary
        self._conf = conf
        self._instance = conf.parent.parent
        self._ping_url = ping_url
        self._authorization = authorization
        self._supervisor = Supervisor(Backoff(good_seconds=0.0, after_good_seconds=0.0, first_seconds=0.2))
        """One that has answered is started again at once: there are calls."""

    async def start(self) -> asyncio.subprocess.Process:
        """Start it and wait until it answers. Raises AsteriskFault with the end of its log."""
        await self._end_left_over()
        command = [*self._binary.command, "-f", "-C", str(self._conf)]
        if (setpriv := shutil.which("setpriv")) is not None:  # if we are killed it goes with us
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with (self._instance / "log" / "console").open("ab") as console:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in order
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._wait_for_ping(process)
        except BaseException as fault:
            await stop(process)
            if isinstance(fault, TimeoutError):
                raise AsteriskFault(
                    f"Asterisk did not start within {_START_SECONDS:g} seconds:\n{self._log_end()}",
                    cure=f"read {self._instance / 'log'}",
                ) from None
            raise
        log.info("asterisk_started", version=self._binary.version, pid=process.pid)
        return process

    async def run(self, process: asyncio.subprocess.Process) -> None:
        """Watch `process` (which `start` gave) until cancelled, then stop it; start it again when it dies."""
        await self._watch(process)
        await self._supervisor.run(self)

    async def live(self) -> AsteriskFault | None:
        """See `supervision.Child`; returns why it could not be started, if so."""
        try:
            process = await self.start()
        except AsteriskFault as fault:
            return fault
        self._supervisor.up()
        await self._watch(process)
        return None

    def restarting(self, end: AsteriskFault | None, pause: float) -> None:
        """See `supervision.Child`."""
        if end is not None:
            log.error("asterisk_not_started", reason=str(end), again_in_seconds=pause)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        try:
            status = await process.wait()
        finally:
            self._supervisor.down()
            await stop(process)
        log.error("asterisk_died", status=status, log=self._log_end())

    async def _wait_for_ping(self, process: asyncio.subprocess.Process) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": self._authorization}) as session:
            while True:
                if process.returncode is not None:
                    raise AsteriskFault(
                        f"Asterisk ended with status {process.returncode}:\n{self._log_end()}",
                        cure="the lines above say why; is the SIP port free?",
                    )
                try:
                    async with asyncio.timeout(1.0), session.get(self._ping_url) as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, OSError, TimeoutError):
                    pass
                await asyncio.sleep(0.03)

    async def _end_left_over(self) -> None:
        """An Asterisk of this instance that outlived a killed server would hold the ports."""
        pid_file = self._instance / "run" / "asterisk.pid"
        with suppress(OSError, ValueError, psutil.Error):
            pid = int(pid_file.read_text())
            process = psutil.Process(pid)
            if str(self._conf) in process.cmdline() and pid != os.getpid():
                log.warning("asterisk_left_over", pid=pid)
                process.terminate()
                await asyncio.to_thread(process.wait, _STOP_SECONDS)
        for name in ("asterisk.pid", "asterisk.ctl"):
            (self._instance / "run" / name).unlink(missing_ok=True)

    def _log_end(self, lines: int = 8) -> str:
        text = ""
        for name in ("console", "messages"):
            with suppress(OSError):
                text += (self._instance / "log" / name).read_text(errors="replace")[-4000:]
        return "\n".join(text.splitlines()[-lines:])
