"""Channels and bridges, in ari-py's vocabulary: `client.channels.externalMedia(...)`, `channel.answer()`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from ari_assistant.ari.errors import AriConflict, AriNotFound, AriRequestError

__all__ = [
    "Applications",
    "AriEndpoints",
    "Bridge",
    "Bridges",
    "Channel",
    "Channels",
    "Configuration",
    "SendRequest",
]

SendRequest = Callable[..., Awaitable[Any]]
"""`await request(method, path, **parameters)`: the parsed JSON of a 2xx, else AriError."""


class Channel:
    """A handle on one channel; making it asks nothing of Asterisk."""

    def __init__(self, request: SendRequest, id_: str) -> None:
        self._request = request
        self.id = id_

    async def answer(self) -> None:
        """Answer it; harmless when repeated."""
        await self._request("POST", f"channels/{self.id}/answer")

    async def ring(self) -> None:
        """Let the caller hear ringing (180)."""
        await self._request("POST", f"channels/{self.id}/ring")

    async def hangup(self, *, reason_code: int | None = None) -> None:
        """Hang it up; one that is gone is hung up already. `reason_code` is a Q.850 cause, which becomes the
        SIP status when the channel was not answered: 1 → 404, 17 → 486, 34 → 503, 21 → 403."""
        parameters = {} if reason_code is None else {"reason_code": str(reason_code)}
        try:
            await self._request("DELETE", f"channels/{self.id}", **parameters)
        except AriNotFound:
            return

    async def redirect(self, endpoint: str) -> None:
        """Send the caller elsewhere: 302 before the answer, REFER after it."""
        await self._request("POST", f"channels/{self.id}/redirect", endpoint=endpoint)

    async def continueInDialplan(self, *, context: str | None = None, extension: str | None = None) -> None:
        """Let it leave the application and go on in the dialplan: at `extension` of `context`, else behind `Stasis()`.
        Raises AriError."""
        place = {"context": context, "extension": extension, "priority": "1"} if context and extension else {}
        await self._request("POST", f"channels/{self.id}/continue", **place)

    async def setChannelVar(self, variable: str, value: str) -> None:
        """Set a channel variable. Raises AriError."""
        await self._request("POST", f"channels/{self.id}/variable", variable=variable, value=value)

    async def sendDTMF(self, dtmf: str, *, between_ms: int = 100, duration_ms: int = 120) -> None:
        """Press keys towards the caller (RFC 4733). Raises AriError."""
        await self._request(
            "POST",
            f"channels/{self.id}/dtmf",
            dtmf=dtmf,
            between=str(between_ms),
            duration=str(duration_ms),
        )

    async def getChannelVar(self, variable: str) -> str:
        """A channel variable or function. Raises AriRequestError (404 or 500) when there is none."""
        reply = await self._request("GET", f"channels/{self.id}/variable", variable=variable)
        return str(reply["value"])

    async def getChannelVars(self, variables: Sequence[str]) -> dict[str, str]:
        """Several at once; one that cannot be read is left out.

        One request where Asterisk has it (20.20, 22.10, 23.4) and all can be read, else one each.
        """
        if not variables:
            return {}
        unique = list(dict.fromkeys(variables))
        try:
            reply = await self._request("GET", f"channels/{self.id}/variables", variables=",".join(unique))
            values = reply["variables"]
            if isinstance(values, dict) and all(name in values for name in unique):
                return {name: str(values[name]) for name in unique}
        except (AriRequestError, KeyError, TypeError):
            pass  # an older Asterisk, or one of them cannot be read: ask one by one

        async def single(name: str) -> tuple[str, str | None]:
            try:
                return name, await self.getChannelVar(name)
            except AriRequestError:
                return name, None

        found = await asyncio.gather(*(single(name) for name in unique))
        return {name: value for name, value in found if value is not None}


class Channels:
    """`client.channels`."""

    def __init__(self, request: SendRequest) -> None:
        self._request = request

    def get(self, channelId: str) -> Channel:
        """A handle on a channel that is known by its id."""
        return Channel(self._request, channelId)

    async def list(self) -> list[dict[str, Any]]:
        """All channels of this Asterisk."""
        reply = await self._request("GET", "channels")
        return list(reply)

    async def originate(
        self,
        *,
        endpoint: str,
        app: str,
        channelId: str,
        appArgs: str = "",
        callerId: str = "",
        timeout_seconds: int = 60,
        variables: Mapping[str, str] | None = None,
        formats: str = "ulaw,alaw",
    ) -> Channel:
        """Dial `endpoint`; the channel enters `app` with `appArgs` when it is answered. Raises AriError when Asterisk
        does not even begin."""
        await self._request(
            "POST",
            f"channels/{channelId}",
            endpoint=endpoint,
            app=app,
            appArgs=appArgs,
            callerId=callerId,
            timeout=str(timeout_seconds),
            formats=formats,
            json_body={"variables": dict(variables or {})},
        )
        return Channel(self._request, channelId)

    async def externalMedia(
        self,
        *,
        app: str,
        channelId: str,
        external_host: str,
        format: str,
    ) -> tuple[Channel, tuple[str, int]]:
        """Open an RTP channel to `external_host` (`host:port`, bound before this call).

        Returns the channel and the address that Asterisk sends from. The channel can be bridged only after
        its own StasisStart.
        """
        reply = await self._request(
            "POST", "channels/externalMedia",
            app=app, channelId=channelId, external_host=external_host, format=format,
        )  # fmt: skip
        variables = reply.get("channelvars") or {}
        try:
            host = variables["UNICASTRTP_LOCAL_ADDRESS"]
            port = int(variables["UNICASTRTP_LOCAL_PORT"])
        except (KeyError, ValueError) as fault:
            raise AriRequestError("externalMedia", 200, f"no RTP address in the reply: {variables}") from fault
        return Channel(self._request, channelId), (host, port)

    async def externalMediaSocket(self, *, app: str, channelId: str, format: str) -> tuple[Channel, str]:
        """Open a channel of chan_websocket that waits for us to connect (Asterisk 20.16, 22.6 and later).

        Returns the channel and the id of its connection: `ws://…/media/<id>`. Raises AriRequestError where the module
        is missing."""
        reply = await self._request(
            "POST", "channels/externalMedia",
            app=app, channelId=channelId, external_host="INCOMING", transport="websocket", encapsulation="none",
            connection_type="server", format=format,
        )  # fmt: skip
        connection = (reply.get("channelvars") or {}).get("MEDIA_WEBSOCKET_CONNECTION_ID")
        if not connection:
            raise AriRequestError(
                "externalMedia", 200, f"no media connection in the reply: {reply.get('channelvars')}"
            )
        return Channel(self._request, channelId), str(connection)


class Bridge:
    """A handle on one bridge."""

    def __init__(self, request: SendRequest, id_: str) -> None:
        self._request = request
        self.id = id_

    async def addChannel(self, channels: Iterable[str]) -> None:
        """Put channels in. All of them must be in the application, or none is added (AriUnprocessable)."""
        await self._request("POST", f"bridges/{self.id}/addChannel", channel=",".join(channels))

    async def removeChannel(self, channels: Iterable[str]) -> None:
        """Take channels out; they stay in the application."""
        await self._request("POST", f"bridges/{self.id}/removeChannel", channel=",".join(channels))

    async def destroy(self) -> None:
        """Take it down; harmless when it is gone."""
        try:
            await self._request("DELETE", f"bridges/{self.id}")
        except AriNotFound:
            return


class Bridges:
    """`client.bridges`."""

    def __init__(self, request: SendRequest) -> None:
        self._request = request

    def get(self, bridgeId: str) -> Bridge:
        """A handle on a bridge that is known by its id."""
        return Bridge(self._request, bridgeId)

    async def create(self, *, bridgeId: str, type: str = "mixing") -> Bridge:
        """Make a bridge with an id of our choosing."""
        await self._request("POST", "bridges", type=type, bridgeId=bridgeId)
        return Bridge(self._request, bridgeId)

    async def list(self) -> list[dict[str, Any]]:
        """All bridges of this Asterisk."""
        reply = await self._request("GET", "bridges")
        return list(reply)


class AriEndpoints:
    """`client.endpoints`."""

    def __init__(self, request: SendRequest) -> None:
        self._request = request

    async def list(self, tech: str) -> list[dict[str, Any]]:
        """The endpoints of a technology. Raises AriRequestError where Asterisk has not loaded `res_ari_endpoints`."""
        reply = await self._request("GET", f"endpoints/{tech}")
        return list(reply)


class Configuration:
    """`PUT /asterisk/config/dynamic`: objects of a sorcery that can be written."""

    def __init__(self, request: SendRequest) -> None:
        self._request = request

    async def put(self, config_class: str, object_type: str, id_: str, fields: Mapping[str, str]) -> None:
        """Create or change one. Raises AriRequestError when the type cannot be written, or a field is wrong."""
        body = {"fields": [{"attribute": key, "value": value} for key, value in fields.items()]}
        await self._request("PUT", f"asterisk/config/dynamic/{config_class}/{object_type}/{id_}", json_body=body)

    async def delete(self, config_class: str, object_type: str, id_: str) -> None:
        """Remove one; harmless when it is gone."""
        try:
            await self._request("DELETE", f"asterisk/config/dynamic/{config_class}/{object_type}/{id_}")
        except AriNotFound:
            return


class Applications:
    """`client.applications`."""

    def __init__(self, request: SendRequest) -> None:
        self._request = request

    async def subscribe(self, applicationName: str, eventSource: str) -> None:
        """Have the events of `channel:<id>`, … also when it is not in the application. Raises AriError."""
        await self._request("POST", f"applications/{applicationName}/subscription", eventSource=eventSource)

    async def get(self, applicationName: str) -> dict[str, Any]:
        """The application: `channel_ids`, `bridge_ids`. Empty when Asterisk does not know it (any more)."""
        try:
            reply = await self._request("GET", f"applications/{applicationName}")
        except (AriNotFound, AriConflict):
            return {}
        return dict(reply)
