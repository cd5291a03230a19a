"""The local transcriber, as an assistant wants it."""

from __future__ import annotations

import pytest

from ari_assistant.assistants.local_transcribers import MoonshineForAll, WhisperForEach
from ari_assistant.providers.faster_whisper import FasterWhisperTranscriber
from ari_assistant.providers.process import EngineProcess
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.transcriber import Transcriber

GERMAN = Transcriber.model_validate({"provider": "x", "language": "de-AT", "keywords": ["Wien:2"]})


@pytest.mark.parametrize(
    ("wanted", "request_"),
    [
        (GERMAN, {"language": "de", "keywords": ["Wien"]}),
        (Transcriber.model_validate({"provider": "x", "language": "multi"}), {"language": "en", "keywords": []}),
        (Transcriber.model_validate({"provider": "x"}), {"language": "en", "keywords": []}),
        (None, {"language": "en", "keywords": []}),
    ],
)
def test_an_assistant_names_the_language_and_the_keywords_for_whisper(
    wanted: Transcriber | None, request_: JsonObject
) -> None:
    chosen = WhisperForEach(EngineProcess("faster-whisper")).choose(wanted)
    assert isinstance(chosen, FasterWhisperTranscriber)
    assert chosen._request == request_


def test_moonshine_is_the_same_for_everybody() -> None:
    moonshine = MoonshineForAll(EngineProcess("moonshine"))
    assert moonshine.choose(GERMAN) is moonshine.choose(None)
