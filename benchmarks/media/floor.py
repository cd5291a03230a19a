"""The floor: a bare ExternalMedia echo, as short as it can be written. No voice activity, no recording, no pacing.

`python -m benchmarks.media.floor ARI_URL USER PASSWORD APP`
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast

import aiohttp


class Echo(asyncio.DatagramProtocol):
    """Sends every packet back to where it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


async def main(base: str, user: str, password: str, app: str) -> None:
    """Answer every call until killed."""
    loop, started, calls = asyncio.get_running_loop(), dict[str, asyncio.Event](), dict[str, Any]()
    headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:

        async def post(path: str, **parameters: str) -> Any:
            async with session.post(f"{base}/{path}", params=parameters) as response:
                return await response.json() if response.status == 200 else None

        async def serve(channel: str) -> None:
            transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
            calls[channel] = transport
            host = "{}:{}".format(*transport.get_extra_info("sockname"))
            started[f"em-{channel}"] = asyncio.Event()
            await post("bridges", type="mixing", bridgeId=f"br-{channel}")
            media = await post(
                "channels/externalMedia", app=app, channelId=f"em-{channel}", external_host=host, format="ulaw"
            )
            # One packet ahead of the first: without it some calls stay silent for ever.
            ahead = bytes([0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]) + b"\xff" * 160
            transport.sendto(ahead, ("127.0.0.1", int(media["channelvars"]["UNICASTRTP_LOCAL_PORT"])))
            await post(f"channels/{channel}/answer")
            await started.pop(f"em-{channel}").wait()
            await post(f"bridges/br-{channel}/addChannel", channel=f"{channel},em-{channel}")

        async with session.ws_connect(f"{base}/events", params={"app": app}) as events:
            async for message in events:
                event = message.json()
                channel = (event.get("channel") or {}).get("id", "")
                if event["type"] == "StasisStart" and channel in started:
                    started[channel].set()
                elif event["type"] == "StasisStart":
                    group.create_task(serve(channel))
                elif event["type"] == "StasisEnd" and channel in calls:
                    calls.pop(channel).close()
                    for path in (f"channels/em-{channel}", f"bridges/br-{channel}"):
                        group.create_task(session.delete(f"{base}/{path}"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
