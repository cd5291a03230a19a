"""Where the time of a turn went, and what was prepared in vain (`performanceMetrics`, contract §12.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ari_assistant.vapi.base import JsonObject

__all__ = ["Speculation", "TurnTimes", "performance_metrics"]


@dataclass(slots=True)
class TurnTimes:
    """Moments of one turn, in seconds of one monotonic clock; None until they have come."""

    turn: int
    voice_ended: float | None = None
    """The caller's last voiced frame."""
    endpoint: float | None = None
    """The turn was taken to be over, and the reply allowed to be heard."""
    transcribed: float | None = None
    first_clause: float | None = None
    first_audio: float | None = None
    first_frame: float | None = None
    """The reply's first frame was sent."""
    interrupted: bool = False
    """The caller cut this reply."""
    cut_in: bool = False
    """It began while the caller had not finished."""
    resumed: int = 0
    """How often it was held for nothing."""

    def latency(self) -> JsonObject | None:
        """One element of `turnLatencies`, in milliseconds, or None when no reply to the caller was heard.

        The reply is prepared while the silence lasts: a stage that was done by then costs the caller nothing.
        """
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
        ended, *stages = (moment or 0.0 for moment in moments)
        result: JsonObject = {}
        reached = ended
        names = ("endpointing", "transcriber", "model", "voice", "transport")
        for name, moment in zip(names, stages, strict=True):
            result[f"{name}Latency"] = round(max(0.0, moment - reached) * 1000, 1)
            reached = max(reached, moment)
        result["turnLatency"] = round((stages[-1] - ended) * 1000, 1)
        return result


@dataclass(slots=True)
class Speculation:
    """Replies that were prepared before it was certain that the caller had finished."""

    prepared: int = 0
    discarded: int = 0
    """… because the caller went on."""
    discarded_tokens: int = 0
    discarded_characters: int = 0
    """Text that was synthesised in vain."""
    discarded_audio_seconds: float = 0.0
    """Audio of the caller that was recognised in vain."""

    def wire(self) -> JsonObject:
        """Ours, beside the contract's fields."""
        return {
            "prepared": self.prepared,
            "discarded": self.discarded,
            "discardedTokens": self.discarded_tokens,
            "discardedCharacters": self.discarded_characters,
            "discardedAudioSeconds": round(self.discarded_audio_seconds, 2),
        }


def performance_metrics(turns: Sequence[TurnTimes], speculation: Speculation) -> JsonObject:
    """`turnLatencies`, their averages (ms), how often each side interrupted the other, and what was in vain."""
    latencies = [latency for turn in turns if (latency := turn.latency()) is not None]
    result: JsonObject = {
        "turnLatencies": latencies,
        "numUserInterrupted": sum(turn.cut_in for turn in turns),
        "numAssistantInterrupted": sum(turn.interrupted for turn in turns),
        "numRepliesResumed": sum(turn.resumed for turn in turns),
        "speculation": speculation.wire(),
    }
    if latencies:
        for key in latencies[0]:
            result[f"{key}Average"] = round(sum(item[key] for item in latencies) / len(latencies), 1)
    return result
