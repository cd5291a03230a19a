# Runs in a virtual environment of its own. An echo on the AudioSocket transport of asterisk-ai-voice-agent, with
# webrtcvad on every frame as in its agent. Usage: audiosocket_echo.py PORT
import asyncio
import sys

import webrtcvad
from asterisk_ai_voice_agent.audiosocket import audio_frame
from asterisk_ai_voice_agent.transport import AudioSocketTransport


async def serve(reader, writer):
    transport = AudioSocketTransport(reader, writer)
    await transport.handshake()
    vad = webrtcvad.Vad(2)
    while (pcm := await transport.read_audio()) is not None:
        if pcm:
            vad.is_speech(pcm, 8000)
            writer.write(audio_frame(pcm).encode())
    await transport.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
