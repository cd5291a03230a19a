"""Who answers an inbound call, and what happens when nobody can: decided here, done by `calls.inbound`.

The number's `call.ringing` hook comes first, then its assistant or squad, then whoever its server names. Where nobody
can answer: the number's `call.ending` hook, its fallback destination, a polite sentence. Whoever could not be sent on
to a hook's or the fallback's destination hears the sentence (contract §3.3, §7.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ari_assistant.assistants.lookup import AssistantMissing, AssistantUnusable, Chosen, choose_assistant
from ari_assistant.calls.assistant_request import Answer, Forward, NoAnswer, Speak, UseAssistant
from ari_assistant.calls.routing import NumberFound
from ari_assistant.calls.variables import variables_of
from ari_assistant.conversation.ending import NO_ASSISTANT_AND_NO_SERVER, Ending
from ari_assistant.dialogue.rules.config import rules_config
from ari_assistant.reports.recorded import Recorded
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages
from ari_assistant.vapi.hook import NumberHookAction
from ari_assistant.vapi.phone_number import AnyPhoneNumber
from ari_assistant.vapi.secret import without_secrets
from ari_assistant.vapi.server import Server

__all__ = [
    "Announce",
    "AskServer",
    "Converse",
    "Decision",
    "Reception",
    "SendOn",
    "ending_hook",
    "readable_assistant",
    "ringing_hook",
]


@dataclass(frozen=True, slots=True)
class Converse:
    """Answer with this assistant."""

    assistant: Assistant


@dataclass(frozen=True, slots=True)
class Announce:
    """Answer, say this, and end the call."""

    text: str
    ending: Ending


@dataclass(frozen=True, slots=True)
class SendOn:
    """Redirect the caller before the answer."""

    destination: Destination
    reason: str
    """`endedReason` when it works."""
    last: bool
    """If it does not, only the sentence is left."""


@dataclass(frozen=True, slots=True)
class AskServer:
    """Send this server an `assistant-request`."""

    server: Server


Decision = Converse | Announce | SendOn | AskServer


class Reception:
    """Of one call that is let in. Each method returns what is to be done next."""

    def __init__(self, recorded: Recorded, found: NumberFound, catalogue: Catalogue, *, apology: str) -> None:
        """`apology`: what a caller hears whom nobody can answer."""
        self._recorded = recorded
        self._number = found.number
        self._catalogue = catalogue
        self._apology = apology

    async def arrived(self, caller: str) -> Decision:
        """`caller`: their number, as the INVITE has it."""
        hook = ringing_hook(self._number, caller)
        if hook is not None:
            return self._hook(hook, "call.ringing", last=False)
        number = self._number
        try:
            body = {"assistantId": number.assistant_id, "squadId": number.squad_id}
            chosen = await choose_assistant(self._catalogue, body)
        except AssistantMissing as fault:
            return self._nobody(Ending("assistant-not-found", str(fault)))
        except AssistantUnusable as fault:
            return self._nobody(Ending("assistant-not-valid", str(fault)))
        if chosen is not None:
            return self._use(chosen)
        server = self._recorded.messages.number_server
        if server is None:
            return self._nobody(NO_ASSISTANT_AND_NO_SERVER)
        return AskServer(server)

    def answered(self, answer: Answer) -> Decision:
        """This is what the server says."""
        match answer:
            case UseAssistant(chosen):
                return self._use(chosen)
            case Forward(destination):
                return SendOn(destination, "assistant-request-returned-forwarding-phone-number", last=False)
            case Speak(text):
                return Announce(text, Ending("assistant-request-returned-error", text))
            case NoAnswer(ending, response):
                return self._nobody(ending, response)

    def not_sent_on(self, tried: SendOn, fault: str) -> Decision:
        """The redirect did not work."""
        ending = Ending("call.in-progress.error-transfer-failed", fault)
        if tried.last:
            self._note(ending)
            return Announce(self._apology, ending)
        return self._nobody(ending)

    def _use(self, chosen: Chosen) -> Decision:
        self._recorded.record.squad_id = chosen.squad_id
        try:
            assistant = readable_assistant(chosen)
        except AssistantUnusable as fault:
            return self._nobody(Ending("assistant-request-returned-invalid-assistant", str(fault)))
        self._recorded.record.take_assistant(assistant, chosen)
        return Converse(assistant)

    def _nobody(self, ending: Ending, response: Any = None) -> Decision:
        """Nobody can answer. `response` is what the server answered, for the operator."""
        self._note(ending, response)
        hook = ending_hook(self._number, ending)
        if hook is not None:
            return self._hook(hook, "call.ending", last=True)
        fallback = self._number.fallback_destination
        if fallback is not None:
            return SendOn(fallback, ending.reason, last=True)
        return Announce(self._apology, ending)

    def _note(self, ending: Ending, response: Any = None) -> None:
        """For the operator: in the log, and in the last status update."""
        debugging: JsonObject = {"error": ending.message, "assistantRequestError": ending.reason}
        if response is not None:
            debugging["assistantRequestResponse"] = without_secrets(response)
        self._recorded.record.debugging = debugging
        self._recorded.log.warning("no_assistant", reason=ending.reason, message=ending.message)

    def _hook(self, action: NumberHookAction, on: str, *, last: bool) -> Decision:
        """A hook of the number (§3.3): it says something and the call ends, or sends the caller on."""
        ending = Ending(f"{on}.hook-executed-{action.type}")
        if action.type == "transfer" and action.destination is not None:
            return SendOn(action.destination, ending.reason, last)
        text = action.exact or action.prompt or self._apology
        return Announce(variables_of(self._recorded).spoken(text), ending)


def readable_assistant(chosen: Chosen) -> Assistant:
    """The assistant that was chosen, read. Raises AssistantUnusable."""
    try:
        assistant = Assistant.model_validate(chosen.document)
        rules_config(assistant)
    except ValidationError as fault:
        raise AssistantUnusable("; ".join(validation_messages(fault))) from None
    return assistant


def ringing_hook(number: AnyPhoneNumber, caller: str) -> NumberHookAction | None:
    """The action of the first `call.ringing` hook whose filters fit the caller's number."""
    plain = caller.removeprefix("+")
    for hook in number.hooks or ():
        fits = all(
            any(plain.startswith(start.removeprefix("+")) for start in one.starts_with or ())
            for one in hook.filters or ()
            if one.key == "number"
        )
        if hook.on == "call.ringing" and fits and hook.action is not None:
            return hook.action
    return None


def ending_hook(number: AnyPhoneNumber, ending: Ending) -> NumberHookAction | None:
    """The action of the first `call.ending` hook whose filters fit an `assistant-request` that failed."""
    if not ending.reason.startswith("assistant-request-"):
        return None
    for hook in number.hooks or ():
        fits = all(
            ending.reason in (one.one_of or ()) for one in hook.filters or () if one.key == "call.endedReason"
        )
        if hook.on == "call.ending" and fits and hook.action is not None:
            return hook.action
    return None
