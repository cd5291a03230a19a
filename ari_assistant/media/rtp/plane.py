"""All calls' audio at once, without I/O: datagrams and the clock in, packets and frames out.

What one packet costs decides how many calls a core carries, so the work is arranged by kind, not by call: the headers
of all datagrams of a wake-up are read as columns, the payloads of all streams are decoded by one table lookup, and the
packets of all streams are rows of one matrix, numbered by one addition and sent by one system call. Only what is out of
the ordinary (a gap, an odd packet size, a codec with state) is looked at by itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ari_assistant.audio.background import Background
from ari_assistant.audio.codec import Codec
from ari_assistant.audio.frame import FRAME_SAMPLES, Pcm
from ari_assistant.audio.g711 import LAWS
from ari_assistant.media.rtp.packet_rows import PACKET_BYTES, PacketRows, read_headers
from ari_assistant.media.rtp.recording_queue import RecordingQueue
from ari_assistant.media.rtp.stream import Stream

__all__ = ["Datagrams", "Plane", "PlaneCounters", "PlaneReport", "Wire"]


class Wire(Protocol):
    """The socket below the plane. Row n of the plane's packets goes to the address that row n was aimed at."""

    def aim(self, row: int, address: bytes) -> None:
        """Packets of `row` go to `address` from now on."""

    def send(self, first: int, count: int) -> int:
        """Send rows `first` … `first + count − 1`; returns how many went out."""


@dataclass(slots=True)
class Datagrams:
    """What one wake-up read from the socket."""

    data: NDArray[np.uint8]
    """Shape (n, 2048)."""
    lengths: list[int]
    sources: list[bytes]
    """Addresses in the form of `Wire.aim`."""
    arrivals: list[float]
    """Seconds, the plane's clock."""


@dataclass(slots=True)
class PlaneReport:
    """What has happened since the last one."""

    narrow: list[int] = field(default_factory=list)
    """Streams of the rows of `narrow_frames`, in order; a stream may come several times."""
    narrow_frames: list[Pcm] = field(default_factory=list)
    """Arrays of shape (160,) or (n, 160), together one row for each of `narrow`."""
    wide: list[int] = field(default_factory=list)
    wide_frames: list[Pcm] = field(default_factory=list)
    """… of 320 samples, at 16 kHz."""
    played: list[int] = field(default_factory=list)
    """Three numbers each: a stream, its epoch, and how many samples have gone out in it."""

    def __bool__(self) -> bool:
        return bool(self.narrow or self.wide or self.played)


@dataclass(slots=True)
class PlaneCounters:
    """Of all streams together."""

    unknown_source: int = 0
    """Datagrams of nobody's: counted and dropped, never adopted."""
    unsent: int = 0
    """Packets that the kernel did not take."""


class Plane:
    """The streams of one media process."""

    def __init__(self, wire: Wire, rows: PacketRows | None = None) -> None:
        self.rows = rows or PacketRows()
        self.counters = PlaneCounters()
        self.ticks = 0
        """Ticks of 1/8000 s since the plane began: the clock of all recordings."""
        self._wire = wire
        self._streams: dict[int, Stream] = {}
        self._by_source: dict[bytes, Stream] = {}
        self._by_row: list[Stream] = []
        self._busy: set[Stream] = set()
        """Streams whose next packet is not the silence that lies in their row."""
        self._held: set[Stream] = set()
        """Streams that wait for a missing packet."""
        self._report = PlaneReport()

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def streams(self) -> list[Stream]:
        """All that are open."""
        return list(self._streams.values())

    def get(self, number: int) -> Stream | None:
        """An open stream."""
        return self._streams.get(number)

    # -- streams --------------------------------------------------------------------------------------------

    def open(self, number: int, codec: Codec, address: bytes, recording: RecordingQueue | None = None) -> Stream:
        """Begin a stream with the far end at `address`: silence is sent, and its packets are taken, from now on.
        Raises OverflowError when the plane is full."""
        if self.rows.full:
            raise OverflowError("this media process has all the streams that it can hold")
        stream = Stream(number, codec, recording=recording)
        stream.opened = self.ticks
        stream.source = address
        stream.row = self.rows.add(
            payload_type=codec.payload_type,
            ssrc=secrets.randbits(32),
            number=secrets.randbits(15),
            timestamp=secrets.randbits(31),
        )
        self.rows.fill(stream.row, codec.silent_payload)
        self._wire.aim(stream.row, address)
        self._by_row.append(stream)
        self._streams[number] = stream
        self._by_source[address] = stream
        if not codec.stateless:
            self._busy.add(stream)
        return stream

    def close(self, number: int) -> Stream | None:
        """End a stream; returns it for its statistics, None when it is not open."""
        stream = self._streams.pop(number, None)
        if stream is None:
            return None
        if self._by_source.get(stream.source) is stream:
            del self._by_source[stream.source]
        self._busy.discard(stream)
        self._held.discard(stream)
        moved = self.rows.remove(stream.row)
        last = self._by_row.pop()
        if moved is not None:
            last.row = stream.row
            self._by_row[stream.row] = last
            self._wire.aim(last.row, last.source)
        return stream

    def play(self, number: int, epoch: int, pcm: Pcm) -> None:
        """Queue audio for a stream (int16 at its rate), unless it has been flushed since. On a line that was silent it
        does not wait for the tick."""
        stream = self._streams.get(number)
        if stream is None or epoch != stream.send_queue.epoch:
            return
        idle = not stream.speaks
        stream.send_queue.push(pcm)
        self._busy.add(stream)
        if idle and not stream.leads and stream.send_queue.speaking:
            self._send_at_once(stream)

    def flush(self, number: int, epoch: int) -> None:
        """Drop what waits for a stream: nothing of it is sent any more."""
        if (stream := self._streams.get(number)) is not None:
            stream.send_queue.flush(epoch)

    def fill_silence(self, number: int, pcm: Pcm) -> None:
        """Queue something short that is heard while the stream is silent (int16 at its rate)."""
        if (stream := self._streams.get(number)) is not None:
            stream.send_queue.fill_silence(pcm)
            self._busy.add(stream)

    def set_background(self, number: int, pcm: Pcm) -> None:
        """A sound that goes on behind the voice (int16 at the stream's rate)."""
        if (stream := self._streams.get(number)) is not None and pcm.size:
            stream.send_queue.background = Background(pcm)
            self._busy.add(stream)

    # -- what comes -----------------------------------------------------------------------------------------

    def push_datagrams(self, datagrams: Datagrams) -> None:
        """Take what the socket held."""
        headers = read_headers(datagrams.data)
        by_source, data = self._by_source, datagrams.data
        memory, width = data.reshape(-1).data, data.shape[1]
        whole: dict[str, tuple[list[int], list[int]]] = {}
        for row, source in enumerate(datagrams.sources):
            stream = by_source.get(source)
            if stream is None:
                self.counters.unknown_source += 1
                continue
            codec, arrival = stream.codec, datagrams.arrivals[row]
            if (
                datagrams.lengths[row] == PACKET_BYTES
                and headers.plain[row]
                and codec.stateless
                and headers.payload_type[row] == codec.payload_type
                and stream.takes(
                    memory[row * width + 12 : row * width + PACKET_BYTES].tobytes(),
                    headers.number[row],
                    headers.timestamp[row],
                    headers.ssrc[row],
                    arrival,
                    self.ticks,
                )
            ):
                rows, numbers = whole.setdefault(codec.name, ([], []))
                rows.append(row)
                numbers.append(stream.number)
                continue
            if whole:
                self._decode(whole, data)
            stream.push(data[row, : datagrams.lengths[row]].tobytes(), arrival, self.ticks, self._emit)
            if stream.jitter.waits:
                self._held.add(stream)
        if whole:
            self._decode(whole, data)

    def _decode(self, whole: dict[str, tuple[list[int], list[int]]], data: NDArray[np.uint8]) -> None:
        """Whole frames of many streams, by one lookup."""
        for name, (rows, numbers) in whole.items():
            self._report.narrow += numbers
            self._report.narrow_frames.append(LAWS[name].decode_table.take(data[rows, 12:PACKET_BYTES]))
        whole.clear()

    def _emit(self, stream: Stream, frame: Pcm) -> None:
        if frame.size == FRAME_SAMPLES:
            self._report.narrow.append(stream.number)
            self._report.narrow_frames.append(frame)
        else:
            self._report.wide.append(stream.number)
            self._report.wide_frames.append(frame)

    # -- what goes ------------------------------------------------------------------------------------------

    def tick(self, now: float, skipped: int = 0) -> None:
        """20 ms have passed: send the next packet of every stream. `skipped` frames before it came too late to be
        sent."""
        if skipped:
            self.rows.skip(skipped)
            self.ticks += skipped * FRAME_SAMPLES
            for stream in self._by_row:
                stream.extra -= skipped
        for stream in list(self._held):
            stream.handle_deadline(now, self.ticks, self._emit)
            if not stream.jitter.waits:
                self._held.discard(stream)
        self.rows.advance()
        pauses = [stream.row for stream in list(self._busy) if not self._next(stream)]
        self._send_but(sorted(pauses))
        self.rows.sent()
        self.ticks += FRAME_SAMPLES

    def take_report(self) -> PlaneReport:
        """What has happened since this was called last."""
        report, self._report = self._report, PlaneReport()
        return report

    def _next(self, stream: Stream) -> bool:
        """Put the stream's next payload into its row; False when it is silent now and one packet ahead: then this one
        is left out, and the stream is where the clock is."""
        payload = stream.next_payload(self.ticks)
        if payload is not None:
            self.rows.fill(stream.row, payload)
            stream.speaks = stream.send_queue.last is not None
        elif stream.speaks:
            stream.speaks = False
            self.rows.fill(stream.row, stream.codec.silent_payload)
        if stream.send_queue.played != stream.reported:
            stream.reported = stream.send_queue.played
            self._report.played += (stream.number, stream.send_queue.epoch, stream.reported)
        if stream.send_queue.idle and not stream.speaks and stream.codec.stateless:
            self._busy.discard(stream)
        if stream.leads and not stream.speaks:
            stream.leads = False
            return False
        return True

    def _send_at_once(self, stream: Stream) -> None:
        """The first packet of a reply on a silent line, up to 20 ms before its time. The stream is one packet ahead of
        the clock until the reply is over; then one packet of silence is left out."""
        self.rows.advance_one(stream.row)
        self._next(stream)
        stream.leads = True
        self.counters.unsent += 1 - self._wire.send(stream.row, 1)
        stream.extra += 1
        self.rows.sent()

    def _send_but(self, pauses: list[int]) -> None:
        """All rows but these."""
        start = 0
        for row in [*pauses, self.rows.count]:
            if row > start:
                self.counters.unsent += row - start - self._wire.send(start, row - start)
            if row < self.rows.count:
                self.rows.take_back(row)
                self._by_row[row].extra -= 1
            start = row + 1
