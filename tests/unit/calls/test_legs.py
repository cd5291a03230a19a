"""Bridge, ExternalMedia channel and stream: all of them there, or none left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from ari_assistant.ari.errors import AriRequestError, AriUnreachable
from ari_assistant.audio.codec import CODECS
from ari_assistant.audio.g711 import ULAW
from ari_assistant.calls.legs import Legs
from ari_assistant.calls.media_transport import RtpTransport, SocketTransport
from ari_assistant.media.handle import MediaUnavailable
from tests.support.telephony import CALLER, FakeAsterisk, FakeMedia

MEDIA, BRIDGE = "aa-em-app.call-1", "aa-br-app.call-1"
RELEASED = [f"DELETE channels/{MEDIA}", f"DELETE bridges/{BRIDGE}"]


class Opening:
    """Legs of one call, over RTP."""

    def __init__(self) -> None:
        self.asterisk, self.media = FakeAsterisk(), FakeMedia()
        transport = RtpTransport(self.asterisk, self.media)  # type: ignore[arg-type]
        caller = self.asterisk.channels.get(CALLER)
        path = Path("r.wav")
        self.legs = Legs(self.asterisk, transport, caller, call_id="call-1", codec=ULAW, recording=path)

    def released(self) -> bool:
        return [name for name in self.asterisk.asked if name.startswith("DELETE")] == RELEASED


@pytest.fixture
def opening() -> Opening:
    return Opening()


async def test_inside_all_is_there_and_afterwards_nothing(opening: Opening) -> None:
    async with opening.legs as stream:
        assert [opened for opened in opening.media.streams if opened is cast(Any, stream)]
        assert opening.media.recordings == [Path("r.wav")]
        assert opening.asterisk.parameters("POST channels/externalMedia")["external_host"] == "127.0.0.1:5000"
        await opening.legs.connect()
        joined = opening.asterisk.parameters(f"POST bridges/{BRIDGE}/addChannel")["channel"]
        assert joined == f"{CALLER},{MEDIA}"
        assert not opening.released()
    assert opening.released()
    assert opening.media.streams[0].closed


async def test_another_party_takes_our_place_in_the_bridge(opening: Opening) -> None:
    async with opening.legs:
        await opening.legs.replace_media("aa-out-app.call-1")
    changes = [name for name in opening.asterisk.asked if name.startswith(f"POST bridges/{BRIDGE}/")]
    assert changes == [f"POST bridges/{BRIDGE}/addChannel", f"POST bridges/{BRIDGE}/removeChannel"]


async def test_a_media_process_that_is_not_there_is_told_as_such_and_nothing_is_left(opening: Opening) -> None:
    opening.media.fault = MediaUnavailable("it restarts")
    with pytest.raises(AriUnreachable, match="no media: it restarts"):
        await opening.legs.__aenter__()
    assert opening.released()


async def test_a_bridge_that_is_refused_closes_the_stream_that_was_open(opening: Opening) -> None:
    opening.asterisk.refuses["POST bridges"] = 500
    with pytest.raises(AriRequestError):
        await opening.legs.__aenter__()
    assert opening.released()
    assert all(stream.closed for stream in opening.media.streams)


async def test_a_caller_who_leaves_while_the_legs_are_opened_leaves_none(opening: Opening) -> None:
    opening.asterisk.held["POST bridges"] = asyncio.Event()
    entering = asyncio.create_task(opening.legs.__aenter__())
    await opening.asterisk.wait_for("POST channels/externalMedia")
    entering.cancel()
    await asyncio.wait({entering})
    assert entering.cancelled()
    assert opening.released()
    assert all(stream.closed for stream in opening.media.streams)


async def test_a_media_channel_that_does_not_enter_the_application_is_given_up(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_assistant.calls.legs._START_SECONDS", 0.0)
    monkeypatch.setattr(opening.asterisk, "tell", lambda *_: None)
    with pytest.raises(AriUnreachable, match="did not enter"):
        await opening.legs.__aenter__()
    assert opening.released()


async def test_one_leg_that_cannot_be_released_keeps_no_other(opening: Opening, log_lines: list[Any]) -> None:
    opening.asterisk.refuses[RELEASED[0]] = 500
    async with opening.legs:
        pass
    assert opening.released()
    assert opening.media.streams[0].closed
    assert [line["event"] for line in log_lines] == ["leg_not_released"]


async def test_by_websocket_asterisk_is_asked_for_linear_audio_at_the_callers_rate() -> None:
    asterisk, opened = FakeAsterisk(), []

    class Sockets:
        async def open(self, connection: str, codec: Any, *, recording: Path | None) -> str:
            opened.append((connection, codec.name, recording))
            return "stream"

    async def answer(method: str, path: str, **parameters: str) -> dict[str, Any]:
        assert parameters["format"] == "slin16"
        return {"channelvars": {"MEDIA_WEBSOCKET_CONNECTION_ID": "m1"}}

    asterisk.channels._request = answer
    transport = SocketTransport(asterisk, Sockets())  # type: ignore[arg-type]
    assert str(await transport.open(MEDIA, CODECS["g722"], recording=None)) == "stream"
    assert opened == [("m1", "g722", None)]
