"""The ids that we give what we make in Asterisk: they say what it is, whose it is, and of which call.

Several servers may share one Asterisk, each with an application name of its own. After a crash the next run of the
same application sweeps what its ids name, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DIALLED", "OwnIds", "is_any_servers"]

_KINDS = ("aa-em-", "aa-call-", "aa-out-")
DIALLED = "dialled"
"""The argument with which a party that we dialled enters the application, whatever its channel's id became."""


@dataclass(frozen=True, slots=True)
class OwnIds:
    """The ids of one server. A name of an application has no dot, so none begins like another's."""

    app: str

    def media(self, call_id: str) -> str:
        """The ExternalMedia channel of a call."""
        return f"aa-em-{self.app}.{call_id}"

    def bridge(self, call_id: str) -> str:
        """The bridge of a call."""
        return f"aa-br-{self.app}.{call_id}"

    def called(self, call_id: str) -> str:
        """The channel of an outbound call."""
        return f"aa-call-{self.app}.{call_id}"

    def dialled(self, call_id: str) -> str:
        """The leg to which a caller is sent on."""
        return f"aa-out-{self.app}.{call_id}"

    def owns_channel(self, channel_id: str) -> bool:
        """Is it one that this server made?"""
        return channel_id.startswith(tuple(f"{kind}{self.app}." for kind in _KINDS))

    def owns_bridge(self, bridge_id: str) -> bool:
        """Is it one that this server made?"""
        return bridge_id.startswith(f"aa-br-{self.app}.")


def is_any_servers(channel_id: str) -> bool:
    """Did some server make this channel, ours or another?"""
    return channel_id.startswith(_KINDS)
