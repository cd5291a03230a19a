"""The scores: what a caller notices of turn-taking, ours and three plain ways on the same audio in the same run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from ari_assistant.audio.playout import heard_words
from benchmarks.conversation.dataset import Overlap, Turn, endings, noisy, overlaps, pauses, unseen
from benchmarks.conversation.replay import OURS, STRATEGIES, Engines, Strategy, flags_of, overlapped, turned
from benchmarks.conversation.sounds import Sounds, telephone, white, words_of
from tests.support.replay import Heard, runs

__all__ = ["capture", "score"]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _is_cut(turn: Turn, heard: Heard) -> bool:
    """A reply was heard before the caller had finished."""
    return any(replied < turn.ended - 0.05 for replied in heard.replied)


def score(console: Console, folder: Path, *, quick: bool = False, details: bool = False) -> None:
    """Print every table."""
    sounds, engines = Sounds(folder), Engines(folder)
    done, broken, over = list(endings(sounds)), list(pauses(sounds, engines.words)), list(overlaps(sounds))
    try:
        _turns(console, "Ends of turns, quiet line", done, broken, engines, STRATEGIES, details)
        fresh = list(unseen(sounds))
        fresh_done = [turn for turn in fresh if not turn.gaps]
        fresh_broken = [turn for turn in fresh if turn.gaps]
        title = "Sentences that the word lists were not made with"
        _turns(console, title, fresh_done, fresh_broken, engines, (OURS, STRATEGIES[2]), details)
        _overlaps(console, over, engines, details)
        _heard_history(console, sounds, engines)
        _words(console, done, engines, "quiet")
        if not quick:
            noises = {"white noise": white(20.0, level=1000, seed=3), "babble": sounds.babble(20.0)}
            for name, noise in noises.items():
                for decibels in (20, 10, 5):
                    loud_done = list(noisy(done, noise, decibels))
                    loud_broken = list(noisy(broken, noise, decibels))
                    title = f"{name}, {decibels} dB below the speech"
                    _turns(console, title, loud_done, loud_broken, engines, (OURS, STRATEGIES[3]), False)
                    _words(console, loud_done, engines, title)
    finally:
        engines.save()


def capture(folder: Path, target: Path) -> None:
    """Write what the engines hear of every dialogue, for the unit tests: they replay it without engines."""
    sounds, engines = Sounds(folder), Engines(folder)
    turns = []
    for turn in [*endings(sounds), *pauses(sounds, engines.words), *unseen(sounds)]:
        heard = turned(turn, OURS, engines)
        turns.append(
            {
                "name": turn.name,
                "kind": turn.kind,
                "ended": round(turn.ended, 3),
                "asked": turn.asked,
                "broken": bool(turn.gaps),
                "speech": runs(flags_of(turn.pcm, OURS, engines)),
                "pauses": heard.trace,
            }
        )
    sounds_over = []
    for item in overlaps(sounds):
        result, flags = overlapped(item, OURS, engines)
        sounds_over.append(
            {
                "name": item.name,
                "kind": item.kind,
                "begins": item.begins,
                "interrupts": item.interrupts,
                "speech": runs(flags),
                "pauses": result.trace,
            }
        )
    engines.save()
    lines = [json.dumps(entry, ensure_ascii=False) for entry in turns]
    more = [json.dumps(entry, ensure_ascii=False) for entry in sounds_over]
    text = '{"turns": [\n' + ",\n".join(lines) + '\n], "overlaps": [\n' + ",\n".join(more) + "\n]}\n"
    target.write_text(text, encoding="utf-8")


def _turns(
    console: Console,
    title: str,
    done: Sequence[Turn],
    broken: Sequence[Turn],
    engines: Engines,
    strategies: Sequence[Strategy],
    details: bool,
) -> None:
    table = Table(title=f"{title}: {len(done)} complete turns, {len(broken)} with pauses")
    for column in (
        "",
        "end p50 ms",
        "p95",
        "closed ≤ 500 ms",
        "reply p50",
        "p95",
        "cut off",
        "missed",
        "ratio p50",
    ):
        table.add_column(column, justify="left" if not column else "right")
    base = 0.0
    for strategy in strategies:
        ends: list[float] = []
        replies: list[float] = []
        missed = cut = 0
        kinds: Counter[str] = Counter()
        for turn in done:
            heard = turned(turn, strategy, engines)
            if not heard.ended:
                missed += 1
                continue
            ends.append((heard.ended[-1] - turn.ended) * 1000)
            replies.append(((heard.replied or heard.ended)[-1] - turn.ended) * 1000)
            if details and strategy is OURS and ends[-1] > 500:
                console.print(f"slow {ends[-1]:.0f} ms: {turn.name!r} {heard.trace}", markup=False, style="dim")
        for turn in broken:
            heard = turned(turn, strategy, engines)
            if _is_cut(turn, heard):
                cut += 1
                kinds[turn.kind] += 1
                if details and strategy is OURS:
                    gaps = [f"{b - a:.2f}" for a, b in turn.gaps]
                    console.print(
                        f"cut: {turn.kind}: {turn.name!r} {gaps} {heard.trace}", markup=False, style="dim"
                    )
        middle = float(np.percentile(ends, 50)) if ends else 0.0
        base = base or middle
        table.add_row(
            strategy.name,
            f"{middle:.0f}",
            f"{np.percentile(ends, 95):.0f}" if ends else "–",
            _percent(sum(end <= 500 for end in ends), len(done)),
            f"{np.percentile(replies, 50):.0f}" if replies else "–",
            f"{np.percentile(replies, 95):.0f}" if replies else "–",
            _percent(cut, len(broken)),
            str(missed),
            f"{middle / base:.2f}",
        )
        if details and kinds:
            console.print(f"{strategy.name}: {dict(kinds)}", style="dim")
    console.print(table)


def _overlaps(console: Console, over: Sequence[Overlap], engines: Engines, details: bool) -> None:
    names = sorted({item.kind for item in over}, key=[item.kind for item in over].index)
    table = Table(title="Sounds over a reply")
    for column in (
        "",
        *(f"{n}\n({sum(o.kind == n for o in over)})" for n in names),
        "stop p50 ms",
        "p95",
        "resumed",
    ):
        table.add_column(column, justify="left" if not column else "right")
    for strategy in STRATEGIES:
        if strategy.name == "ours, words alone":
            continue
        wrong: Counter[str] = Counter()
        stopped: Counter[str] = Counter()
        stops: list[float] = []
        back = false_holds = 0
        for item in over:
            result, _ = overlapped(item, strategy, engines)
            wrong[item.kind] += bool(result.interrupted) is not item.interrupts
            stopped[item.kind] += bool(result.held)
            if item.interrupts and (result.held or result.interrupted):
                stops.append(((result.held or result.interrupted)[0] - item.begins) * 1000)
            if not item.interrupts and result.held:
                false_holds += 1
                back += not result.interrupted and len(result.resumed) == len(result.held)
            if details and strategy is OURS and (bool(result.interrupted) is not item.interrupts or result.trace):
                console.print(f"{item.kind} {item.name!r}: {result}", markup=False, style="dim")
        cells = [f"{wrong[n]} missed" if n == "words" else f"{wrong[n]} false, {stopped[n]} stops" for n in names]
        table.add_row(
            strategy.name,
            *cells,
            f"{np.percentile(stops, 50):.0f}" if stops else "–",
            f"{np.percentile(stops, 95):.0f}" if stops else "–",
            f"{back}/{false_holds}",
        )
    console.print(table)


def _heard_history(console: Console, sounds: Sounds, engines: Engines) -> None:
    """A clause is cut at a tenth, two tenths, …: how many words is our estimate off what a recogniser hears of it?"""
    texts = [
        "We are open from Monday to Friday, nine to five.",
        "You can leave a message after the tone, and we will call you back within a day.",
        "Your appointment is on Tuesday the third of March at half past ten in the morning.",
        "A large pizza with mushrooms and extra cheese is twelve dollars.",
        "I'm sorry, I did not understand that, could you please say it again?",
    ]
    ours: list[int] = []
    plain: list[int] = []
    for text in texts:
        pcm = sounds.says(text)
        for tenth in range(2, 10):
            cut = pcm.size * tenth // 10
            recognised = len(words_of(engines.words(telephone(pcm[:cut]))))
            ours.append(abs(len(heard_words(text, pcm, cut).split()) - recognised))
            plain.append(abs(round(len(text.split()) * tenth / 10) - recognised))
    table = Table(title=f"Heard history: words off, {len(ours)} cuts")
    for column in ("", "mean", "exact", "≤ 1 word", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in (("share of the samples", plain), ("ours", ours)):
        near = _percent(sum(v <= 1 for v in values), len(values))
        exact = _percent(sum(v == 0 for v in values), len(values))
        table.add_row(name, f"{np.mean(values):.2f}", exact, near, f"{np.mean(values) / np.mean(plain):.2f}")
    console.print(table)


def _words(console: Console, turns: Sequence[Turn], engines: Engines, title: str) -> None:
    """Word error rate of the utterances as our endpointing cut them."""
    errors = total = 0
    for turn in turns:
        if not turn.text:
            continue
        wanted = words_of(turn.text)
        heard = words_of(turned(turn, OURS, engines).words)
        errors += _distance(wanted, heard)
        total += len(wanted)
    console.print(f"Word error rate, {title}: {_percent(errors, total)} of {total} words")


def _distance(wanted: Sequence[str], heard: Sequence[str]) -> int:
    row = list(range(len(heard) + 1))
    for n, word in enumerate(wanted, 1):
        before, row[0] = row[0], n
        for m, other in enumerate(heard, 1):
            before, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, before + (word != other))
    return row[-1]
