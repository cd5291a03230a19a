"""Where the time of a turn went."""

from __future__ import annotations

from ari_assistant.conversation.timings import Speculation, TurnTimes, performance_metrics


def test_the_parts_of_a_turn_add_up_although_they_overlapped() -> None:
    times = TurnTimes(1, voice_ended=10.0, transcribed=10.3, first_clause=10.31, first_audio=10.4)
    assert times.latency() is None, "nothing was heard yet"
    times.endpoint, times.first_frame = 10.45, 10.47
    split = times.latency()
    assert split == {
        "endpointingLatency": 450.0,
        "transcriberLatency": 0.0,
        "modelLatency": 0.0,
        "voiceLatency": 0.0,
        "transportLatency": 20.0,
        "turnLatency": 470.0,
    }
    times.first_audio, times.first_frame = 10.9, 10.92
    late = times.latency()
    assert late is not None
    assert late["voiceLatency"] == 450.0
    assert sum(v for k, v in late.items() if k != "turnLatency") == late["turnLatency"]


def test_metrics_count_who_interrupted_whom_and_what_was_in_vain() -> None:
    turns = [TurnTimes(1, interrupted=True), TurnTimes(2, interrupted=True, cut_in=True), TurnTimes(3, resumed=2)]
    metrics = performance_metrics(turns, Speculation(prepared=5, discarded=2, discarded_tokens=7))
    assert metrics["numAssistantInterrupted"] == 2
    assert metrics["numUserInterrupted"] == 1
    assert metrics["numRepliesResumed"] == 2
    assert metrics["speculation"]["discarded"] == 2
    assert metrics["speculation"]["discardedTokens"] == 7
