"""Our own description: true to what the server does (schemathesis), and readable."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ari_assistant.api.app import build_app
from ari_assistant.store.database import migrate, open_database
from tests.support.api import api_context
from tests.support.serving import served

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@asynccontextmanager
async def api(folder: Path) -> AsyncGenerator[str, None]:
    """The API alone, without an Asterisk, on a real socket."""
    url = f"sqlite:///{folder / 'api.db'}"
    await migrate(url)
    engine = open_database(url)
    context = api_context(engine, folder)
    try:
        async with served(build_app(context)) as base:
            yield base
    finally:
        await engine.dispose()


@pytest.mark.timeout(300)
async def test_no_request_that_the_description_allows_or_forbids_breaks_the_server(tmp_path: Path) -> None:
    async with api(tmp_path) as base:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json"),
            *(
                "--header",
                "Authorization: Bearer key",
                "--checks",
                CHECKS,
                "--phases",
                "examples,coverage,fuzzing",
            ),
            *("--max-examples", "8", "--seed", "1", "--generation-database", "none", "--max-time", "100"),
            *("--suppress-health-check", "all"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 280)
    assert process.returncode == 0, out.decode()[-6000:]


async def test_every_endpoint_is_described_and_the_page_shows_it(tmp_path: Path) -> None:
    async with api(tmp_path) as base, aiohttp.ClientSession() as session:
        async with session.get(f"{base}/openapi.json") as answer:
            document: dict[str, Any] = await answer.json()
        async with session.get(f"{base}/docs") as answer:
            page = await answer.text()
            assert answer.content_type == "text/html"
        for path, operations in document["paths"].items():
            assert path in page
            for method, operation in operations.items():
                assert operation["summary"], f"{method} {path}"
                if "security" in operation:
                    url = base + path.replace("{id}", "x")
                    async with session.request(method, url) as answer:
                        assert answer.status == 401, f"{method} {path} needs no key"
    assert document["openapi"].startswith("3.1")
    assert "<script" not in page
