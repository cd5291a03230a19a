"""How long to wait after the caller's voice before their turn is taken to be over (contract §10.1).

Theory of operation
-------------------

A pause is judged twice: by the words so far, as soon as they are recognised, and by a model of the end of turns that
listens to the prosody. The words decide between waits from short (a finished sentence) to long (a sentence that breaks
off, digits, spelled letters). The model can only make the wait of a finished sentence shorter.

What an assistant brings of its own comes first: its custom rules, the answer of its own endpointing server, its
`waitFunction`, its `transcriptionEndpointingPlan`, in this order.

Every wait counts from the caller's last voiced frame, in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ari_assistant.turns.completeness import Completeness, ends_with_number, judge
from ari_assistant.turns.wait_function import WaitFunction

__all__ = ["EndpointingPlan", "Evidence", "Rule", "TranscriptionWaits", "Waits", "wait_seconds"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the pause at hand."""

    text: str
    """What was recognised of the utterance so far."""
    finished: float | None = None
    """The end-of-turn model's probability that the turn is over, or None when it has not been heard."""
    asked: str = ""
    """What the assistant said before."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One of `customEndpointingRules`: when `matches(assistant's text, caller's text)`, wait `seconds`."""

    matches: Callable[[str, str], bool]
    seconds: float


@dataclass(frozen=True, slots=True)
class TranscriptionWaits:
    """`transcriptionEndpointingPlan`, with the contract's defaults."""

    on_punctuation: float = 0.1
    on_no_punctuation: float = 1.5
    on_number: float = 0.5


@dataclass(frozen=True, slots=True)
class Waits:
    """Our own waits. `benchmarks/conversation` is where they come from."""

    sure: float = 0.45
    """The words are complete, and the model hears an end."""
    complete: float = 0.6
    """The words are complete; nobody listened to the prosody."""
    doubtful: float = 0.9
    """The words are complete, the model hears no end."""
    open: float = 1.2
    """The words may go on, or the model hears that they do."""
    number: float = 0.7
    dictation: float = 1.3
    incomplete: float = 1.6

    @classmethod
    def around(cls, complete: float) -> Waits:
        """All waits, longer or shorter with that of a complete sentence."""
        own = cls()
        shift = complete - own.complete
        names = ("doubtful", "open", "number", "dictation", "incomplete")
        longer = {name: getattr(own, name) + shift for name in names}
        return replace(own, sure=min(own.sure, complete), complete=complete, **longer)


@dataclass(frozen=True, slots=True)
class EndpointingPlan:
    """How one assistant waits."""

    rules: tuple[Rule, ...] = ()
    wait_function: WaitFunction | None = None
    transcription: TranscriptionWaits | None = None
    waits: Waits = field(default_factory=Waits)
    language: str = "en"
    ends_above: float = 0.4
    """The model's probability from which on it hears an end …"""
    surely_ends_above: float = 0.9
    """… also where the recogniser wrote a comma …"""
    asks_above: float = 0.2
    """… and at the end of a question, whose prosody rises as that of a broken sentence does."""
    goes_on_below: float = 0.05
    """… and up to which it hears that they go on."""
    surely_goes_on_below: float = 0.1


def wait_seconds(plan: EndpointingPlan, evidence: Evidence, *, told: float | None = None) -> float:
    """`told` is what the assistant's own endpointing server answered, if it has one and it did."""
    for rule in plan.rules:
        if rule.matches(evidence.asked, evidence.text):
            return rule.seconds
    if told is not None:
        return told
    if plan.wait_function is not None and evidence.finished is not None:
        return plan.wait_function.seconds(1.0 - evidence.finished)
    if plan.transcription is not None:
        if ends_with_number(evidence.text, plan.language):
            return plan.transcription.on_number
        ended = evidence.text.rstrip().endswith((".", "!", "?", "。", "！", "？", "…", "।", "؟"))
        return plan.transcription.on_punctuation if ended else plan.transcription.on_no_punctuation
    waits = plan.waits
    match judge(evidence.text, asked=evidence.asked, language=plan.language):
        case Completeness.INCOMPLETE:
            return waits.incomplete if evidence.text.strip() else waits.complete
        case Completeness.DICTATION:
            return waits.dictation
        case Completeness.NUMBER:
            return waits.number
        case Completeness.OPEN:
            if evidence.finished is not None and evidence.finished < plan.surely_goes_on_below:
                return waits.incomplete
            return _by_prosody(plan, evidence.finished, plan.surely_ends_above, otherwise=waits.open)
        case Completeness.CERTAIN:
            return _by_prosody(plan, evidence.finished, plan.asks_above, otherwise=waits.complete)
        case Completeness.COMPLETE:
            if evidence.finished is not None and evidence.finished < plan.goes_on_below:
                return waits.open
            return _by_prosody(plan, evidence.finished, plan.ends_above, otherwise=waits.doubtful)


def _by_prosody(plan: EndpointingPlan, finished: float | None, threshold: float, *, otherwise: float) -> float:
    if finished is None:
        return min(plan.waits.complete, otherwise) if otherwise != plan.waits.open else otherwise
    return plan.waits.sure if finished >= threshold else otherwise
