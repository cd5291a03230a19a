"""A SIP telephone for the terminal: `ari-assistant call`, and the caller of the end-to-end tests."""

from __future__ import annotations

import platform
import sys

__all__ = ["missing_phone_cure"]


def missing_phone_cure(
    version: tuple[int, int] = sys.version_info[:2],
    machine: str = platform.machine(),
) -> str:
    """What to do where pjsua2 is not installed: it has wheels for Python 3.11 and 3.12 on x86-64."""
    if machine != "x86_64":
        return f"dial with any softphone (pjsua2 has no wheel for {machine}); everything else works without it"
    if version >= (3, 13):
        return "use Python 3.11 or 3.12 for this command (pjsua2 has no wheel for 3.13), or any softphone"
    return "pip install 'ari-assistant[phone]'"
