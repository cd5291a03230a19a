"""One server for most of the end-to-end tests; every call must leave it as it was."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House
from tests.support.studio import Studio
from tests.support.webhook import Webhook, webhook_server

LONG = (
    "This is a long answer. It goes on and on about the history of the town, the river, the bridge, and the"
    " market, and it would take a good half minute to hear it to its end, which nobody ever did."
    " The town was founded a thousand years ago. The river was there before. The bridge came later."
)


def _assistant(name: str, greeting: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        **({"firstMessage": greeting} if greeting else {}),
        "model": {
            "provider": "built-in",
            "fallback": "I am sorry, I do not know that.",
            "facts": [
                {"ask": ["when are you open", "what are your opening hours"], "say": "From nine to five."},
                {"ask": ["tell me everything about the town", "tell me about the history"], "say": LONG},
            ],
        },
        **more,
    }


ASSISTANTS: dict[str, Any] = {
    "assistants": [
        _assistant("desk", "Hello {{first_name}}, how can I help?"),
        _assistant("banana", "Welcome to the yellow banana company."),
        _assistant("mountain", "Welcome to the high mountain hotel."),
        _assistant("talker", LONG, firstMessageInterruptionsEnabled=True),
        _assistant("quiet", None, silenceTimeoutSeconds=5, endCallMessage="Nobody is there. Goodbye."),
        _assistant("short", "Hello.", maxDurationSeconds=10),
        _assistant("phrase", "Hello.", endCallPhrases=["nine to five"]),
    ],
    "phoneNumbers": [
        {"provider": "vapi", "sipUri": f"sip:{name}@localhost", "assistantId": name}
        for name in ("desk", "banana", "mountain", "talker", "quiet", "short", "phrase")
    ],
}


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Speech for the callers."""
    if find_spec("pjsua2") is None:
        pytest.skip("pjsua2 has no wheel for this Python: use 3.11 or 3.12 to place calls")
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The server."""
    house = House(tmp_path_factory.mktemp("house"), ASSISTANTS, assistant_request_seconds="1.5")
    house.start()
    yield house
    assert house.stop() == 0


@pytest.fixture(autouse=True)
async def everything_is_given_back(request: pytest.FixtureRequest) -> AsyncGenerator[None, None]:
    """After every call no channel and no bridge is left."""
    yield
    if "house" in request.fixturenames:
        await request.getfixturevalue("house").assert_clean()


@pytest.fixture
async def webhook() -> AsyncGenerator[Webhook, None]:
    """A webhook receiver."""
    async with webhook_server() as receiver:
        yield receiver


@pytest.fixture
def heard(tmp_path: Path) -> Path:
    """Where the caller's phone records."""
    return tmp_path / "heard.wav"
