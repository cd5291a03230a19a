# Runs in a virtual environment of its own. An echo, as galcymedia's README has it. Usage: galcymedia_echo.py PORT
import asyncio
import sys

from galcymedia import serve


class Echo:
    def __init__(self, session):
        self.session = session

    async def start(self):
        pass

    async def send_audio(self, chunk):
        await self.session.send_audio(chunk)

    async def on_dtmf(self, digit):
        pass

    async def close(self):
        pass


asyncio.run(serve(Echo, port=int(sys.argv[1])))
