"""What can go wrong with a provider.

ProviderError
├── ProviderUnavailable   not reachable, or its process died       retryable
├── ProviderTimeout       no answer in time                        retryable
├── ProviderBusy          its queue is full                        retryable
└── ProviderRejected      it answered that it will not             by its status
"""

from __future__ import annotations

__all__ = ["ProviderBusy", "ProviderError", "ProviderRejected", "ProviderTimeout", "ProviderUnavailable"]


class ProviderError(Exception):
    """A provider could not do its work. `provider` names it."""

    retryable = False

    def __init__(self, provider: str, text: str) -> None:
        super().__init__(f"{provider}: {text}")
        self.provider = provider


class ProviderUnavailable(ProviderError):
    """The provider is not reachable, or its process died."""

    retryable = True


class ProviderTimeout(ProviderError):
    """The provider gave no answer in time."""

    retryable = True


class ProviderBusy(ProviderError):
    """Too much work waits for the provider already."""

    retryable = True


class ProviderRejected(ProviderError):
    """The provider answered with an error. `status` is the HTTP status, or None where there is none."""

    def __init__(self, provider: str, text: str, *, status: int | None = None) -> None:
        super().__init__(provider, text)
        self.status = status
        self.retryable = status is not None and (status in (408, 409, 429) or status >= 500)
