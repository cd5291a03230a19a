"""Every speech provider against a fake that speaks its wire over a real socket, also slow, broken and cut off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType, web

from ari_assistant.audio.frame import Pcm
from ari_assistant.providers import azure, cartesia, deepgram, elevenlabs, http_voice
from ari_assistant.providers.custom import CustomTranscriber, CustomVoice
from ari_assistant.providers.errors import (
    ProviderError,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from ari_assistant.providers.fallback import FallbackTranscriber, FallbackVoice
from ari_assistant.providers.openai_audio import OpenAITranscriber, openai_voice
from ari_assistant.providers.transcriber import Transcriber, TranscriberStream
from ari_assistant.providers.voice import Voice
from ari_assistant.providers.vosk import VoskTranscriber
from ari_assistant.providers.wyoming import WyomingTranscriber
from ari_assistant.vapi.server import Server
from ari_assistant.vapi.transcriber import Transcriber as TranscriberSchema
from ari_assistant.vapi.voice import Voice as VoiceSchema
from tests.support.serving import served

TONE: Pcm = (8000 * np.sin(np.arange(8000) / 8)).astype(np.int16)
SILENCE: Pcm = np.zeros(160, np.int16)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def session() -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with aiohttp.ClientSession() as session:
        yield session


@asynccontextmanager
async def server(path: str, handler: Handler) -> AsyncGenerator[str, None]:
    app = web.Application()
    app.router.add_route("*", path, handler)
    async with served(app) as url:
        yield url


async def audio(voice: Voice, text: str = "Hello.") -> Pcm:
    async with aclosing(voice.synthesize(text)) as chunks:
        parts = [chunk async for chunk in chunks]
    return np.concatenate(parts)


def voice(**fields: Any) -> VoiceSchema:
    return VoiceSchema.model_validate(fields)


# -- voices -------------------------------------------------------------------------------------------------------


async def test_openai_speaks_pcm_at_24_khz_which_arrives_at_8(session: aiohttp.ClientSession) -> None:
    bodies: list[Any] = []

    async def speech(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer k"
        bodies.append(await request.json())
        return web.Response(body=np.repeat(TONE, 3).tobytes(), content_type="audio/pcm")

    async with server("/v1/audio/speech", speech) as url:
        wanted = voice(provider="openai", voiceId="nova", model="tts-1", speed=1.1, instructions="Softly.")
        heard = await audio(openai_voice(session, url=f"{url}/v1", key="k", voice=wanted))
    assert bodies == [
        {
            "model": "tts-1",
            "voice": "nova",
            "input": "Hello.",
            "response_format": "pcm",
            "speed": 1.1,
            "instructions": "Softly.",
        }
    ]
    assert abs(heard.size - TONE.size) < 80
    assert np.corrcoef(heard[1000:7000], TONE[1000:7000])[0, 1] > 0.95


async def test_elevenlabs_is_asked_for_pcm_at_8_khz(session: aiohttp.ClientSession) -> None:
    seen: list[Any] = []

    async def speech(request: web.Request) -> web.StreamResponse:
        seen.append((dict(request.query), request.headers["xi-api-key"], await request.json()))
        return web.Response(body=TONE.tobytes(), content_type="audio/pcm")

    async with server("/v1/text-to-speech/v1/stream", speech) as url:
        wanted = voice(provider="11labs", voiceId="v1", stability=0.4, similarityBoost=0.7, language="de")
        heard = await audio(elevenlabs.elevenlabs_voice(session, url=url, key="k", voice=wanted))
    assert np.array_equal(heard, TONE)
    body = {
        "text": "Hello.",
        "model_id": "eleven_flash_v2_5",
        "voice_settings": {"stability": 0.4, "similarity_boost": 0.7},
        "language_code": "de",
    }
    assert seen == [({"output_format": "pcm_8000"}, "k", body)]


async def test_deepgram_speaks_by_the_short_name_of_a_voice(session: aiohttp.ClientSession) -> None:
    seen: list[Any] = []

    async def speech(request: web.Request) -> web.StreamResponse:
        seen.append((dict(request.query), request.headers["Authorization"], await request.json()))
        return web.Response(body=TONE.tobytes(), content_type="audio/l16")

    async with server("/v1/speak", speech) as url:
        wanted = voice(provider="deepgram", voiceId="thalia", model="aura-2")
        assert np.array_equal(await audio(deepgram.deepgram_voice(session, url=url, key="k", voice=wanted)), TONE)
    query = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": "8000", "container": "none"}
    assert seen == [(query, "Token k", {"text": "Hello."})]


async def test_azure_gets_ssml_in_which_text_stays_text(session: aiohttp.ClientSession) -> None:
    seen: list[Any] = []

    async def speech(request: web.Request) -> web.StreamResponse:
        seen.append((request.headers["X-Microsoft-OutputFormat"], await request.text()))
        return web.Response(body=TONE.tobytes(), content_type="audio/basic")

    async with server("/cognitiveservices/v1", speech) as url:
        wanted = voice(provider="azure", voiceId="andrew", speed=1.2)
        await audio(azure.azure_voice(session, url=url, key="k", voice=wanted), "a < b & c")
    kind, ssml = seen[0]
    assert kind == "raw-8khz-16bit-mono-pcm"
    assert 'name="en-US-AndrewNeural"' in ssml
    assert '<prosody rate="+20%">a &lt; b &amp; c</prosody>' in ssml


async def test_cartesia_is_asked_for_raw_pcm(session: aiohttp.ClientSession) -> None:
    seen: list[Any] = []

    async def speech(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        return web.Response(body=TONE.tobytes(), content_type="application/octet-stream")

    async with server("/tts/bytes", speech) as url:
        await audio(
            cartesia.cartesia_voice(session, url=url, key="k", voice=voice(provider="cartesia", voiceId="c"))
        )
    assert seen[0]["output_format"] == {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 8000}
    assert seen[0]["voice"] == {"mode": "id", "id": "c"}


async def test_a_custom_voice_streams_and_may_send_half_samples_and_a_wav_header(
    session: aiohttp.ClientSession,
) -> None:
    payload = np.repeat(TONE, 3).tobytes()
    header = b"RIFF" + b"\0" * 32 + b"data" + b"\0" * 4

    async def speech(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await response.prepare(request)
        data = header + payload
        for start in range(0, len(data), 4_001):
            await response.write(data[start : start + 4_001])
        await response.write_eof()
        return response

    class Requests:
        def post(self, server: Server, text: str, rate: int) -> Any:
            return session.post(server.url or "", json={"text": text, "r": rate})

    async with server("/v", speech) as url:
        heard = await audio(CustomVoice(Server(url=f"{url}/v"), Requests()))
    assert abs(heard.size - TONE.size) < 80
    assert np.corrcoef(heard[1000:7000], TONE[1000:7000])[0, 1] > 0.95


async def _refuses(_: web.Request) -> web.StreamResponse:
    return web.json_response({"error": "no money"}, status=402)


async def _json(_: web.Request) -> web.StreamResponse:
    return web.json_response({"audio": "…"})


async def _empty(_: web.Request) -> web.StreamResponse:
    return web.Response(body=b"", content_type="audio/pcm")


async def _cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm", "Content-Length": "100000"})
    await response.prepare(request)
    await response.write(b"\0" * 1000)
    assert request.transport is not None
    request.transport.close()
    return response


async def _hangs(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
    await response.prepare(request)
    await response.write(b"\0" * 1000)
    await asyncio.sleep(30)
    return response


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        (_refuses, ProviderRejected),
        (_json, ProviderRejected),
        (_empty, ProviderRejected),
        (_cut_off, ProviderUnavailable),
        (_hangs, ProviderTimeout),
    ],
)
async def test_what_a_voice_does_wrong_is_a_provider_error(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, handler: Handler, fault: type[ProviderError]
) -> None:
    monkeypatch.setattr(http_voice, "_SILENCE_SECONDS", 0.3)
    async with server("/v1/speak", handler) as url:
        with pytest.raises(fault):
            await audio(deepgram.deepgram_voice(session, url=url, key="k", voice=voice(provider="deepgram")))


async def test_the_next_voice_speaks_when_the_first_cannot(session: aiohttp.ClientSession) -> None:
    async def speech(_: web.Request) -> web.StreamResponse:
        return web.Response(body=TONE.tobytes(), content_type="audio/pcm")

    failed: list[str] = []
    async with server("/v1/speak", _refuses) as first, server("/v1/speak", speech) as second:
        voices = [
            deepgram.deepgram_voice(session, url=url, key="k", voice=voice(provider="deepgram"))
            for url in (first, second)
        ]
        heard = await audio(FallbackVoice(voices, lambda what, fault: failed.append(f"{what}: {fault}")))
    assert np.array_equal(heard, TONE)
    assert failed[0].startswith("voice: deepgram: status 402")


async def test_closing_the_audio_closes_the_request(session: aiohttp.ClientSession) -> None:
    closed = asyncio.Event()

    async def speech(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"\0" * 1600)
                await asyncio.sleep(0.01)
        except (asyncio.CancelledError, ConnectionError):
            closed.set()
            raise

    async with server("/v1/speak", speech) as url:
        spoken = deepgram.deepgram_voice(session, url=url, key="k", voice=voice(provider="deepgram"))
        async with aclosing(spoken.synthesize("Hello.")) as chunks:
            async for _ in chunks:
                break
        async with asyncio.timeout(5):
            await closed.wait()


# -- transcribers -------------------------------------------------------------------------------------------------


async def test_openai_transcribes_a_wav_file(session: aiohttp.ClientSession) -> None:
    seen: dict[str, Any] = {}

    async def transcribe(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        seen.update({key: value for key, value in form.items() if isinstance(value, str)})
        file = form["file"]
        assert isinstance(file, web.FileField)
        seen["file"] = file.file.read()
        return web.json_response({"text": " Hello there. "})

    async with server("/v1/audio/transcriptions", transcribe) as url:
        transcriber = OpenAITranscriber(session, url=f"{url}/v1", key="k", language="en-GB")
        assert await transcriber.transcribe(TONE) == "Hello there."
    assert (seen["model"], seen["language"]) == ("gpt-4o-mini-transcribe", "en")
    assert seen["file"][:4] == b"RIFF"
    assert seen["file"][44:] == TONE.tobytes()


@pytest.mark.parametrize("answer", [web.json_response, lambda: web.Response(text="<html>")])
async def test_an_unreadable_transcript_is_a_provider_error(
    session: aiohttp.ClientSession, answer: Callable[[], web.Response]
) -> None:
    async def transcribe(_: web.Request) -> web.StreamResponse:
        return answer()

    async with server("/audio/transcriptions", transcribe) as url:
        with pytest.raises(ProviderRejected):
            await OpenAITranscriber(session, url=url, key="k").transcribe(TONE)


async def test_vosk_hears_the_audio_and_gives_its_final_texts(session: aiohttp.ClientSession) -> None:
    received: list[Any] = []

    async def vosk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                received.append(len(message.data))
                await socket.send_json({"text": "one two"} if len(received) == 3 else {"partial": "one"})
            elif "config" in message.data:
                received.clear()
                assert json.loads(message.data) == {"config": {"sample_rate": 8000}}
            else:
                await socket.send_json({"text": "three"})
        return socket

    async with server("/", vosk) as url:
        assert await VoskTranscriber(session, url=url.replace("http", "ws")).transcribe(TONE) == "one two three"
    assert sum(received) == TONE.nbytes


async def _wyoming(
    answer: Callable[[asyncio.StreamWriter], None], received: list[tuple[str, Any, int]]
) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            header = json.loads(line)
            payload = await reader.readexactly(header.get("payload_length") or 0)
            received.append((header["type"], header.get("data"), len(payload)))
            if header["type"] == "audio-stop":
                answer(writer)
                break
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def test_wyoming_gets_the_utterance_at_16_khz_and_answers_with_a_transcript() -> None:
    received: list[tuple[str, Any, int]] = []

    def answer(writer: asyncio.StreamWriter) -> None:
        data = b'{"text": " hello "}'
        writer.write(json.dumps({"type": "ping"}).encode() + b"\n")
        writer.write(json.dumps({"type": "transcript", "data_length": len(data)}).encode() + b"\n" + data)

    listener = await _wyoming(answer, received)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        transcriber = WyomingTranscriber(url=f"tcp://127.0.0.1:{port}", language="en")
        assert await transcriber.transcribe(TONE) == "hello"
    kinds = [kind for kind, *_ in received]
    assert kinds[:2] == ["transcribe", "audio-start"]
    assert kinds[-1] == "audio-stop"
    assert received[1][1] == {"rate": 16000, "width": 2, "channels": 1}
    assert sum(size for *_, size in received) == TONE.nbytes * 2


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"type": "error", "data": {"text": "no model"}}\n', ProviderRejected),
        (b"nonsense\n", ProviderRejected),
        (b"[]\n", ProviderRejected),
        (b'{"type": "transcript", "data_length": 99999999}\n', ProviderRejected),
        (b"", ProviderUnavailable),
    ],
)
async def test_what_wyoming_does_wrong_is_a_provider_error(line: bytes, fault: type[ProviderError]) -> None:
    listener = await _wyoming(lambda writer: writer.write(line), [])
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(fault):
            await WyomingTranscriber(url=f"tcp://127.0.0.1:{port}").transcribe(TONE)


async def test_nobody_listens(session: aiohttp.ClientSession) -> None:
    with pytest.raises(ProviderUnavailable):
        await WyomingTranscriber(url="tcp://127.0.0.1:9").transcribe(TONE)
    with pytest.raises(ProviderUnavailable):
        await VoskTranscriber(session, url="ws://127.0.0.1:9").transcribe(TONE)


async def test_the_next_transcriber_listens_when_the_first_cannot(session: aiohttp.ClientSession) -> None:
    async def transcribe(_: web.Request) -> web.StreamResponse:
        return web.json_response({"text": "hello"})

    async with server("/audio/transcriptions", transcribe) as url:
        chain: list[Transcriber] = [
            WyomingTranscriber(url="tcp://127.0.0.1:9"),
            OpenAITranscriber(session, url=url, key="k"),
        ]
        failed: list[ProviderError] = []
        joined = FallbackTranscriber(chain, lambda _, fault: failed.append(fault))
        assert await joined.transcribe(TONE) == "hello"
    assert [fault.provider for fault in failed] == ["wyoming"]


# -- transcribers that listen along -------------------------------------------------------------------------------


@asynccontextmanager
async def running(stream: TranscriberStream) -> AsyncGenerator[asyncio.Task[None], None]:
    task = asyncio.create_task(stream.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_deepgram_gives_the_finals_and_is_asked_for_the_rest(session: aiohttp.ClientSession) -> None:
    query: dict[str, str] = {}
    audio_bytes = 0

    def results(text: str, *, final: bool, confidence: float = 0.9) -> str:
        alternatives = [{"transcript": text, "confidence": confidence}]
        return json.dumps({"type": "Results", "is_final": final, "channel": {"alternatives": alternatives}})

    async def listen(request: web.Request) -> web.StreamResponse:
        nonlocal audio_bytes
        query.update(request.query)
        assert request.headers["Authorization"] == "Token k"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                audio_bytes += len(message.data)
                if audio_bytes == 320 * 5:
                    await socket.send_str('{"type": "Metadata"}')
                    await socket.send_str(results("when are", final=False))
                    await socket.send_str(results("when are you", final=True))
                    await socket.send_str(results("mumble", final=True, confidence=0.1))
                    await socket.send_str(results("op", final=False))
            elif json.loads(message.data) == {"type": "Finalize"}:
                await socket.send_str(results("open?", final=True))
        return socket

    async with server("/v1/listen", listen) as url:
        wanted = TranscriberSchema.model_validate(
            {"provider": "deepgram", "model": "nova-2-phonecall", "language": "en-US", "smartFormat": True}
        )
        stream = deepgram.DeepgramTranscriber(session, url=url, key="k", transcriber=wanted)
        async with running(stream), asyncio.timeout(5):
            for _ in range(5):
                stream.push(TONE[:160], SILENCE)
            while "open" not in (words := await stream.words()):
                await asyncio.sleep(0.01)
            assert words == "when are you open?"
            stream.reset()
            assert stream.transcripts.text == ""
    assert query["model"] == "nova-2-phonecall"
    assert (query["encoding"], query["sample_rate"], query["smart_format"]) == ("linear16", "8000", "true")


async def test_a_custom_transcriber_is_told_start_and_hears_both_sides(session: aiohttp.ClientSession) -> None:
    first: list[str] = []
    heard = bytearray()
    complete = asyncio.Event()

    async def listen(request: web.Request) -> web.StreamResponse:
        assert request.headers["X-Vapi-Secret"] == "s"
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                first.append(message.data)
                continue
            heard.extend(message.data)
            if len(heard) >= 2 * 4 * 7000 and not complete.is_set():
                complete.set()
                for part in (
                    {"transcription": "hel", "channel": "customer", "transcriptType": "partial"},
                    {"transcription": "I am the bot", "channel": "assistant"},
                    {"transcription": "hello", "channel": "customer"},
                ):
                    await socket.send_json({"type": "transcriber-response", **part})
        return socket

    async with server("/listen", listen) as url:
        said: list[tuple[str, str]] = []
        stream = CustomTranscriber(
            session,
            url=f"{url.replace('http', 'ws')}/listen",
            headers={"X-Vapi-Secret": "s"},
            assistant_said=lambda text, kind: said.append((text, kind)),
        )
        async with running(stream), asyncio.timeout(5):
            for start in range(0, TONE.size, 160):
                stream.push(TONE[start : start + 160], -TONE[start : start + 160])
            await complete.wait()
            assert await stream.words() == "hello"
    assert json.loads(first[0]) == {
        "type": "start",
        "encoding": "linear16",
        "container": "raw",
        "sampleRate": 16000,
        "channels": 2,
    }
    samples = np.frombuffer(bytes(heard[: len(heard) // 4 * 4]), "<i2").reshape(-1, 2)
    assert np.corrcoef(samples[500:, 0], -samples[500:, 1].astype(float))[0, 1] > 0.99
    assert said == [("I am the bot", "final")]


async def test_a_stream_that_is_gone_says_so_at_once(session: aiohttp.ClientSession) -> None:
    async def listen(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    async with server("/listen", listen) as url:
        stream = CustomTranscriber(session, url=f"{url}/listen".replace("http", "ws"), headers={})
        with pytest.raises(ProviderUnavailable):
            await stream.run()
        with pytest.raises(ProviderUnavailable):
            await stream.words()
    refused = CustomTranscriber(session, url="ws://127.0.0.1:9/", headers={})
    with pytest.raises(ProviderUnavailable):
        await refused.run()
