"""Vapi's official SDKs against a running server, with only the base URL changed (contract §14, check 1)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.raw_sip import raw_call
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.models, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
SDKS = ROOT / ".venv/sdk"
PYTHON_VERSIONS = ("3.0.0", "1.11.1", "0.8.1")


async def program(*command: str, **environment: str) -> dict[str, Any]:
    """Run it; the JSON object that it prints."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()[-3000:]
    found: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return found


async def ended_call(running: RunningServer) -> str:
    """A call that was answered and is over."""
    async with raw_call("banana", running.sip_port) as call:
        assert await call.final() == 200
        call.acknowledge()
        await asyncio.sleep(2.5)
    record = await running.ended_call("banana")
    return str(record["id"])


@pytest.mark.parametrize("version", PYTHON_VERSIONS)
async def test_a_program_for_the_python_sdk_runs_unchanged(running: RunningServer, version: str) -> None:
    path = SDKS / f"python-{version}"
    if not path.is_dir():
        pytest.skip(f"{path} is missing: run scripts/bootstrap dev")
    base = f"http://127.0.0.1:{running.api_port}"
    script = str(ROOT / "tests/contract/sdk_program.py")
    call_id = await ended_call(running)
    result = await program(
        sys.executable, script, base, running.key, running.uri("banana"), call_id, PYTHONPATH=str(path)
    )
    seen = result["seen"]
    newest = version == "3.0.0"
    assert seen["assistant"][0] == "Assistant"
    # The classes' names differ from version to version; each is the vendor's own.
    assert "openai" in seen["assistant"][1].lower()
    assert "labs" in seen["assistant"][2].lower()
    assert "deepgram" in seen["assistant"][3].lower()
    assert seen["assistant.model"] == "gpt-4o"
    assert seen["assistant.get"] == "Hello {{first_name}}, this is the front desk."
    assert seen["assistant.update"] == ["New name", None]
    assert seen["assistant.unknown"]["status"] == 404
    assert seen["assistant.unknown"]["body"]["error"] == "Not Found"
    assert seen["assistant.invalid"] == {
        "status": 400,
        "body": {
            "message": ["name must be shorter than or equal to 40 characters"],
            "error": "Bad Request",
            "statusCode": 400,
        },
    }
    assert "vapi" in seen["number"][0].lower()
    assert seen["number"][1:] == ["vapi", True, True]
    assert "vapi" in seen["number.get"].lower()
    assert seen["number.update"] == [None, "http://127.0.0.1:9/vapi"]
    assert seen["number.taken"]["status"] == 400
    if newest:
        assert seen["number.page"][1:] == [True, 1]
        assert seen["output"][1] == "topic"
        assert seen["output.list"]
        assert seen["output.delete"]
    assert "function" in seen["tool"][0].lower()
    assert seen["tool"][1] == seen["tool.get"] == "book"
    assert seen["squad"] == ["Squad", True]
    assert seen["file"] == ["File", "notes.txt", 10, "done"]
    assert seen["file.update"] == "renamed"
    assert seen["analytics"] == ["AnalyticsQueryResult", "calls", True]
    assert seen["call"] == ["Call", "ended", "inboundPhoneCall", "customer-ended-call"]
    assert seen["call.artifact"] == ["Artifact", True, True]
    assert seen["call.message"] == ["bot"]
    assert seen["call.costs"] == ["model", "transcriber", "transport", "vapi", "voice"]
    assert seen["call.update"] == "Named"
    assert seen["call.create"] == ["queued", "outboundPhoneCall", "Bob"]
    assert seen["call.ended"] == "ended"
    assert seen["call.deleted"]["status"] == 404
    assert seen["call.nobody"]["status"] == 400
    assert seen["wrong key"]["body"]["error"] == "Unauthorized"
    for name in ("assistant.list", "number.list", "tool.list", "file.list", "call.list"):
        assert seen[name], name
    for name in ("tool.delete", "squad.delete", "file.delete", "call.delete", "number.delete", "assistant.delete"):
        assert seen[name], name


async def test_a_program_for_the_typescript_sdk_runs_unchanged(running: RunningServer) -> None:
    node = shutil.which("node")
    if node is None or not (SDKS / "node/node_modules").is_dir():
        pytest.skip("no Node.js, or its SDK is missing: run scripts/bootstrap dev")
    base = f"http://127.0.0.1:{running.api_port}"
    script = str(ROOT / "tests/contract/sdk_program.mjs")
    call_id = await ended_call(running)
    seen = await program(node, script, str(SDKS / "node"), base, running.key, call_id)
    assert seen["assistant"] == ["Desk", "openai"]
    assert seen["get"] == "Hello {{first_name}}."
    assert seen["update"] == ["Other", None]
    assert seen["number"] == ["vapi", True]
    assert seen["patched"] == [None, "http://127.0.0.1:9/vapi"]
    assert seen["tool"] == ["function", "book"]
    assert seen["call"] == ["ended", "inboundPhoneCall", True]
    assert seen["analytics"] == "n"
    assert seen["unknown"]["status"] == 404
    assert seen["invalid"]["body"]["message"] == ["name must be shorter than or equal to 40 characters"]
    assert seen["wrong key"]["status"] == 401
    for name in ("list", "calls", "toolDeleted", "numberDeleted", "assistantDeleted"):
        assert seen[name], name
