"""How a call ended: a value, made where it is known (contract §12.5, §7.5, §8.8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "ABANDONED",
    "AFTER_MESSAGE",
    "ASSISTANT_ENDED",
    "CALLER_CANCELLED",
    "CALLER_HUNG_UP",
    "END_PHRASE",
    "FORWARDED",
    "MAX_DURATION",
    "MEDIA_LOST",
    "NO_ASSISTANT_AND_NO_SERVER",
    "SHUTDOWN",
    "SILENCE",
    "Ending",
]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a call is over."""

    reason: str
    """`endedReason` of the contract."""
    message: str | None = None
    """`endedMessage`: free text for the operator, never spoken."""

    @property
    def is_fault(self) -> bool:
        """Something went wrong, on our side or a provider's."""
        return "error" in self.reason or self.reason.startswith(("assistant-request-", "pipeline-", "worker-"))


CALLER_HUNG_UP: Final = Ending("customer-ended-call")
CALLER_CANCELLED: Final = Ending("call.ringing.sip-inbound-caller-hungup-before-call-connect")
ASSISTANT_ENDED: Final = Ending("assistant-ended-call")
AFTER_MESSAGE: Final = Ending("assistant-ended-call-after-message-spoken")
FORWARDED: Final = Ending("assistant-forwarded-call")
END_PHRASE: Final = Ending("assistant-said-end-call-phrase")
MAX_DURATION: Final = Ending("exceeded-max-duration")
SILENCE: Final = Ending("silence-timed-out")
SHUTDOWN: Final = Ending("worker-shutdown", "the server was stopped")
MEDIA_LOST: Final = Ending("call.in-progress.sip-completed-call", "Asterisk dropped the call")
ABANDONED: Final = Ending("call.in-progress.error-vapifault-worker-died", "the server died during the call")
NO_ASSISTANT_AND_NO_SERVER: Final = Ending("call-start-error-neither-assistant-nor-server-set")
