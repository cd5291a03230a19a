"""Callers by the thousand who hang up while it rings: INVITE, and CANCEL a few milliseconds later."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from contextlib import suppress

__all__ = ["cancel_storm"]

_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
_HEADERS = b"X-Name: Ann\r\nX-Account: 4711\r\nUser-Agent: storm\r\nContent-Type: application/sdp\r\n"


class _Callers(asyncio.DatagramProtocol):
    """All of them, behind one socket."""

    def __init__(self, user: str, port: int) -> None:
        self._to = f"sip:{user}@127.0.0.1:{port}"
        self._transport: asyncio.DatagramTransport | None = None
        self.finals: dict[str, int] = {}
        """Call → the final response to its INVITE."""
        self._trying: dict[str, asyncio.Event] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self, method: str, call: str, *, to_tag: str = "", number: int = 1, body: bytes = b"") -> None:
        """One request of one call. CANCEL and the ACK of a refusal belong to the INVITE's transaction."""
        assert self._transport is not None
        own = self._transport.get_extra_info("sockname")[1]
        own_transaction = method in ("BYE", "ACK2xx")
        branch = f"{call}-{method}" if own_transaction else call
        method = method.removesuffix("2xx")
        lines = (
            f"{method} {self._to} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z9hG4bK{branch}",
            "Max-Forwards: 70",
            f"From: <sip:storm@127.0.0.1>;tag={call}",
            f"To: <{self._to}>{to_tag}",
            f"Call-ID: {call}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:storm@127.0.0.1:{own}>",
        )
        head = "\r\n".join(lines).encode() + b"\r\n" + (_HEADERS if body else b"")
        self._transport.sendto(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    async def give_up(self, call: str, seconds: float) -> None:
        """Call, and hang up after `seconds`, at the first provisional response at the earliest (RFC 3261 §9.1)."""
        trying = self._trying[call] = asyncio.Event()
        self.send("INVITE", call, body=_SDP)
        await asyncio.sleep(seconds)
        with suppress(TimeoutError):
            await asyncio.wait_for(trying.wait(), 4)
        self.send("CANCEL", call)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        found = re.match(rb"SIP/2\.0 (\d\d\d)", data)
        ids = re.search(rb"^Call-ID:\s*(\S+)", data, re.M)
        if found is None or ids is None or re.search(rb"^CSeq:\s*1 INVITE", data, re.M) is None:
            return
        status, call = int(found[1]), ids[1].decode()
        self._trying[call].set()
        if status < 200:
            return
        self.finals[call] = status
        tag = re.search(rb"^To:[^\r]*(;tag=[^\s;]+)", data, re.M)
        to_tag = tag[1].decode() if tag is not None else ""
        if status < 300:  # the answer was quicker
            self.send("ACK2xx", call, to_tag=to_tag)
            self.send("BYE", call, to_tag=to_tag, number=2)
        else:
            self.send("ACK", call, to_tag=to_tag)


async def cancel_storm(
    user: str, port: int, *, calls: int, per_second: float, longest_ms: float = 50.0, seed: int = 1
) -> Counter[int]:
    """Call `user` so often, and hang up after 0 to `longest_ms`. Returns final status → number of calls."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    transport, callers = await loop.create_datagram_endpoint(
        lambda: _Callers(user, port), remote_addr=("127.0.0.1", port)
    )

    began = loop.time()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(calls):
                await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
                call = f"storm{seed}-{number}-{port}"
                group.create_task(callers.give_up(call, chance.uniform(0, longest_ms) / 1000))
        for _ in range(100):
            if len(callers.finals) >= calls:
                break
            await asyncio.sleep(0.05)
    finally:
        transport.close()
    return Counter(callers.finals.values())
