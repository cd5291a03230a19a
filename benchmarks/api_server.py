"""The REST API alone over a database, for the load of `benchmarks api`: `python -m benchmarks.api_server URL PORT`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from aiohttp import web

from ari_assistant.api.app import build_app
from ari_assistant.store.database import open_database
from tests.support.api import api_context


async def main(url: str, port: int) -> None:
    """Serve until killed."""
    engine = open_database(url)
    context = api_context(engine, Path(tempfile.gettempdir()))
    runner = web.AppRunner(build_app(context), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
