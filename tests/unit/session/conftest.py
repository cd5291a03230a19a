"""Tools at work."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import pytest

from ari_assistant.webhooks.sender import WebhookSender
from tests.support.webhook import webhook_server
from tests.unit.session.tool_bench import Bench


@pytest.fixture
async def bench() -> AsyncGenerator[Bench, None]:
    async with webhook_server() as webhook, aiohttp.ClientSession() as session:
        yield Bench(WebhookSender(session), webhook)
