"""What the core of a conversation wants done, in order. Each is data; `session` performs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ari_assistant.conversation.ending import Ending
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.hook import HookAction

__all__ = [
    "Action",
    "AddMessage",
    "Announced",
    "BackchannelNow",
    "Collect",
    "CommitCaller",
    "ConfirmReply",
    "CutReply",
    "DelayReply",
    "EndCall",
    "FinishReply",
    "ForgetUtterance",
    "Generate",
    "HoldPlayout",
    "HookFired",
    "OpenLine",
    "OverlapJudged",
    "PausePlayout",
    "PlayComfortNoise",
    "PrepareReply",
    "Recognise",
    "ReplySpec",
    "ResumePlayout",
    "Say",
    "SayNotUnderstood",
    "SpeechUpdate",
    "StopDetection",
    "Tell",
    "Text",
    "TransferCaller",
    "UnpausePlayout",
    "UseTool",
    "Warn",
    "WithdrawRecognition",
    "WithdrawReply",
    "Words",
]


@dataclass(frozen=True, slots=True)
class Text:
    """What is said: one of `choices`, at random."""

    choices: tuple[str, ...]
    is_template: bool = True
    """Its variables are to be filled. What a caller said or a model wrote never is one."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the caller said. Times in seconds, the core's clock."""

    text: Text
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class ReplySpec:
    """A reply, as the core numbers it."""

    number: int
    """Of this reply alone."""
    turn: int
    """Of the utterance that it answers; of one that answers none, a number that no utterance has."""
    source: Literal["model", "force-say"]
    confirmed: bool
    """It may be heard. If not: only when `ConfirmReply` has come."""
    protected: bool
    """It cannot be interrupted."""
    not_before: float = float("-inf")
    """The earliest moment at which a confirmed one may be heard."""


# -- the caller's utterance -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Collect:
    """An utterance begins, a little before the first voiced frame."""


@dataclass(frozen=True, slots=True)
class Recognise:
    """Recognise what has been collected of `turn`, and bring the words (`Core.recognised`)."""

    turn: int
    afresh: bool
    """There is more than what was recognised last."""
    over_reply: bool
    """It was said over a reply: bring a verdict's words, not evidence of an end."""


@dataclass(frozen=True, slots=True)
class StopDetection:
    """Nothing waits any more for what is being recognised."""


@dataclass(frozen=True, slots=True)
class WithdrawRecognition:
    """The caller goes on: the words so far are not all."""


@dataclass(frozen=True, slots=True)
class ForgetUtterance:
    """What has been collected is of no use (any more)."""


@dataclass(frozen=True, slots=True)
class OverlapJudged:
    """For the log: what was said over the reply, and whether it counts."""

    turn: int
    words: str
    interrupts: bool


@dataclass(frozen=True, slots=True)
class BackchannelNow:
    """Let the caller know that they are heard, beside all replies."""


# -- replies --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PrepareReply:
    """The turn may be over: a reply to it begins, unheard. What it says comes with `Generate` or `Say`."""

    reply: ReplySpec
    voice_ended: float


@dataclass(frozen=True, slots=True)
class Generate:
    """Ask the model, and say what it answers behind `preface`. Without words it opens, or speaks of its own accord
    with these further instructions."""

    reply: ReplySpec
    words: Words | None
    prompts: tuple[Text, ...]
    preface: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Say:
    """Say fixed texts, one after the other."""

    reply: ReplySpec
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class SayNotUnderstood:
    """Ask the caller to say it again."""

    reply: ReplySpec


@dataclass(frozen=True, slots=True)
class ConfirmReply:
    """The caller has finished: what was prepared may be heard from `not_before` on."""

    number: int
    not_before: float


@dataclass(frozen=True, slots=True)
class DelayReply:
    """The caller's voice was heard: a reply of which no sound is there yet is not to be heard before `not_before`."""

    number: int
    not_before: float


@dataclass(frozen=True, slots=True)
class WithdrawReply:
    """Nothing of it has been heard, and nothing remains."""

    number: int


@dataclass(frozen=True, slots=True)
class CutReply:
    """Fall silent at once; what was heard goes into the history."""

    number: int
    turn: int
    """The turn that is on."""
    interrupted: bool = False
    """By the caller's voice."""
    cuts_in: bool = False
    """… who had not finished when the reply began."""


@dataclass(frozen=True, slots=True)
class FinishReply:
    """It was heard to its end, or came to nothing: what was heard goes into the history."""

    number: int
    turn: int
    """The turn that is on."""


@dataclass(frozen=True, slots=True)
class CommitCaller:
    """What the caller said goes into the history, once: it cannot be taken back any more."""

    number: int
    """Of the reply that answers it."""
    turn: int


@dataclass(frozen=True, slots=True)
class HoldPlayout:
    """Fall silent, and be ready to go on."""


@dataclass(frozen=True, slots=True)
class ResumePlayout:
    """It was nothing: go on where the reply was cut."""


@dataclass(frozen=True, slots=True)
class PausePlayout:
    """The caller does not listen: whatever reply is open, and whichever is opened, waits."""


@dataclass(frozen=True, slots=True)
class UnpausePlayout:
    """The caller listens again."""


@dataclass(frozen=True, slots=True)
class OpenLine:
    """From now on words are heard at the far end."""


@dataclass(frozen=True, slots=True)
class PlayComfortNoise:
    """20 ms of a quiet line, which prime the far end's jitter buffer."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement is over."""


# -- everything else ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechUpdate:
    """Somebody speaks, or does not (`speech-update`, contract §7.4, which is sent once a change)."""

    role: Literal["user", "assistant"]
    speaks: bool
    turn: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Send a server message that needs nothing but its kind and the reply that it is about."""

    kind: str
    reply: int | None = None


@dataclass(frozen=True, slots=True)
class AddMessage:
    """Put a message into the history."""

    role: str
    text: Text


@dataclass(frozen=True, slots=True)
class HookFired:
    """For the log."""

    action: str


@dataclass(frozen=True, slots=True)
class Warn:
    """For the operator's log."""

    event: str


@dataclass(frozen=True, slots=True)
class UseTool:
    """Run a hook's tool, and bring what becomes of it (`Core.tool_done`)."""

    hook: HookAction


@dataclass(frozen=True, slots=True)
class TransferCaller:
    """Send the caller on."""

    destination: Destination
    is_template: bool
    """Its templates are to be filled."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """It is over."""

    ending: Ending


Action = (
    AddMessage
    | Announced
    | BackchannelNow
    | Collect
    | CommitCaller
    | ConfirmReply
    | CutReply
    | DelayReply
    | EndCall
    | FinishReply
    | ForgetUtterance
    | Generate
    | HoldPlayout
    | HookFired
    | OpenLine
    | OverlapJudged
    | PausePlayout
    | PlayComfortNoise
    | PrepareReply
    | Recognise
    | ResumePlayout
    | Say
    | SayNotUnderstood
    | SpeechUpdate
    | StopDetection
    | Tell
    | TransferCaller
    | UnpausePlayout
    | UseTool
    | Warn
    | WithdrawRecognition
    | WithdrawReply
)
