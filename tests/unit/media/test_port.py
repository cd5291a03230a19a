from __future__ import annotations

import asyncio
import socket

from ari_assistant.media.port import MediaPort
from ari_assistant.media.rtp import RtpPacket

GOOD = RtpPacket(0, 1, 2, 3, bytes(160)).serialize()


async def test_only_packets_of_the_expected_source_and_type_are_taken() -> None:
    taken: list[RtpPacket] = []
    port = await MediaPort.open(lambda packet, _: taken.append(packet), host="127.0.0.1", payload_type=0)
    host, number = port.address.rsplit(":", 1)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asterisk,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        asterisk.bind(("127.0.0.1", 0))
        asterisk.sendto(GOOD, (host, int(number)))  # before anyone is expected
        await asyncio.sleep(0.01)
        port.expect(*asterisk.getsockname())
        stranger.sendto(GOOD, (host, int(number)))
        for data in (GOOD, b"short", b"\0" * 40, GOOD[:1] + bytes([96]) + GOOD[2:]):
            asterisk.sendto(data, (host, int(number)))
        await asyncio.sleep(0.02)
        port.send(b"answer")
        asterisk.settimeout(1)
        assert asterisk.recv(100) == b"answer"
    await port.aclose()
    await port.aclose()
    assert len(taken) == 1
    assert port.counters.unknown_source == 2
    assert port.counters.malformed == 2
    assert port.counters.wrong_payload_type == 1
