"""The frames between us and an engine's process: a length, a JSON header, a payload.

`!II` header length and payload length, then both. The same code runs on either side of the pipe.
"""

from __future__ import annotations

import json
import struct
from typing import Any

__all__ = ["LENGTHS", "MAX_BYTES", "pack", "unpack_header"]

LENGTHS = struct.Struct("!II")
MAX_BYTES = 64 << 20
"""No part of a frame is longer; more means that the pipe is out of step."""


def pack(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """One frame's bytes."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return LENGTHS.pack(len(head), len(payload)) + head + payload


def unpack_header(data: bytes) -> dict[str, Any]:
    """The header of a frame. Raises ValueError when it is no JSON object."""
    header = json.loads(data)
    if not isinstance(header, dict):
        raise ValueError("an engine's frame header is not a JSON object")  # noqa: TRY004 - malformed input, not misuse
    return header
