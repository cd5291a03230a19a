"""Which one server gets a message (contract §7.1): the assistant's, else the number's, else the installation's."""

from __future__ import annotations

from ari_assistant.vapi.server import Server

__all__ = ["first_server"]


def first_server(*candidates: Server | None) -> Server | None:
    """The first that has a URL, in the order given, or None."""
    return next((server for server in candidates if server is not None and server.url), None)
