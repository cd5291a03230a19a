"""What several of the end-to-end tests need."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.chat_server import ChatServer, chat_server


@pytest.fixture
async def chat() -> AsyncGenerator[ChatServer, None]:
    """A language model that answers as the test says."""
    async with chat_server() as server:
        yield server


_WITH_A_SERVER_OF_THEIR_OWN = ("tests/e2e/test_shared_asterisk.py", "tests/e2e/test_websocket_media.py")
"""Modules that one worker runs whole, so that what they start is started once."""


class _TestByTest(LoadScopeScheduling):  # type: ignore[misc]
    """Gives out tests one by one, those modules as one. (xdist's own `loadgroup` groups nothing with pytest 9.2.)"""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::")[0]
        return module if module in _WITH_A_SERVER_OF_THEIR_OWN else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _TestByTest:
    """How xdist shares out the tests, whatever `--dist` says."""
    return _TestByTest(config, log)
