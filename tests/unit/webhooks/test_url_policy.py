from __future__ import annotations

import pytest
from aiohttp import web
from yarl import URL

from ari_assistant.vapi.server import Server
from ari_assistant.webhooks.sender import WebhookFailed, WebhookSender
from ari_assistant.webhooks.url_policy import UrlPolicy, UrlRefused, guarded_session
from tests.support.serving import served
from tests.support.webhook import webhook_server

OWN = UrlPolicy(own_ports={8088}, is_this_machine=lambda a: a == "192.0.2.7")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "224.0.0.1",
        "255.255.255.255",
        "2002:a9fe:a9fe::1",
    ],
)
def test_metadata_link_local_and_multicast_addresses_are_never_asked(address: str) -> None:
    with pytest.raises(UrlRefused):
        OWN.check(address, 80)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "192.0.2.7", "::ffff:127.0.0.1"])
def test_our_own_ports_are_refused_on_every_address_of_this_machine(address: str) -> None:
    with pytest.raises(UrlRefused, match="server itself"):
        OWN.check(address, 8088)
    OWN.check(address, 9000)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "127.0.0.1", "fd00::1", "100.64.0.1"])
def test_private_addresses_are_allowed_but_in_strict_mode(address: str) -> None:
    OWN.check(address, 80)
    with pytest.raises(UrlRefused):
        UrlPolicy(strict=True).check(address, 80)


def test_strict_mode_lets_public_addresses_through() -> None:
    UrlPolicy(strict=True).check("93.184.216.34", 443)


async def test_a_name_a_literal_and_a_redirect_are_checked_when_the_connection_is_opened() -> None:
    async def redirects(_: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"http://localhost:{port}/vapi")

    app = web.Application()
    app.router.add_get("/", redirects)
    async with served(app) as first, webhook_server() as forbidden:
        port = URL(forbidden.url).port
        policy = UrlPolicy(own_ports={port or 0}, is_this_machine=lambda _: True)
        async with guarded_session(policy) as session:
            sender = WebhookSender(session)
            for url in (forbidden.url, f"http://localhost:{port}/vapi"):
                with pytest.raises(WebhookFailed, match="server itself"):
                    await sender.post(Server(url=url), {"message": {"type": "assistant-request"}}, call_id="c")
            with pytest.raises(WebhookFailed, match="server itself"):
                await sender.download(first)
        assert forbidden.requests == []
