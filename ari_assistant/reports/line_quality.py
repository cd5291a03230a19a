"""What Asterisk measured of the caller's own leg: loss, jitter and round trip, by RTP and the far end's RTCP."""

from __future__ import annotations

import math

from ari_assistant.vapi.base import JsonObject

__all__ = ["VARIABLE", "line_quality"]

VARIABLE = "RTPAUDIOQOS"
"""The channel variable that Asterisk sets when a leg ends."""
_FIELDS = {
    "rxcount": ("callerPacketsReceived", 1),
    "lp": ("callerPacketsLost", 1),
    "rxjitter": ("callerJitterMs", 1000),
    "txcount": ("callerPacketsSent", 1),
    "rlp": ("callerReportedLost", 1),
    "txjitter": ("callerReportedJitterMs", 1000),
    "rtt": ("callerRoundTripMs", 1000),
}


def line_quality(value: str) -> JsonObject:
    """`ssrc=…;lp=0;rxjitter=0.000;rxcount=150;rtt=0.012;…` → what of it goes into the call's record: packets as
    numbers, times in milliseconds. `callerReported…` and the round trip are what the caller's RTCP says: 0 without any.
    What cannot be read is left out."""
    found: JsonObject = {}
    for part in value.split(";"):
        name, _, text = part.strip().partition("=")
        if name not in _FIELDS:
            continue
        key, factor = _FIELDS[name]
        try:
            number = float(text) * factor
        except ValueError:
            continue
        if not math.isfinite(number):
            continue
        found[key] = int(number) if factor == 1 else round(number, 2)
    return found
