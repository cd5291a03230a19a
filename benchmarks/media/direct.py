"""The media plane without Asterisk, for more calls than an Asterisk carries beside it on a small machine.

The same process, voice activity, recording and stand-in brain as in the server, opened for callers whose ports are
known.
`python -m benchmarks.media.direct MODE FOLDER` reads `{"ports": […]}` and prints `{"port": …}`; it ends with its input.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from pathlib import Path
from typing import Any

from ari_assistant.media.process.client import MediaPlane
from ari_assistant.providers.silero import SileroNetwork
from ari_assistant.turns.vad import SharpEnds, SileroDetectors
from ari_assistant.turns.voice_activity import VoiceActivity
from benchmarks.media.stand_ins import EchoBrain, ReplyBrain


async def main(mode: str, folder: str) -> None:
    """Serve until standard input ends."""
    hearing = VoiceActivity(SharpEnds(SileroDetectors(SileroNetwork())))
    plane = MediaPlane(host="127.0.0.1", heard=hearing)
    running = asyncio.create_task(plane.run())
    await plane.wait_ready()
    orders: Any = json.loads(await asyncio.to_thread(sys.stdin.readline))
    streams = []
    for port in orders["ports"]:
        stream = await plane.open("ulaw", "127.0.0.1", port, recording=Path(folder, f"{port}.wav"))
        brain = {"echo": EchoBrain, "reply": ReplyBrain}[mode](stream)
        stream.listener = brain
        hearing.add(stream, brain)
        streams.append(stream)
    gc.collect()
    gc.freeze()
    print(json.dumps({"port": int(plane.address.rpartition(":")[2])}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(dict(plane.health)), flush=True)
    await asyncio.gather(*(stream.aclose() for stream in streams))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
