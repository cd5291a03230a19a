"""Speech for the tests: text to a WAV file, recorded audio to text. The same engines as the server's, in here."""

from __future__ import annotations

import hashlib
import os
import re
import wave
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm
from ari_assistant.audio.g711 import ULAW
from ari_assistant.providers.moonshine import MoonshineEngine
from ari_assistant.providers.piper import PiperEngine


def sounds_like(heard: str, phrase: str, *, share: float = 0.75) -> bool:
    """Whether `phrase` was said somewhere in `heard`. The voice never says a thing twice alike, and a recogniser
    writes "good morning" as "goodmorning": letters count, not spaces. Names need an exact test beside it."""
    said, wanted = heard.replace(" ", ""), phrase.replace(" ", "")
    if wanted in said:
        return True
    matcher = SequenceMatcher(None, b=wanted, autojunk=False)
    for at in range(max(1, len(said) - len(wanted) + 1)):
        matcher.set_seq1(said[at : at + len(wanted)])
        if matcher.quick_ratio() >= share and matcher.ratio() >= share:
            return True
    return False


def write_wav(path: Path, pcm: Pcm) -> Path:
    """16 bit mono at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Pcm:
    """All samples, shape (n,) or (n, channels); also of a file that is still being written."""
    if not path.is_file():
        return np.zeros(0, np.int16)
    data = path.read_bytes()
    if len(data) < 44:
        return np.zeros(0, np.int16)
    channels = int.from_bytes(data[22:24], "little") or 1
    pcm = np.frombuffer(data[44 : len(data) - len(data) % (2 * channels)], "<i2")
    return pcm.reshape(-1, channels) if channels > 1 else pcm


class CallerVoice:
    """Loaded once for all tests. `folder` keeps what it has said, for every process that is given the same one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._piper = PiperEngine()
        self._piper.load()
        self._moonshine = MoonshineEngine()
        self._moonshine.load()

    def say(self, text: str, *, before: float = 0.0, after: float = 0.5) -> Path:
        """A WAV file of `text`, with silence around it (seconds). The voice is never twice the same: a try that
        our own recogniser mishears is not what a test wants to be about."""
        name = hashlib.sha256(f"{text}|{before}|{after}".encode()).hexdigest()[:16]
        path = self._folder / f"{name}.wav"
        if not path.is_file():
            wanted = re.sub(r"[^a-z0-9 ]", "", text.lower())
            for _ in range(6):
                parts = [np.frombuffer(data, np.int16) for _, data in self._piper.run({"text": text}, b"")]
                pcm = np.concatenate(parts)
                if self.hear(pcm) == wanted and self.hear(_as_a_call_has_it(pcm)) == wanted:
                    break
            silences = [np.zeros(round(s * SAMPLE_RATE), np.int16) for s in (before, after)]
            written = write_wav(
                path.with_suffix(f".{os.getpid()}"), np.concatenate([silences[0], pcm, silences[1]])
            )
            written.replace(path)  # whole, or not there: other workers read it too
        return path

    def hear(self, audio: Path | Pcm) -> str:
        """What is said in it: lower case, no punctuation. Silences are cut out, as endpointing would,
        and the two numbers of our answers are spelled (recognisers write "9 to 5" as they please)."""
        pcm = read_wav(audio) if isinstance(audio, Path) else audio
        words = []
        for utterance in _utterances(pcm):
            words += [header["text"] for header, _ in self._moonshine.run({}, utterance.tobytes())]
        text = re.sub(r"\b(9|5)\b", lambda digit: {"9": "nine", "5": "five"}[digit[1]], " ".join(words))
        return re.sub(r"[^a-z0-9 ]", "", text.lower())


def _as_a_call_has_it(pcm: Pcm) -> Pcm:
    """Through µ-law, and cut as endpointing cuts it: recognised 0.2 s after the last word."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300)
    end = int(loud[-1]) if loud.size else pcm.size
    quiet = np.zeros(SAMPLE_RATE // 5, np.int16)
    return ULAW.decode(ULAW.encode(np.concatenate([quiet, pcm[:end], quiet])))


def _utterances(pcm: Pcm) -> list[Pcm]:
    """Pieces of sound with at least 0.6 s of silence between them."""
    hop = 800
    loud = [bool(np.abs(pcm[at : at + hop]).max(initial=0) > 400) for at in range(0, len(pcm), hop)]
    pieces: list[tuple[int, int]] = []
    for index, is_loud in enumerate(loud):
        if not is_loud:
            continue
        if pieces and index - pieces[-1][1] <= 6:
            pieces[-1] = (pieces[-1][0], index)
        else:
            pieces.append((index, index))
    return [pcm[max(0, first - 2) * hop : (last + 3) * hop] for first, last in pieces]
