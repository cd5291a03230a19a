"""Where the sounds come from: Debian's prompts of Asterisk (a person), its music on hold, Piper (synthetic callers),
and tones and noises that are computed. int16, 8 kHz, as G.711 leaves them."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import wave
from pathlib import Path

import numpy as np

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.g711 import ULAW
from ari_assistant.providers.piper import PiperEngine

__all__ = ["Sounds", "cough", "dtmf", "mixed", "ringback", "silence", "telephone", "trimmed", "words_of"]

_PACKAGES = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en", "asterisk-moh-opsound-wav")


def silence(seconds: float) -> Pcm:
    """Nothing."""
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def telephone(pcm: Pcm) -> Pcm:
    """What µ-law leaves of it."""
    return ULAW.decode(ULAW.encode(pcm))


def trimmed(pcm: Pcm, *, threshold: int = 300) -> Pcm:
    """Without the quiet at both ends."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > threshold)
    return pcm[max(0, int(loud[0]) - 80) : int(loud[-1]) + 80] if loud.size else pcm[:0]


def mixed(pcm: Pcm, noise: Pcm, decibels: float) -> Pcm:
    """`pcm` with `noise` (repeated) `decibels` below the speech's own loudness."""
    voiced = pcm[np.abs(pcm.astype(np.int32)) > 300].astype(np.float64)
    power = float((voiced**2).mean()) if voiced.size else 1e6
    repeated = np.resize(noise, pcm.size).astype(np.float64)
    gain = np.sqrt(power / max(1.0, float((repeated**2).mean()))) * 10 ** (-decibels / 20)
    loud: Pcm = np.clip(pcm + repeated * gain, -32768, 32767).astype(np.int16)
    return loud


def _tone(seconds: float, *hertz: float, level: float = 4000.0) -> Pcm:
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    waves = np.sin(2 * np.pi * np.outer(np.array(hertz), at))
    tone: Pcm = (level * waves.mean(axis=0)).astype(np.int16)
    return tone


def ringback(seconds: float) -> Pcm:
    """US: 440 and 480 Hz, two seconds in six."""
    one = np.concatenate([_tone(2.0, 440, 480), silence(4.0)])
    return np.resize(one, round(seconds * SAMPLE_RATE))


def busy(seconds: float) -> Pcm:
    """US: 480 and 620 Hz, half a second in one."""
    one = np.concatenate([_tone(0.5, 480, 620), silence(0.5)])
    return np.resize(one, round(seconds * SAMPLE_RATE))


def dtmf(keys: str) -> Pcm:
    """Keys in the audio, 120 ms each."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    places = {key: divmod(n, 4) for n, key in enumerate("123A456B789C*0#D")}
    parts = []
    for key in keys:
        row, column = places[key]
        parts += [_tone(0.12, rows[row], columns[column], level=8000), silence(0.12)]
    return np.concatenate(parts)


def cough(seed: int) -> Pcm:
    """Two or three bursts of noise that a throat shapes. A stand-in: no free recording comes in a package."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(int(random.integers(2, 4))):
        length = int(SAMPLE_RATE * random.uniform(0.08, 0.16))
        noise = random.normal(size=length)
        resonance = np.sin(2 * np.pi * random.uniform(500, 900) * np.arange(160) / SAMPLE_RATE) * np.exp(
            -np.arange(160) / 30
        )
        shaped = np.convolve(noise, resonance)[:length] * np.exp(-np.arange(length) / (length / 4))
        parts += [(shaped / np.abs(shaped).max() * 14_000).astype(np.int16), silence(random.uniform(0.04, 0.12))]
    return np.concatenate(parts)


def white(seconds: float, *, level: float, seed: int = 1) -> Pcm:
    """White noise; `level` is its RMS."""
    return (np.random.default_rng(seed).normal(size=round(seconds * SAMPLE_RATE)) * level).astype(np.int16)


def hum(seconds: float) -> Pcm:
    """Mains hum with its harmonics, and a little hiss."""
    return (_tone(seconds, 50, 100, 150, 250, level=1500) + white(seconds, level=60)).astype(np.int16)


class Sounds:
    """Loads once; downloads the packages into `folder` when they are not there."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "sounds"
        self._root.mkdir(parents=True, exist_ok=True)
        if not (self._root / "complete").is_file():
            self._download()
        self._human = self._root / "usr/share/asterisk/sounds/en_US_f_Allison"
        os.environ.setdefault("ARI_ASSISTANT_PIPER_NOISE", "0")  # the same set in every run
        self._piper = PiperEngine()
        self._piper.load()
        listing = self._root / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
        lines = gzip.decompress(listing.read_bytes()).decode("utf-8", "replace").splitlines()
        pairs = (line.partition(":") for line in lines if not line.startswith(";"))
        self.texts = {name.strip(): text.strip() for name, _, text in pairs if text.strip()}

    def _download(self) -> None:
        for package in _PACKAGES:
            done = subprocess.run(
                ["apt-get", "-qq", "download", package],
                cwd=self._root,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(f"{package}: {done.stderr.strip()}\nRun `apt-get update` and try again.")
        for archive in self._root.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(archive), str(self._root)], check=True)
        (self._root / "complete").touch()

    @staticmethod
    def _read(path: Path) -> Pcm:
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16)

    def human(self, name: str) -> Pcm:
        """One of Asterisk's prompts."""
        return trimmed(self._read(self._human / f"{name}.wav"))

    def music(self, seconds: float) -> Pcm:
        """Music on hold."""
        path = sorted((self._root / "usr/share/asterisk/moh").glob("*.wav"))[0]
        return self._read(path)[SAMPLE_RATE * 5 :][: round(seconds * SAMPLE_RATE)]

    def says(self, text: str) -> Pcm:
        """Piper."""
        parts = [np.frombuffer(data, np.int16) for _, data in self._piper.run({"text": text}, b"")]
        return trimmed(np.concatenate(parts))

    def babble(self, seconds: float) -> Pcm:
        """Six voices at once."""
        names = sorted(name for name, text in self.texts.items() if len(text.split()) > 12)[:24]
        size = round(seconds * SAMPLE_RATE)
        total = np.zeros(size)
        for start in range(6):
            voices = [self.human(name) for name in names[start::6] if (self._human / f"{name}.wav").is_file()]
            total += np.resize(np.concatenate(voices), size)
        return (total / 6).astype(np.int16)


def words_of(text: str) -> list[str]:
    """Lower case, no punctuation, digits as they stand."""
    return re.findall(r"[a-z0-9']+", text.lower())
