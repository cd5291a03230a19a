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
from ari_assistant.telemetry import get_logger

__all__ = ["AsteriskProcess"]

log = get_logger("asterisk")

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0


class AsteriskProcess:
    """One Asterisk in the foreground of ours. `run` starts it again when it dies, and stops it at the end."""

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
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, or None while there is none."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises AsteriskFault with the end of its log."""
        await self._end_left_over()
        command = [*self._binary.command, "-f", "-C", str(self._conf)]
        if (setpriv := shutil.which("setpriv")) is not None:  # if we are killed it goes with us
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with (self._instance / "log" / "console").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,  # a Ctrl-C in the terminal is ours to handle, in order
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._wait_for_ping(self._process)
        except TimeoutError:
            await self.stop()
            raise AsteriskFault(
                f"Asterisk did not start within {_START_SECONDS:g} seconds:\n{self._log_end()}",
                cure=f"read {self._instance / 'log'}",
            ) from None
        log.info("asterisk_started", version=self._binary.version, pid=self._process.pid)

    async def run(self) -> None:
        """Watch it until cancelled, then stop it. `start` must have been awaited."""
        try:
            while True:
                assert self._process is not None
                status = await self._process.wait()
                self._process = None
                log.error("asterisk_died", status=status, log=self._log_end())
                await self._start_again()
        finally:
            await self.stop()

    async def _start_again(self) -> None:
        pause = 0.2
        while True:
            try:
                await self.start()
                return
            except AsteriskFault as fault:
                log.error("asterisk_not_started", reason=str(fault), again_in_seconds=pause)
                await asyncio.sleep(pause)
                pause = min(10.0, pause * 2)

    async def stop(self) -> None:
        """Stop it, gently first. Harmless when repeated."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

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
