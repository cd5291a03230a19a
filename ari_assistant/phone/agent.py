"""The SIP user agent, in a process of its own: pjsua2 wants to own its main thread and ends with it.

Speaks JSON lines. Standard input: `{"play": path}`, `{"dtmf": digits}`, `{"hangup": true}`. Standard output:
`{"event": "calling" | "ringing" | "answered" | "media" | "played" | "ended" | "failed", "at": seconds, …}`, where
`at` is CLOCK_MONOTONIC, the same in all processes of this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import sys
import tempfile
import threading
import time
import wave
from pathlib import Path
from typing import Any

import pjsua2 as pj

_OUT = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what pjsua2 prints must not get between our lines


def _tell(event: str, **fields: Any) -> None:
    _OUT.write(json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n")
    _OUT.flush()


class _Player(pj.AudioMediaPlayer):  # type: ignore[misc]
    """Plays one WAV file once."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.ended = False
        self.createPlayer(path, pj.PJMEDIA_FILE_NO_LOOP)

    def onEof2(self) -> None:
        self.ended = True


class _Call(pj.Call):  # type: ignore[misc]
    def __init__(self, account: Any, options: argparse.Namespace) -> None:
        super().__init__(account)
        self.options = options
        self.over = False
        self.media: Any = None
        self.heard: Any = None
        self.said: Any = None
        self.silence: Any = None
        self.players: list[_Player] = []

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            _tell("ringing", code=info.lastStatusCode)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            _tell("answered")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.over = True
            _tell("ended", code=info.lastStatusCode, reason=info.lastReason)

    def onDtmfDigit(self, prm: Any) -> None:
        _tell("dtmf", digit=prm.digit)

    def onCallRedirected(self, prm: Any) -> int:
        _tell("redirected", contact=prm.targetUri)
        return int(pj.PJSIP_REDIRECT_STOP)

    def onCallMediaState(self, prm: Any) -> None:
        if self.media is not None:
            return
        self.media = self.getAudioMedia(-1)
        if self.options.record:
            self.heard = pj.AudioMediaRecorder()
            self.heard.createRecorder(self.options.record)
            self.media.startTransmit(self.heard)
        if self.options.record_said:
            self.said = pj.AudioMediaRecorder()
            self.said.createRecorder(self.options.record_said)
        # A recorder without a source stands still: silence keeps both recordings on one time line.
        self.silence = pj.AudioMediaPlayer()
        self.silence.createPlayer(self.options.silence, 0)
        for sink in (self.media, self.said):
            if sink is not None:
                self.silence.startTransmit(sink)
        _tell("media")
        if self.options.play:
            self.play_file(self.options.play)

    def play_file(self, path: str) -> None:
        """Send a WAV file to the far end."""
        player = _Player(path)
        player.startTransmit(self.media)
        if self.said is not None:
            player.startTransmit(self.said)
        self.players.append(player)
        _tell("playing", path=path)

    def sweep(self) -> None:
        """Take away the players that are at their end."""
        for player in [player for player in self.players if player.ended]:
            self.players.remove(player)
            player.stopTransmit(self.media)
            _tell("played", path=player.path)

    def release(self) -> None:
        """Recorders must go before the call does."""
        for player in self.players:
            player.stopTransmit(self.media)
        self.players.clear()
        if self.heard is not None and not self.over:
            self.media.stopTransmit(self.heard)
        if self.silence is not None and not self.over:
            self.silence.stopTransmit(self.media)
        self.heard = self.said = self.silence = None


def _commands(lines: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        lines.put(json.loads(line))
    lines.put({"hangup": True})


def _endpoint(options: argparse.Namespace) -> Any:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = False
    config.uaConfig.userAgent = "ari-assistant call"
    config.medConfig.clockRate = config.medConfig.sndClockRate = options.rate
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = 0
    kind = pj.PJSIP_TRANSPORT_TCP if options.tcp else pj.PJSIP_TRANSPORT_UDP
    endpoint.transportCreate(kind, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    if options.codec:
        for codec in endpoint.codecEnum2():
            chosen = codec.codecId.lower().startswith(options.codec.lower())
            endpoint.codecSetPriority(codec.codecId, 255 if chosen else 0)
    return endpoint


def main() -> None:
    """Place one call and stay until it is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--record")
    parser.add_argument("--record-said")
    parser.add_argument("--play")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--codec")
    parser.add_argument("--caller", default='"ari-assistant call" <sip:anonymous@localhost>')
    parser.add_argument("--rate", type=int, default=8000)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--auth", help="user:password")
    options = parser.parse_args()
    with tempfile.NamedTemporaryFile(suffix=".wav", delete=False) as file:
        options.silence = file.name
    with wave.open(options.silence, "wb") as silence:
        silence.setnchannels(1)
        silence.setsampwidth(2)
        silence.setframerate(8000)
        silence.writeframes(bytes(16_000))
    lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_commands, args=(lines,), daemon=True).start()
    try:
        _hold(_endpoint(options), options, lines)
    except pj.Error as fault:
        _tell("failed", reason=fault.reason or fault.title)
    Path(options.silence).unlink(missing_ok=True)
    # pjsua2's own tear-down aborts when Python collects its objects in the wrong order.
    os._exit(0)


def _hold(endpoint: Any, options: argparse.Namespace, lines: queue.SimpleQueue[dict[str, Any]]) -> None:
    account_config = pj.AccountConfig()
    account_config.idUri = options.caller
    account_config.regConfig.registerOnAdd = False
    if options.auth:
        user, _, password = options.auth.partition(":")
        account_config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, password))
    account = pj.Account()
    account.create(account_config)
    call = _Call(account, options)
    parameters = pj.CallOpParam(True)
    parameters.opt.videoCount = 0
    headers = pj.SipHeaderVector()
    for text in options.header:
        name, _, value = text.partition(":")
        header = pj.SipHeader()
        header.hName, header.hValue = name.strip(), value.strip()
        headers.append(header)
    parameters.txOption.headers = headers
    _tell("calling", uri=options.uri)
    call.makeCall(options.uri, parameters)
    deadline = time.monotonic() + options.seconds
    hung_up = False
    while not call.over:
        endpoint.libHandleEvents(10)
        call.sweep()
        while not lines.empty():
            command = lines.get()
            if "play" in command and call.media is not None:
                call.play_file(command["play"])
            elif "dtmf" in command:
                call.dialDtmf(command["dtmf"])
            elif "hangup" in command:
                deadline = 0.0
        if time.monotonic() >= deadline and not hung_up:
            hung_up = True
            _statistics(call)
            call.release()
            with contextlib.suppress(pj.Error):  # it may have ended just now
                call.hangup(pj.CallOpParam())
            deadline = time.monotonic() + 3
        elif hung_up and time.monotonic() >= deadline:
            _tell("ended", code=0, reason="no answer to BYE")
            break
    call.release()
    for _ in range(20):
        endpoint.libHandleEvents(10)


def _statistics(call: _Call) -> None:
    if call.media is None or call.over:
        return
    rtcp = call.getStreamStat(0).rtcp
    info = call.getStreamInfo(0)
    _tell(
        "statistics",
        codec=info.codecName,
        received=rtcp.rxStat.pkt,
        sent=rtcp.txStat.pkt,
        lost=rtcp.rxStat.loss,
        jitter_ms=rtcp.rxStat.jitterUsec.mean / 1000,
    )


if __name__ == "__main__":
    main()
