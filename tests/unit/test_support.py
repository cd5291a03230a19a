"""The tools of the tests must be able to say no."""

from __future__ import annotations

from ari_assistant.media.rtp.packet import RtpPacket
from tests.support.caller_voice import sounds_like
from tests.support.rtp_sender import RtpSender
from tests.support.running_server import faults_in


def test_a_use_after_free_in_an_asterisks_log_is_seen() -> None:
    line = "[2026-01-01 00:00:00.000] ERROR[7]: astobj2.c:131: FRACK!, Failed assertion bad magic number 0x0"
    assert faults_in(f"Asterisk 22.10.1\n{line}\n") == [line]
    assert faults_in("[2026-01-01 00:00:00.000] NOTICE[7] cdr.c: CDR logging disabled.\n") == []


def test_a_phrase_is_found_where_it_was_said_and_nowhere_else() -> None:
    heard = "hello no body can take your cold right now please"
    assert sounds_like(heard, "nobody can take your call right now")
    assert sounds_like("goodmorning john welcome", "good morning john")
    assert not sounds_like(heard, "nine to five")
    assert not sounds_like("welcome to the high mountain hotel", "nobody can take your call right now")
    assert not sounds_like("", "nine to five")
    assert not sounds_like("i am sorry i do not know that", "i have stopped")


def test_the_sender_goes_on_through_silence_that_is_not_sent() -> None:
    sender = RtpSender(payload_type=0, ssrc=7, sequence_number=65535, timestamp=0xFFFFFFFF - 159)
    first = RtpPacket.parse(sender.packet(bytes(160)))
    second = RtpPacket.parse(sender.packet(bytes(160)))
    sender.skip(320)
    third = RtpPacket.parse(sender.packet(bytes(160)))
    assert [p.sequence_number for p in (first, second, third)] == [65535, 0, 1]
    assert [p.timestamp for p in (first, second, third)] == [0xFFFFFFFF - 159, 0, 480]
    assert [p.marker for p in (first, second, third)] == [True, False, True]
