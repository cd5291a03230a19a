"""What can go wrong with a provider.

ProviderError
├── ProviderUnavailable   not reachable, or its process died
├── ProviderTimeout       no answer in time
├── ProviderBusy          its queue is full
└── ProviderRejected      it answered that it will not, or nothing that can be read
"""

from __future__ import annotations

__all__ = ["ProviderBusy", "ProviderError", "ProviderRejected", "ProviderTimeout", "ProviderUnavailable"]


class ProviderError(Exception):
    """A provider could not do its work. `provider` names it."""

    def __init__(self, provider: str, text: str) -> None:
        super().__init__(f"{provider}: {text}")
        self.provider = provider


class ProviderUnavailable(ProviderError):
    """The provider is not reachable, or its process died."""


class ProviderTimeout(ProviderError):
    """The provider gave no answer in time."""


class ProviderBusy(ProviderError):
    """Too much work waits for the provider already."""


class ProviderRejected(ProviderError):
    """The provider answered with an error, or with something that cannot be read."""
