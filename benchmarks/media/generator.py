"""N callers in one thread: SIP and RTP over two sockets, every packet with the kernel's time of arrival.

`python -m benchmarks.media.generator '{…}'` prints one JSON object. It shares the socket and the packet rows with the
media plane (they are what makes 300 callers fit on one core), and nothing else: what is measured is measured here.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import re
import select
import socket
import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.frame import FRAME_SAMPLES, PTIME_SECONDS
from ari_assistant.audio.g711 import ULAW
from ari_assistant.audio.wav import read_wav
from ari_assistant.media.process.udp import BatchSocket, packed_address
from ari_assistant.media.rtp.packet_rows import PACKET_BYTES, PacketRows, read_headers
from ari_assistant.media.rtp.plane import Datagrams

_LOUD = np.abs(ULAW.decode_table.astype(np.int32)) > 500
_DIGITS = 100
_SO_TIMESTAMPNS = 35
_MAX_SECONDS = 300.0
_MAX_CALLERS = 400
_PHASES = 40
"""Callers begin their 20 ms at so many different moments, half a millisecond apart: real ones share no clock."""


@dataclass
class Plan:
    """What is to be done; bounded in count and time, loopback only."""

    callers: int
    sip_port: int = 0
    """0: no SIP. Every caller has a socket of its own then; their ports are printed, and the port that RTP goes to is
    read from standard input."""
    user: str = "bench"
    seconds: float = 20.0
    """From the last caller's answer to the BYEs."""
    spread_seconds: float = 0.0
    """The INVITEs are sent over so long; 0: all at once."""
    speech: str = ""
    """WAV file that every caller repeats, each from another place; without it a tone that never ends."""
    mark: bool = True
    """Frames carry their number, for the round trip."""
    pause_seconds: float = 0.0
    """Silence between two repetitions: then each is a burst that is answered."""


@dataclass
class Caller:
    """One of them."""

    number: int
    tag: str
    row: int = -1
    invited: float = 0.0
    answered: float = 0.0
    to_tag: str = ""
    status: int = 0
    address: bytes = b""
    offset: int = 0
    first_sound: float = 0.0
    arrivals: list[float] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sounds: list[bool] = field(default_factory=list)
    round_trips: list[float] = field(default_factory=list)
    sent: int = 0
    sent_at: list[float] = field(default_factory=list)
    burst_ended: float = 0.0
    replies: list[float] = field(default_factory=list)


class OwnSockets:
    """A socket for every caller, in the place of `BatchSocket`: the media port tells them by where they come from."""

    def __init__(self, rows: PacketRows, count: int) -> None:
        self._rows = rows
        self._sockets: list[socket.socket] = []
        self._targets: dict[int, tuple[str, int]] = {}
        self._poll = select.epoll()
        for _ in range(count):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind(("127.0.0.1", 0))
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._sockets.append(made)
            self._poll.register(made.fileno(), select.EPOLLIN)
        self._numbers = {made.fileno(): number for number, made in enumerate(self._sockets)}

    @property
    def ports(self) -> list[int]:
        """Where the callers send from."""
        return [made.getsockname()[1] for made in self._sockets]

    @staticmethod
    def key(row: int) -> bytes:
        """Stands for the source of what caller `row` receives."""
        return row.to_bytes(4, "big")

    @property
    def address(self) -> tuple[str, int]:
        """See `BatchSocket`."""
        return "127.0.0.1", 0

    def aim(self, row: int, address: bytes) -> None:
        """See `BatchSocket`."""
        self._targets[row] = ("127.0.0.1", int.from_bytes(address[2:4], "big"))

    def send(self, first: int, count: int) -> int:
        """See `BatchSocket`."""
        for row in range(first, first + count):
            self._sockets[row].sendto(self._rows.packet(row), self._targets[row])
        return count

    def receive_datagrams(self) -> Datagrams | None:
        """See `BatchSocket`."""
        read: list[tuple[int, bytes, float]] = []
        behind = time.time() - time.monotonic()
        for descriptor, _ in self._poll.poll(0):
            number = self._numbers[descriptor]
            data, ancillary, _, _ = self._sockets[number].recvmsg(2048, 64)
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            read.append((number, data, seconds - behind + nanoseconds * 1e-9))
        if not read:
            return None
        rows = np.zeros((len(read), PACKET_BYTES), np.uint8)
        for row, (_, data, _) in enumerate(read):
            rows[row, : len(data)] = np.frombuffer(data[:PACKET_BYTES], np.uint8)
        return Datagrams(
            rows, [len(data) for _, data, _ in read], [self.key(n) for n, _, _ in read], [at for _, _, at in read]
        )


class Generator:
    """The loop."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = PacketRows()
        self.rtp: BatchSocket | OwnSockets = (
            BatchSocket("127.0.0.1", self.rows) if plan.sip_port else OwnSockets(self.rows, plan.callers)
        )
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind(("127.0.0.1", 0))
        self.sip.setblocking(False)
        self.callers = [Caller(n, f"g{random.getrandbits(40):x}n{n}") for n in range(plan.callers)]
        self.by_tag = {caller.tag: caller for caller in self.callers}
        self.by_source: dict[bytes, Caller] = {}
        self.frames = self._speech()
        self.loud = [bool(_LOUD[np.frombuffer(frame, np.uint8)].any()) for frame in self.frames]
        self.due: list[tuple[float, int]] = []
        """When which caller sends its next packet."""
        self.late: list[float] = []
        self.over_at = float("inf")

    def _speech(self) -> list[bytes]:
        """The payloads that callers repeat."""
        if not self.plan.speech:
            at = np.arange(8_000) / 8_000
            tone = (6_000 * np.sin(2 * np.pi * 400 * at)).astype(np.int16)
            return [ULAW.encode(frame) for frame in tone.reshape(-1, FRAME_SAMPLES)]
        pcm = read_wav(Path(self.plan.speech).read_bytes())
        loud = np.flatnonzero(np.abs(pcm) > 500)
        pcm = pcm[loud[0] : loud[-1] + 1]
        pause = np.zeros(round(self.plan.pause_seconds * 8000), np.int16)
        pcm = np.concatenate([pcm, pause])
        pcm = pcm[: pcm.size - pcm.size % FRAME_SAMPLES]
        return [ULAW.encode(frame) for frame in pcm.reshape(-1, FRAME_SAMPLES)]

    # -- SIP ------------------------------------------------------------------------------------------------

    def _request(self, caller: Caller, method: str, number: int, body: bytes = b"") -> None:
        plan, own = self.plan, self.sip.getsockname()[1]
        uri = f"sip:{plan.user}@127.0.0.1:{plan.sip_port}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z9hG4bK{caller.tag}{number}{method}",
            "Max-Forwards: 70",
            f"From: <sip:load@127.0.0.1>;tag={caller.tag}",
            f"To: <{uri}>{caller.to_tag}",
            f"Call-ID: {caller.tag}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:load@127.0.0.1:{own}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        self.sip.sendto(data, ("127.0.0.1", plan.sip_port))

    def _invite(self, caller: Caller) -> None:
        port = self.rtp.address[1]
        sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )
        caller.invited = time.monotonic()
        self._request(caller, "INVITE", 1, sdp.encode())

    def _receive_sip(self) -> None:
        while True:
            try:
                data = self.sip.recv(4096)
            except BlockingIOError:
                return
            call_id = re.search(rb"^(?:Call-ID|i):\s*(\S+)", data, re.M | re.I)
            caller = self.by_tag.get(call_id[1].decode()) if call_id else None
            status = re.match(rb"SIP/2\.0 (\d+)", data)
            if caller is None:
                continue
            if status is None:
                self._answer_request(data)
                continue
            code = int(status[1])
            if code < 200 or b"INVITE" not in (re.search(rb"^CSeq:[^\r]*", data, re.M | re.I) or [b""])[0]:
                continue
            tag = re.search(rb"^(?:To|t):[^\r]*(;tag=[^\s;]+)", data, re.M | re.I)
            caller.to_tag = tag[1].decode() if tag else ""
            self._request(caller, "ACK", 1)
            if caller.status:
                continue
            caller.status = code
            media = re.search(rb"^m=audio (\d+)", data, re.M)
            if code == 200 and media:
                caller.answered = time.monotonic()
                self._connect(caller, int(media[1]))

    def _answer_request(self, data: bytes) -> None:
        """A BYE of theirs, or an OPTIONS: 200."""
        kept = [line for line in data.split(b"\r\n") if re.match(rb"(Via|From|To|Call-ID|CSeq)\s*:", line, re.I)]
        answer = b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""])
        self.sip.sendto(answer, ("127.0.0.1", self.plan.sip_port))

    # -- RTP ------------------------------------------------------------------------------------------------

    def _connect(self, caller: Caller, port: int) -> None:
        caller.address = packed_address("127.0.0.1", port)
        caller.row = self.rows.add(
            payload_type=0, ssrc=random.getrandbits(32), number=1, timestamp=random.getrandbits(31)
        )
        caller.offset = caller.number * 37
        self.rtp.aim(caller.row, caller.address)
        self.by_source[caller.address] = caller
        phase = caller.number * 13 % _PHASES / _PHASES * PTIME_SECONDS
        heapq.heappush(
            self.due, (math.ceil(time.monotonic() / PTIME_SECONDS) * PTIME_SECONDS + phase, caller.number)
        )
        self.over_at = time.monotonic() + self.plan.seconds

    def _send_due(self, now: float) -> None:
        """The packets of the callers whose 20 ms are over."""
        while self.due and self.due[0][0] <= now:
            due, number = heapq.heappop(self.due)
            self.late.append(now - due)
            self._send(self.callers[number], now)
            # After a stall the clock goes on where it is.
            heapq.heappush(self.due, (max(due + PTIME_SECONDS, now - 0.1), number))

    def _send(self, caller: Caller, now: float) -> None:
        number, frames, count = caller.sent, self.frames, len(self.frames)
        at = (number + caller.offset) % count
        frame = frames[at]
        if self.plan.mark:
            high, middle, low = number // _DIGITS**2 % _DIGITS, number // _DIGITS % _DIGITS, number % _DIGITS
            frame = bytes((16 + high, 16 + middle, 16 + low, 16)) + frame[4:]
        self.rows.fill(caller.row, frame)
        self.rows.advance_one(caller.row)
        if self.loud[at] and not self.loud[(at + 1) % count] and self.plan.pause_seconds:
            caller.burst_ended = now
        caller.sent += 1
        caller.sent_at.append(time.monotonic())
        self.rtp.send(caller.row, 1)
        self.rows.sent()

    def _receive_rtp(self) -> None:
        while (datagrams := self.rtp.receive_datagrams()) is not None:
            headers = read_headers(datagrams.data)
            payloads = datagrams.data[:, 12:PACKET_BYTES]
            sounds = _LOUD[payloads].sum(axis=1) > 8
            marks = payloads[:, :4].tolist()
            for row, source in enumerate(datagrams.sources):
                caller = self.by_source.get(source)
                if caller is None:
                    continue  # RTP may overtake the 200: whose it is is not known yet
                arrival = datagrams.arrivals[row]
                caller.arrivals.append(arrival)
                caller.timestamps.append(headers.timestamp[row])
                caller.numbers.append(headers.number[row])
                caller.sounds.append(bool(sounds[row]))
                if sounds[row]:
                    if not caller.first_sound:
                        caller.first_sound = arrival
                    if caller.burst_ended:
                        caller.replies.append(arrival - caller.burst_ended)
                        caller.burst_ended = 0.0
                if self.plan.mark:
                    high, middle, low, end = marks[row]
                    if end == 16 and min(high, middle, low) >= 16:
                        number = (high - 16) * _DIGITS**2 + (middle - 16) * _DIGITS + low - 16
                        if number < len(caller.sent_at):
                            caller.round_trips.append(arrival - caller.sent_at[number])

    # -- the loop -------------------------------------------------------------------------------------------

    def run(self) -> dict[str, Any]:
        """Call, talk, hang up; what was measured."""
        plan = self.plan
        began = time.monotonic()
        due = [began + 0.2 + plan.spread_seconds * n / max(1, plan.callers) for n in range(plan.callers)]
        invited = 0
        if not plan.sip_port:
            invited = plan.callers
            self._connect_directly()
            began = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= self.over_at or now - began > _MAX_SECONDS:
                break
            if invited == plan.callers and not self.rows.count and now - due[-1] > 10:
                break
            while invited < plan.callers and due[invited] <= now:
                self._invite(self.callers[invited])
                invited += 1
            self._send_due(now)
            wake = self.due[0][0] if self.due else now + PTIME_SECONDS
            if invited < plan.callers:
                wake = min(wake, due[invited])
            wait = max(0.0, min(0.004, wake - time.monotonic()))
            select.select([self.sip] if plan.sip_port else [], [], [], wait)
            if plan.sip_port:
                self._receive_sip()
            self._receive_rtp()
        for caller in self.callers:
            if caller.status == 200 and plan.sip_port:
                self._request(caller, "BYE", 2)
        return self._result()

    def _connect_directly(self) -> None:
        assert isinstance(self.rtp, OwnSockets)
        print(json.dumps({"ports": self.rtp.ports}), flush=True)
        port = int(sys.stdin.readline())
        for caller in self.callers:
            caller.invited = caller.answered = time.monotonic()
            caller.status = 200
            self._connect(caller, port)
            del self.by_source[caller.address]
            self.by_source[OwnSockets.key(caller.row)] = caller

    def _result(self) -> dict[str, Any]:
        first = [c.first_sound - c.invited for c in self.callers if c.first_sound]
        answers = [c.answered - c.invited for c in self.callers if c.answered]
        paces: list[float] = []
        gaps: list[float] = []
        lost = 0
        received = 0
        for caller in self.callers:
            errors, intervals, missing = _pacing(caller)
            paces += errors
            gaps += intervals
            lost += missing
            received += len(caller.arrivals)
        statuses: dict[str, int] = defaultdict(int)
        for caller in self.callers:
            statuses[str(caller.status)] += 1
        return {
            "callers": self.plan.callers,
            "statuses": dict(statuses),
            "silent": sum(1 for c in self.callers if c.status == 200 and not c.first_sound),
            "answer_ms": _milliseconds(answers),
            "first_audio_ms": _milliseconds(first),
            "round_trip_ms": _milliseconds([x for c in self.callers for x in c.round_trips]),
            "reply_ms": _milliseconds([x for c in self.callers for x in c.replies]),
            "pacing_ms": _milliseconds(paces),
            "interarrival_ms": _milliseconds(gaps),
            "received": received,
            "lost": lost,
            "own_lateness_ms": _milliseconds(self.late),
        }


def _pacing(caller: Caller) -> tuple[list[float], list[float], int]:
    """How far each packet of silence was from the call's own clock, the intervals of all, and how many numbers were
    missing. The first second is left out, and so are the packets of a reply, which may be sent ahead of the clock."""
    if len(caller.arrivals) < 100:
        return [], [], 0
    arrivals: NDArray[np.float64] = np.array(caller.arrivals[50:])
    timestamps = np.unwrap(np.array(caller.timestamps[50:], np.float64), period=2.0**32)
    numbers = np.unwrap(np.array(caller.numbers[50:], np.float64), period=2.0**16)
    clock = (arrivals - timestamps / 8000)[~np.array(caller.sounds[50:])]
    errors = np.abs(clock - np.median(clock)) if clock.size else clock
    missing = int(numbers.max() - numbers.min() + 1 - len(np.unique(numbers)))
    return errors.tolist(), np.abs(np.diff(arrivals) - PTIME_SECONDS).tolist(), missing


def _milliseconds(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    values = np.sort(np.array(seconds)) * 1000
    found = {
        f"p{share}": float(values[min(len(values) - 1, int(len(values) * share / 100))]) for share in (50, 95, 99)
    }
    return {"n": len(values), **{k: round(v, 2) for k, v in found.items()}, "max": round(float(values[-1]), 2)}


def main() -> None:
    """Entry point."""
    plan = Plan(**json.loads(sys.argv[1]))
    assert 0 < plan.callers <= _MAX_CALLERS
    print(json.dumps(Generator(plan).run()))


if __name__ == "__main__":
    main()
