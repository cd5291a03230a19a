from __future__ import annotations

import pytest

from ari_assistant.media.rtp.packet import MalformedPacket, RtpPacket, sequence_delta

PLAIN = bytes.fromhex("80 00 0001 00000002 00000003") + b"\xff" * 160


def test_a_packet_parses_and_serializes_to_the_same_bytes() -> None:
    packet = RtpPacket.parse(PLAIN)
    assert packet == RtpPacket(0, 1, 2, 3, b"\xff" * 160)
    assert packet.serialize() == PLAIN


def test_marker_and_payload_type_share_a_byte() -> None:
    packet = RtpPacket.parse(bytes([0x80, 0x80 | 8]) + PLAIN[2:])
    assert packet.marker
    assert packet.payload_type == 8


def test_csrcs_extension_and_padding_are_not_payload() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 1, 0]) + PLAIN[2:12]
    csrc = b"\0\0\0\x09"
    extension = b"\xbe\xde\x00\x01" + b"abcd"
    packet = RtpPacket.parse(head + csrc + extension + b"payload" + b"\0\0\x03")
    assert packet.payload == b"payload"


@pytest.mark.parametrize(
    ("data", "defect"),
    [
        (b"", "shorter than its header"),
        (PLAIN[:11], "shorter than its header"),
        (b"\x40" + PLAIN[1:], "version"),
        (b"\x8f" + PLAIN[1:20], "truncated CSRCs"),
        (b"\x90" + PLAIN[1:14], "truncated extension header"),
        (b"\x90" + PLAIN[1:12] + b"\0\0\0\xff1234", "truncated extension"),
        (b"\xa0" + PLAIN[1:12] + b"\0\0\xff", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\0\0\0", "padding"),
    ],
)
def test_a_malformed_packet_names_its_defect(data: bytes, defect: str) -> None:
    with pytest.raises(MalformedPacket, match=defect):
        RtpPacket.parse(data)


def test_sequence_numbers_wrap() -> None:
    assert sequence_delta(0, 65535) == 1
    assert sequence_delta(65535, 0) == -1
