"""What Asterisk can answer.

AriError
├── AriUnreachable     no connection, or it was lost while a request was under way
├── AriReplaced        another program subscribed with the same application name (final)
└── AriRequestError    Asterisk answered with an error status
    ├── AriUnauthorized  401, 403: wrong user or password
    ├── AriNotFound      404: the channel, bridge or endpoint is gone
    ├── AriConflict      409: claimed by another, or in the wrong state
    └── AriUnprocessable 422: not in the Stasis application (yet)
"""

from __future__ import annotations

__all__ = [
    "AriConflict",
    "AriError",
    "AriNotFound",
    "AriReplaced",
    "AriRequestError",
    "AriUnauthorized",
    "AriUnprocessable",
    "AriUnreachable",
]


class AriError(Exception):
    """Something went wrong between us and Asterisk."""


class AriUnreachable(AriError):
    """There is no connection to Asterisk."""


class AriReplaced(AriError):
    """Another program took over our application's name: we must not fight for it."""


class AriRequestError(AriError):
    """Asterisk refused a request. `status` is the HTTP status, `text` Asterisk's message."""

    def __init__(self, request: str, status: int, text: str) -> None:
        super().__init__(f"{request}: {status} {text}")
        self.request = request
        self.status = status
        self.text = text

    @staticmethod
    def of(request: str, status: int, text: str) -> AriRequestError:
        """The most specific class for `status`."""
        kind = {
            401: AriUnauthorized,
            403: AriUnauthorized,
            404: AriNotFound,
            409: AriConflict,
            422: AriUnprocessable,
        }.get(status, AriRequestError)
        return kind(request, status, text)


class AriUnauthorized(AriRequestError):
    """Wrong user or password, or a read-only user."""


class AriNotFound(AriRequestError):
    """The resource is gone."""


class AriConflict(AriRequestError):
    """The resource is in the wrong state, or claimed by another application."""


class AriUnprocessable(AriRequestError):
    """The channel is not in the Stasis application."""
