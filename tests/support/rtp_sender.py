"""The far end of a call: its RTP packets, one after the other."""

from __future__ import annotations

from ari_assistant.media.rtp.packet import RtpPacket

__all__ = ["RtpSender"]


class RtpSender:
    """Numbers the packets of one outgoing stream. The timestamp goes on through silence that is not sent."""

    def __init__(self, *, payload_type: int, ssrc: int, sequence_number: int, timestamp: int) -> None:
        self._payload_type = payload_type
        self._ssrc = ssrc
        self._sequence_number = sequence_number & 0xFFFF
        self._timestamp = timestamp & 0xFFFFFFFF
        self._marker = True

    def packet(self, payload: bytes) -> bytes:
        """The next packet's bytes. `payload` holds one byte a sample. Marked when it follows a gap."""
        packet = RtpPacket(
            self._payload_type, self._sequence_number, self._timestamp, self._ssrc, payload, self._marker
        )
        self._sequence_number = (self._sequence_number + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(payload)) & 0xFFFFFFFF
        self._marker = False
        return packet.serialize()

    def skip(self, samples: int) -> None:
        """Nothing was sent for `samples` samples: the clock went on, and the next packet is marked."""
        self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF
        self._marker = True
