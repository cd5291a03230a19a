"""A SIP caller whose every byte the test chooses: for INVITEs that no well-behaved phone would send."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

_calls = itertools.count(1)


class RawCall(asyncio.DatagramProtocol):
    """One call. `status` is the final response's."""

    def __init__(self) -> None:
        self.responses: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None
        self.status = 0
        self.media_port = 0
        """Where the far end wants RTP."""
        self.last = b""
        """The final response, whole."""
        self.acknowledge: Callable[[], None] = lambda: None
        self.request: Callable[[str, int, bytes, bytes], bytes] = lambda *_: b""
        """`request(method, cseq, headers, body)`: a request within the dialog."""
        self.acknowledge_again: Callable[[int], None] = lambda _: None
        """`acknowledge_again(cseq)`: of a further INVITE's 200."""
        self.challenge = ""
        """`WWW-Authenticate` of a 401."""
        self.to_tag = ""
        """`;tag=…` of the far end, once it has answered."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.responses.put_nowait(data)

    def send(self, data: bytes) -> None:
        """One datagram to Asterisk."""
        assert self.transport is not None
        self.transport.sendto(data)

    async def received(self, method: bytes, *, timeout: float = 15) -> bytes:
        """The next request of a method, whole. What comes before it is dropped."""
        async with asyncio.timeout(timeout):
            while not (request := await self.responses.get()).startswith(method):
                pass
        return request

    def answer(self, request: bytes, status: bytes) -> None:
        """Answer a request from the far end: `b"202 Accepted"`."""
        kept = [line for line in request.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        self.send(b"SIP/2.0 " + status + b"\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n")

    async def final(self, *, timeout: float = 15) -> int:
        """The status of the final response, 0 when there is none in time."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    response = await self.responses.get()
                    match = re.match(rb"SIP/2\.0 (\d+)", response)
                    if match is not None and int(match[1]) >= 200:
                        self.status = int(match[1])
                        self.last = response
                        tag = re.search(rb"^To:[^\r]*(;tag=[^\s;]+)", response, re.M)
                        self.to_tag = tag[1].decode() if tag is not None else ""
                        asked = re.search(rb"^WWW-Authenticate:\s*([^\r]*)", response, re.M | re.I)
                        self.challenge = asked[1].decode() if asked is not None else ""
                        media = re.search(rb"^m=audio (\d+)", response, re.M)
                        self.media_port = int(media[1]) if media is not None else 0
                        return self.status
        except TimeoutError:
            return 0


@asynccontextmanager
async def raw_call(
    user: str, port: int, headers: bytes = b"", *, body_type: bytes = b"application/sdp", sdp: bytes | None = None
) -> AsyncGenerator[RawCall, None]:
    """Send an INVITE with `headers` (whole lines with CRLF), and BYE at the end when it was answered."""
    loop = asyncio.get_running_loop()
    transport, call = await loop.create_datagram_endpoint(RawCall, remote_addr=("127.0.0.1", port))
    own = transport.get_extra_info("sockname")[1]
    tag = f"raw{next(_calls)}-{own}"
    body = (
        sdp
        if sdp is not None
        else (
            b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
        )
    )

    def request(method: str, number: int, to_tag: str = "", extra: bytes = b"", content: bytes = b"") -> bytes:
        lines = [
            f"{method} sip:{user}@127.0.0.1:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z9hG4bK-{tag}-{number}-{method}",
            "Max-Forwards: 70",
            f"From: <sip:raw@127.0.0.1>;tag={tag}",
            f"To: <sip:{user}@127.0.0.1>{to_tag}",
            f"Call-ID: {tag}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:raw@127.0.0.1:{own}>",
        ]
        head = "\r\n".join(lines).encode() + b"\r\n" + extra
        return head + b"Content-Length: %d\r\n\r\n" % len(content) + content

    call.acknowledge = lambda: call.send(request("ACK", 1, call.to_tag))
    call.request = lambda method, cseq, extra, content: request(method, cseq, call.to_tag, extra, content)
    call.acknowledge_again = lambda cseq: call.send(request("ACK", cseq, call.to_tag))
    call.send(request("INVITE", 1, extra=headers + b"Content-Type: " + body_type + b"\r\n", content=body))
    try:
        yield call
    finally:
        if call.status == 200:
            call.acknowledge()
            call.send(request("BYE", 9, call.to_tag))
            await call.final(timeout=1)
        transport.close()
        await asyncio.sleep(0)


def digest(challenge: str, user: str, password: str, uri: str) -> str:
    """An Authorization header (RFC 2617 §3.2.2, MD5, qop=auth)."""
    fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()  # noqa: S324 - it is what SIP uses

    first = md5(f"{user}:{fields['realm']}:{password}")
    answer = md5(f"{first}:{fields['nonce']}:00000001:c:auth:{md5(f'INVITE:{uri}')}")
    opaque = f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
    return (
        f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}",'
        f' response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"{opaque}'
    )


class _Refuses(asyncio.DatagramProtocol):
    """Answers every INVITE with one status."""

    def __init__(self, status: bytes) -> None:
        self.status = status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"INVITE"):
            return
        kept = [line for line in data.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq):", line)]
        kept = [line + b";tag=x" if line.startswith(b"To:") else line for line in kept]
        answer = b"SIP/2.0 " + self.status + b"\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n"
        self.transport.sendto(answer, addr)


@asynccontextmanager
async def refusing_phone(status: bytes) -> AsyncGenerator[str, None]:
    """A SIP phone that answers every INVITE with one status (`b"486 Busy Here"`, further header lines may follow); its
    URI."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Refuses(status), local_addr=("127.0.0.1", 0))
    try:
        yield f"sip:bob@127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


def forwarding_phone(to: str) -> AbstractAsyncContextManager[str]:
    """A SIP phone that says it is elsewhere (302); its URI."""
    return refusing_phone(f"302 Moved Temporarily\r\nContact: <{to}>".encode())
