"""Where secrets, signatures and messages go when a server redirects: nowhere but to the configured address."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from ari_assistant.assistants.model_providers import ChatEndpoint, ModelChoice
from ari_assistant.assistants.provider_access import ProviderAccess
from ari_assistant.providers.custom import CustomTranscriber
from ari_assistant.providers.deepgram import DeepgramTranscriber, deepgram_voice
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import ChatMessage, ModelRequest
from ari_assistant.providers.openai_audio import OpenAITranscriber, openai_voice
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.credential import BearerPlan
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.transcriber import Transcriber
from ari_assistant.vapi.voice import Voice
from ari_assistant.webhooks.redirects import RedirectRefused, followed, stays_at_its_origin
from ari_assistant.webhooks.sender import WebhookFailed, WebhookSender
from ari_assistant.webhooks.url_policy import UrlPolicy, guarded_session
from tests.support.serving import served

MESSAGE = {"message": {"type": "assistant-request"}}
Client = Callable[[str, aiohttp.ClientSession], Awaitable[object]]


class Places:
    """A configured server that redirects each first request, and another one."""

    def __init__(self) -> None:
        self.configured = self.elsewhere = ""
        self.location = ""
        self.status = 307
        self.asked: list[str] = []
        """The paths that the configured server was asked for."""
        self.seen_elsewhere: list[str] = []

    async def redirect(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path == "/moved":
            return web.json_response({"ok": True})
        return web.Response(status=self.status, headers={"Location": self.location})

    async def see(self, request: web.Request) -> web.StreamResponse:
        self.seen_elsewhere.append(f"{request.headers} {await request.text()}")
        return web.json_response({})


@asynccontextmanager
async def two_places() -> AsyncGenerator[Places, None]:
    places = Places()
    first, second = web.Application(), web.Application()
    first.router.add_route("*", "/{path:.*}", places.redirect)
    second.router.add_route("*", "/{path:.*}", places.see)
    async with served(first) as places.configured, served(second) as places.elsewhere:
        places.location = f"{places.elsewhere}/x"
        yield places


async def bearer(_: str) -> BearerPlan:
    return BearerPlan(type="bearer", token="t")


async def webhook(url: str, session: aiohttp.ClientSession) -> object:
    server = Server(url=url, secret="s", headers={"X-Own": "h"}, credential_id="c")
    return await WebhookSender(session, find_credential=bearer).post(server, MESSAGE, call_id="c")


async def api_request(url: str, session: aiohttp.ClientSession) -> object:
    server = Server(url=url, headers={"X-Own": "h"}, credential_id="c")
    sender = WebhookSender(session, find_credential=bearer)
    status, _ = await sender.request(server, "POST", {"a": 1}, call_id="c")
    if status != 200:
        raise WebhookFailed(f"status {status}")
    return status


async def custom_transcriber(url: str, session: aiohttp.ClientSession) -> None:
    await CustomTranscriber(session, url=url, headers={"X-Vapi-Secret": "s"}).run()


async def deepgram_transcriber(url: str, session: aiohttp.ClientSession) -> None:
    wanted = Transcriber(provider="deepgram")
    await DeepgramTranscriber(session, url=url, key="k", transcriber=wanted).run()


async def openai_transcriber(url: str, session: aiohttp.ClientSession) -> object:
    return await OpenAITranscriber(session, url=url, key="k").transcribe(np.zeros(80, np.int16))


def voice(make: Callable[..., Any]) -> Client:
    async def speak(url: str, session: aiohttp.ClientSession) -> object:
        made = make(session, url=url, key="k", voice=Voice(provider="x"))
        return [pcm async for pcm in made.synthesize("Hello.")]

    return speak


async def model(url: str, _: aiohttp.ClientSession) -> object:
    models = ModelChoice(ChatEndpoint(), UrlPolicy())
    given = {"provider": "custom-llm", "url": url, "model": "m", "headers": {"X-Own": "h"}}
    chosen = models.remote(Assistant.model_validate({"model": given}), ProviderAccess({"custom-llm": "k"}))
    assert chosen is not None
    try:
        return [event async for event in chosen.reply(ModelRequest([ChatMessage("user", "Hello?")]))]
    finally:
        await models.aclose()


async def owners_model(url: str, _: aiohttp.ClientSession) -> object:
    models = ModelChoice(ChatEndpoint(url=url, api_key="k"), UrlPolicy())
    chosen = models.remote(Assistant(), ProviderAccess())
    assert chosen is not None
    try:
        return [event async for event in chosen.reply(ModelRequest([ChatMessage("user", "Hello?")]))]
    finally:
        await models.aclose()


CLIENTS: list[Client] = [
    webhook, api_request, custom_transcriber, deepgram_transcriber, openai_transcriber,
    voice(openai_voice), voice(deepgram_voice), model, owners_model,
]  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__qualname__.split(".")[0])
async def test_no_client_follows_a_redirect_to_another_host(client: Client, status: int) -> None:
    async with two_places() as places, guarded_session(UrlPolicy()) as session:
        places.status = status
        with pytest.raises((WebhookFailed, ProviderError)):
            await client(places.configured, session)
        assert places.asked
        assert places.seen_elsewhere == []


async def test_a_redirect_within_the_configured_address_is_followed() -> None:
    async with two_places() as places, guarded_session(UrlPolicy()) as session:
        places.location = "/moved"
        assert await webhook(f"{places.configured}/hook", session) == {"ok": True}
        assert places.asked == ["/hook", "/moved"]


async def test_the_fault_names_the_address_that_ought_to_be_configured() -> None:
    async with two_places() as places, guarded_session(UrlPolicy()) as session:
        with pytest.raises(WebhookFailed, match=places.location):
            await webhook(places.configured, session)


async def test_a_download_carries_nothing_and_may_be_sent_elsewhere() -> None:
    async with two_places() as places, guarded_session(UrlPolicy()) as session:
        places.status = 302
        assert await WebhookSender(session).download(places.configured) == b"{}"
        assert len(places.seen_elsewhere) == 1


async def test_the_session_for_vendors_is_checked_too() -> None:
    async with two_places() as places, aiohttp.ClientSession(trace_configs=[stays_at_its_origin()]) as session:
        with pytest.raises(RedirectRefused):
            await session.get(places.configured)
        assert places.seen_elsewhere == []


@pytest.mark.parametrize(
    ("url", "location", "stays"),
    [
        ("http://h/a", "/b", True),
        ("http://h/a", "b?c=d", True),
        ("http://h/a", "http://H:80/b", True),
        ("http://h/a", "https://h/a", True),
        ("https://h/a", "https://h:443/b", True),
        ("https://h/a", "http://h/a", False),
        ("http://h:8080/a", "https://h/a", False),
        ("http://h/a", "https://h:8443/a", False),
        ("http://h/a", "http://h:8080/a", False),
        ("http://h/a", "http://www.h/a", False),
        ("http://h/a", "//evil/a", False),
        ("http://h/a", "http://h@evil/a", False),
        ("http://h/a", "http://h\\@evil/a", False),
        ("http://h/a", "file:///etc/passwd", False),
        ("http://h/a", "http://[", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, location: str, stays: bool) -> None:
    if stays:
        followed(url, location)
    else:
        with pytest.raises(RedirectRefused):
            followed(url, location)
