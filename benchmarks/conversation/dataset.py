"""The dialogues, with their ground truth. Everything is built from `sounds`, the same in every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ari_assistant.audio.frame import SAMPLE_RATE, Pcm, seconds
from benchmarks.conversation.sounds import (
    Sounds,
    busy,
    cough,
    dtmf,
    hum,
    mixed,
    ringback,
    silence,
    telephone,
    trimmed,
    white,
    words_of,
)

__all__ = ["Overlap", "Turn", "endings", "noisy", "overlaps", "pauses", "unseen"]

LEAD = 0.6
"""Quiet before the first word, seconds."""
TAIL = 3.0

HUMAN = tuple(
    """
    all-circuits-busy-now conf-extended conf-full conf-getpin conf-locked conf-muted conf-now-recording
    conf-onlyone conf-onlyperson conf-leaderhasleft confbridge-invalid confbridge-only-participant
    confbridge-removed demo-nomatch feature-not-avail-line followme/sorry number-not-answering
    please-try-call-later queue-thankyou something-terribly-wrong sorry-youre-having-problems tt-monkeysintro
    tt-weasels vm-mailboxfull vm-msgsaved vm-nobodyavail vm-nonumber vm-passchanged transfer
    cannot-complete-as-dialed conf-placeintoconf enter-num-blacklist pls-hold-while-try privacy-incorrect
    queue-youarenext vm-nobox vm-msgforwarded privacy-unident vm-dialout followme/no-recording activated
    cancelled call-waiting auth-thankyou
    """.split()  # noqa: SIM905
)
"""Sentences that are complete, said by a person."""
SYNTHETIC = (
    "When are you open?",
    "Yes.",
    "No, thank you.",
    "I'd like to book a table for two.",
    "Monday morning.",
    "My name is John Smith.",
    "What does it cost?",
    "Could you repeat that?",
    "Can I speak to a person?",
    "It's about my last bill.",
    "I want to cancel my appointment.",
    "Tomorrow at three.",
    "Hello?",
    "That's right.",
    "Where are you located?",
    "I'm calling about the job.",
    "Do you take credit cards?",
    "Four people.",
    "I don't know.",
    "Is there parking nearby?",
    "Please call me back.",
    "My order has not arrived yet.",
    "How long does delivery take?",
    "Okay, goodbye.",
    "I would like to leave a message.",
    "Are you a robot?",
    "The second one.",
    "Can you send it to my home address?",
    "I need help with my internet connection.",
    "Sure.",
    "It stopped working yesterday.",
    "What time do you close on Saturday?",
    "I'd like a large pizza with mushrooms.",
    "Do you have anything in blue?",
    "That sounds good to me.",
    "I've already paid for it.",
)
HUMAN_BROKEN = (
    ("conf-enteringno", "digits/4"), ("confbridge-dec-list-vol-in", "press-1"), ("confbridge-leave-in", "press-2"),
    ("confbridge-lock-in", "press-3"), ("confbridge-menu-exit-in", "press-4"), ("confbridge-mute-in", "press-5"),
    ("confbridge-remove-last-in", "press-6"), ("confbridge-rest-list-vol-in", "press-7"),
    ("num-was-successfully", "added"), ("priv-callpending", "letters/d"),
    ("privacy-to-blacklist-last-caller", "digits/9"), ("queue-holdtime", "digits/10"),
    ("queue-quantity1", "digits/3"), ("queue-thereare", "digits/2"), ("vm-num-i-have", "digits/7"),
    ("at-tone-time-exactly", "digits/8"), ("if-correct-press", "digits/1"), ("to-call-this-number", "press-8"),
    ("to-listen-to-it", "press-9"), ("confbridge-inc-talk-vol-in", "press-0"),
)  # fmt: skip
"""Prompts that break off, and what goes on with them."""
SYNTHETIC_BROKEN = (
    "I'd like to|book a table for two.;My name is|John Smith.;Can I get a large pizza with|extra cheese?"
    ";I'm calling about|my last bill.;I want to cancel my|appointment on Monday.;Well, um|when are you open?"
    ";I need to talk to someone about the|delivery.;Yes, and|I also wanted to ask about parking."
    ";Could you tell me if|you are open on Sunday?;It stopped working yesterday and|now there is no light at all."
    ";I was wondering whether|you could help me.;The problem is that|it keeps restarting."
    ";So, uh|I think I'd like the blue one.;I live at|twelve Station Road.;Please call me back on|Friday afternoon."
    ";I'd like a table for|four people.;My order number is|nine one two seven.;Because|I already paid for it."
    ";I think it was|last Tuesday.;Do you have|anything in blue?;I'd like to leave a message for|Doctor Brown."
    ";If it is possible|I would like to come in the morning.;When I called yesterday|nobody answered."
    ";I have a question|about my last bill.;I'd like to book a table|for two people tomorrow."
    ";Can you send it|to my home address?;We were there last week|and left an umbrella.;It's a, um|a red bicycle."
    ";Could I maybe|change the date?;I would like two|no, three tickets."
)
UNSEEN = (
    "I need to change my flight.|Does it come with a guarantee?|My daughter lost her key card.|A quarter past nine."
    "|Nobody told me about that.|We ran out of paper again.|The blue one, please.|How far is the station?"
    "|It was delivered to the wrong house.|Green.|Maybe next week.|She works in your sales department."
    "|Can my brother pick it up?|There is water coming through the ceiling.|I'll take both.|Just the usual."
    "|Good evening.|What happens if I cancel?|The light keeps blinking.|You sent me the wrong size."
    "|On Wednesday afternoon.|Who should I talk to?|I paid by bank transfer.|Not at the moment.|Are dogs allowed?"
    "|It's for my mother.|I already spoke to your colleague.|Two nights.|The screen is cracked."
    "|Everything was fine, thanks."
)
SECOND_BROKEN = (
    "I need to change the|name on my booking.;My daughter lost|her key card.;We would like to stay until|Thursday."
    ";Does the price include|breakfast?;The invoice says|forty, but I paid thirty.;I bought it in|your shop in March."
    ";Could you ask your colleague whether|he found my umbrella?;Since last night|the heating does not work."
    ";I'm looking for a present for my|nephew.;Er, let me think|the twelfth would be good.;She wants either the red or|"
    "the yellow one.;Our address has changed, it is now|nine Mill Lane."
    ";I tried to log in but|it says my password is wrong."
    ";He told me that I should|call this number.;We need|three single rooms.;It has been making a strange noise|"
    "since Monday.;Can my brother|pick it up?;The second thing is|the parking.;Instead of the soup|I'd like a salad."
    ";I would prefer a seat by the|window."
)
UNSEEN_BROKEN = (
    "My neighbour has|the same problem.;I was told to ask for|Missus Miller.;The parcel should have arrived|on Friday."
    ";Is it possible to|change the colour?;We moved here|two months ago.;The red light on the left|is always on."
    ";I have been waiting for|three weeks.;Would you mind|speaking a little slower?"
    ";My appointment was at|half past ten."
    ";The last time|it took an hour.;I think there is|a mistake.;Do your rooms|have air conditioning?"
    ";The number on the back is|four two seven.;I don't understand why|it costs so much.;Please tell him that|I called."
    ";For the party we need|twenty chairs.;It is either|Tuesday or Thursday.;Could we sit|outside?"
    ";After the update|nothing works.;My wife and I|would like to come."
)
"""`SECOND_BROKEN` was looked at once, and the verbs that want an object came of it; this one was written after that. No
word list was changed because of it."""
PAUSES = (0.3, 0.4, 0.5, 0.6, 0.75, 0.95, 1.2)
"""Seconds, in turn: half of all hesitations are shorter than half a second."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a caller."""

    name: str
    kind: str
    pcm: Pcm
    ended: float
    """When the last word ends, in seconds of the audio."""
    text: str = ""
    gaps: tuple[tuple[float, float], ...] = ()
    """Pauses inside the turn: from, to."""
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Something is heard while the assistant speaks."""

    name: str
    kind: str
    pcm: Pcm
    begins: float
    interrupts: bool
    assistant: Pcm
    """What the assistant says meanwhile."""


def _turn(
    name: str, kind: str, parts: Sequence[Pcm], gaps: Sequence[float], text: str = "", asked: str = ""
) -> Turn:
    pieces: list[Pcm] = [silence(LEAD)]
    found: list[tuple[float, float]] = []
    at = LEAD
    for n, part in enumerate(parts):
        pieces.append(part)
        at += seconds(part.size)
        if n < len(gaps):
            pieces.append(silence(gaps[n]))
            found.append((at, at + gaps[n]))
            at += gaps[n]
    pieces.append(silence(TAIL))
    return Turn(name, kind, telephone(np.concatenate(pieces)), at, text, tuple(found), asked)


def endings(sounds: Sounds) -> Iterator[Turn]:
    """Complete turns: how soon are they taken to be over?"""
    for name in HUMAN:
        yield _turn(name, "human", [sounds.human(name)], [], sounds.texts.get(name, ""))
    for text in SYNTHETIC:
        yield _turn(text, "synthetic", [sounds.says(text)], [], text)


def pauses(sounds: Sounds, words: Callable[[Pcm], str]) -> Iterator[Turn]:
    """Turns with a pause in the middle: are they cut off? `words` recognises: a prompt is cut between two
    words, which is seen by the recogniser hearing whole words before the cut."""
    lengths = _cycle(PAUSES)
    for name, rest in HUMAN_BROKEN:
        rest_pcm = sounds.human(rest) if not rest.startswith("press-") else _press(sounds, rest[-1])
        yield _turn(f"{name}+{rest}", "human, broken off", [sounds.human(name), rest_pcm], [next(lengths)])
    for name in HUMAN[:38]:
        pcm = sounds.human(name)
        cut = _quietest(pcm)
        before = words_of(words(telephone(np.concatenate([silence(0.2), pcm[:cut], silence(0.2)]))))
        if seconds(pcm.size) > 1.3 and before == words_of(sounds.texts[name])[: len(before)]:
            yield _turn(
                f"{name}@{cut / pcm.size:.2f}",
                "human, cut between words",
                [trimmed(pcm[:cut]), trimmed(pcm[cut:])],
                [next(lengths)],
            )
    for pair in f"{SYNTHETIC_BROKEN};{SECOND_BROKEN}".split(";"):
        first, second = pair.split("|")
        yield _turn(pair, "synthetic", [sounds.says(first + ","), sounds.says(second)], [next(lengths)])
    random = np.random.default_rng(4)
    for n in range(10):
        digits = [str(d) for d in random.integers(0, 10, 6)]
        gaps = [float(random.choice(PAUSES[:6])) if at in (2, 3) else 0.08 for at in range(5)]
        yield _turn(
            "".join(digits), "digits", [sounds.human(f"digits/{d}") for d in digits], gaps, " ".join(digits),
            "What is your customer number?" if n % 2 else "",
        )  # fmt: skip
    for _ in range(6):
        letters = [chr(97 + int(c)) for c in random.integers(0, 26, 5)]
        gaps = [float(random.choice(PAUSES[:6])) if at == 2 else 0.1 for at in range(4)]
        yield _turn("".join(letters), "letters", [sounds.human(f"letters/{c}") for c in letters], gaps,
                    asked="Could you spell your name?")  # fmt: skip


def unseen(sounds: Sounds) -> Iterator[Turn]:
    """Complete and broken turns that nothing was tuned on."""
    for text in UNSEEN.split("|"):
        yield _turn(text, "unseen", [sounds.says(text)], [], text)
    lengths = _cycle(PAUSES)
    for pair in UNSEEN_BROKEN.split(";"):
        first, second = pair.split("|")
        yield _turn(pair, "unseen", [sounds.says(first + ","), sounds.says(second)], [next(lengths)])


def noisy(turns: Sequence[Turn], noise: Pcm, decibels: float) -> Iterator[Turn]:
    """The same with noise, from the first sample to the last."""
    for turn in turns:
        yield replace(turn, pcm=telephone(mixed(turn.pcm, noise, decibels)))


def overlaps(sounds: Sounds) -> Iterator[Overlap]:
    """What may happen while the assistant speaks."""
    reply = sounds.says(
        "We are open from Monday to Friday, nine to five. On Saturdays we close at noon, and on Sundays we are closed."
        " You can also order on our website, or leave a message, and we will call you back within a day."
    )
    begins = 2.0

    def over(name: str, kind: str, pcm: Pcm, interrupts: bool) -> Overlap:
        whole = np.concatenate([silence(begins), pcm, silence(TAIL)])
        return Overlap(name, kind, telephone(whole), begins, interrupts, reply)

    for text in (
        "Stop.", "Wait a moment.", "Excuse me, when are you open?", "No, that's wrong.", "Hold on please.",
        "I have another question.", "Can I speak to somebody?", "What about Sunday?", "Actually, I want to cancel.",
        "But I already paid.", "Hello? Can you hear me?", "Not today.",
    ):  # fmt: skip
        yield over(text, "words", sounds.says(text), True)
    for name in ("privacy-incorrect", "pls-hold-while-try", "number-not-answering", "cancelled", "vm-dialout"):
        yield over(name, "words", sounds.human(name), True)
    for text in ("Yeah.", "Okay.", "Mm-hmm.", "Uh-huh.", "I see.", "Right.", "Sure.", "Got it.", "Yeah, okay."):
        yield over(text, "acknowledgement", sounds.says(text), False)
    for seed in range(8):
        yield over(f"cough {seed}", "cough", cough(seed), False)
    length = 6.0
    for level in (100.0, 500.0, 1500.0, 4000.0):
        yield over(f"white noise {level:g}", "noise", white(length, level=level), False)
    yield over("hum", "noise", hum(length), False)
    for gain in (0.25, 0.5):
        yield over(f"babble {gain}", "babble", (sounds.babble(length) * gain).astype(np.int16), False)
    yield over("ringback", "tones", ringback(length), False)
    yield over("busy", "tones", busy(length), False)
    yield over("keys", "tones", dtmf("1234567890*#"), False)
    yield over("music on hold", "music", sounds.music(length), False)
    for delay in (0.02, 0.06, 0.12, 0.2, 0.3):
        for decibels in (6, 12, 20):
            echo = np.concatenate([silence(delay), reply])[: int(8 * SAMPLE_RATE)]
            echo = (echo * 10 ** (-decibels / 20)).astype(np.int16)
            yield Overlap(f"echo {delay * 1000:.0f} ms −{decibels} dB", "echo", telephone(echo), 0.0, False, reply)


def _press(sounds: Sounds, key: str) -> Pcm:
    return np.concatenate([sounds.says("press"), silence(0.05), sounds.human(f"digits/{key}")])


def _quietest(pcm: Pcm) -> int:
    energy = np.convolve(pcm.astype(float) ** 2, np.ones(480) / 480, "same")
    low, high = int(0.3 * pcm.size), int(0.75 * pcm.size)
    return low + int(np.argmin(energy[low:high]))


def _cycle(values: Sequence[float]) -> Iterator[float]:
    while True:
        yield from values
