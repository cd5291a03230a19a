"""Where the time of a turn went (`performanceMetrics`, contract §12.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ari_assistant.vapi.base import JsonObject

__all__ = ["TurnTimes", "performance_metrics"]


@dataclass(slots=True)
class TurnTimes:
    """Moments of one turn, in seconds of one monotonic clock; None until they have come."""

    turn: int
    voice_ended: float | None = None
    """The caller's last voiced frame."""
    endpoint: float | None = None
    """The turn was taken to be over."""
    transcribed: float | None = None
    first_clause: float | None = None
    first_audio: float | None = None
    first_frame: float | None = None
    """The reply's first frame was sent."""
    interrupted: bool = False

    def latency(self) -> JsonObject | None:
        """One element of `turnLatencies`, in milliseconds, or None when no reply to the caller was heard."""
        moments = (
            self.voice_ended,
            self.endpoint,
            self.transcribed,
            self.first_clause,
            self.first_audio,
            self.first_frame,
        )
        if any(moment is None for moment in moments):
            return None
        ended, endpoint, transcribed, clause, audio, frame = (moment or 0.0 for moment in moments)

        def ms(later: float, earlier: float) -> float:
            return round(max(0.0, later - earlier) * 1000, 1)

        return {
            "endpointingLatency": ms(endpoint, ended),
            "transcriberLatency": ms(transcribed, endpoint),
            "modelLatency": ms(clause, max(transcribed, endpoint)),
            "voiceLatency": ms(audio, clause),
            "transportLatency": ms(frame, audio),
            "turnLatency": ms(frame, ended),
        }


def performance_metrics(turns: Sequence[TurnTimes]) -> JsonObject:
    """`turnLatencies`, their averages (ms), and how often each side interrupted the other."""
    latencies = [latency for turn in turns if (latency := turn.latency()) is not None]
    result: JsonObject = {
        "turnLatencies": latencies,
        "numUserInterrupted": 0,
        "numAssistantInterrupted": sum(turn.interrupted for turn in turns),
    }
    if latencies:
        for key in latencies[0]:
            result[f"{key}Average"] = round(sum(item[key] for item in latencies) / len(latencies), 1)
    return result
