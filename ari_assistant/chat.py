"""`ari-assistant chat`: talk to an assistant by typing, without a telephone, without speech."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ari_assistant.assistants.model_providers import ModelChoice
from ari_assistant.assistants.provider_access import access_for
from ari_assistant.config.assistants_file import ORG_ID, load_assistants_file, shipped_assistants_file
from ari_assistant.config.ports import make_data_dir
from ari_assistant.config.providers import chat_endpoint, provider_access
from ari_assistant.config.settings import Settings
from ari_assistant.dialogue.history import Entry, History, ToolsCalled, ToolsResult
from ari_assistant.dialogue.prompt import chat_messages, system_messages
from ari_assistant.dialogue.template import builtin_variables, fill_for_speech, render
from ari_assistant.dialogue.tools import Offered, offered_tools
from ari_assistant.fault import Fault
from ari_assistant.providers.errors import ProviderError
from ari_assistant.providers.model import Model, ModelRequest, TextDelta, ToolCall
from ari_assistant.store.catalogue import Catalogue, file_id
from ari_assistant.store.database import migrate, open_database
from ari_assistant.store.repositories import Listing, Resource
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.webhooks.url_policy import UrlPolicy

__all__ = ["ChatFault", "chat"]

_MAX_ROUNDS = 8


class ChatFault(Fault):
    """The chat cannot begin; the text says what to do."""


async def chat(
    settings: Settings,
    name: str,
    *,
    variables: Mapping[str, str],
    lines: Iterable[str],
    show: Callable[[str, str], None],
    ask: Callable[[str], str],
) -> None:
    """Talk to the assistant with this id or name, of the assistants file or the database, until `lines` end or it hangs
    up.

    `show(who, text)` prints; `who` is `assistant`, `tool` or `note`. `ask(question)` asks for the result of a tool:
    nothing outside is called from here. Raises ChatFault.
    """
    path = settings.assistants_file or shipped_assistants_file()
    file = load_assistants_file(path, org_id=ORG_ID) if path.is_file() else None
    make_data_dir(settings.data_dir)
    await migrate(settings.database)
    engine = open_database(settings.database)
    catalogue = Catalogue(
        engine,
        org_id=ORG_ID,
        file_assistants=file.assistants if file is not None else (),
        file_numbers=file.phone_numbers if file is not None else (),
    )
    models = ModelChoice(chat_endpoint(settings), UrlPolicy(strict=False, is_this_machine=lambda host: False))
    try:
        assistant = Assistant.model_validate((await _find(catalogue, name)).document)
        access = await access_for(assistant, catalogue, provider_access(settings))
        bag: dict[str, Any] = {
            **builtin_variables(datetime.now(UTC)),
            **(assistant.variable_values or {}),
            **variables,
        }

        def fill(template: str, extra: Mapping[str, Any]) -> str:
            return render(template, {**bag, **extra}).text

        model = models.choose(assistant, fill, access)
        show("note", f"{model.name}; an empty line or Ctrl-D ends the chat")
        await _Chat(assistant, model, fill, show, ask).hold(lines)
    finally:
        await models.aclose()
        await engine.dispose()


async def _find(catalogue: Catalogue, name: str) -> Resource:
    known = await catalogue.assistants.list(Listing(limit=1000))
    numbers = await catalogue.phone_numbers.list(Listing(limit=1000))
    dialled = {number.document.get("assistantId") for number in numbers if _is_dialled_as(number, name)}
    wanted = {name, file_id("assistant", name), *dialled}
    for resource in known:
        if resource.id in wanted or resource.document.get("name") == name:
            return resource
    names = ", ".join(str(r.document.get("name") or r.id) for r in known) or "none"
    raise ChatFault(f"there is no assistant {name!r}; known are: {names}")


def _is_dialled_as(number: Resource, name: str) -> bool:
    return str(number.document.get("sipUri", "")).lower().startswith(f"sip:{name.lower()}@")


class _Chat:
    def __init__(
        self,
        assistant: Assistant,
        model: Model,
        fill: Callable[[str, Mapping[str, Any]], str],
        show: Callable[[str, str], None],
        ask: Callable[[str], str],
    ) -> None:
        self._assistant = assistant
        self._model = model
        self._fill = fill
        self._show = show
        self._ask = ask
        self._history = History()
        self._over = False
        self._tools: Mapping[str, Offered] = offered_tools(assistant.model, may_end_call=True)

    async def hold(self, lines: Iterable[str]) -> None:
        if self._assistant.first_message:
            self._said("bot", fill_for_speech(self._fill, self._assistant.first_message, {}))
        for line in lines:
            if not line.strip():
                return
            self._history.add(Entry("user", line.strip(), 0.0, 0.0))
            try:
                await self._answer()
            except ProviderError as fault:
                self._show("note", f"the model failed: {fault}")
            if self._over:
                return

    def _said(self, role: Any, text: str) -> None:
        if text.strip():
            self._history.add(Entry(role, text.strip(), 0.0, 0.0))
            self._show("assistant", text.strip())

    async def _answer(self) -> None:
        for _ in range(_MAX_ROUNDS):
            system = system_messages(self._assistant.model, lambda template: self._fill(template, {}))
            request = ModelRequest(
                chat_messages(system, self._history), tools=[offered.spec for offered in self._tools.values()]
            )
            text = ""
            calls: list[ToolCall] = []
            async for event in self._model.reply(request):
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, ToolCall):
                    calls.append(event)
            self._said("bot", text)
            if not calls:
                return
            self._history.add(ToolsCalled(tuple(calls), 0.0))
            for call in calls:
                self._show("tool", f"{call.name}({call.arguments})")
                if call.name in ("endCall", "transferCall"):
                    self._show(
                        "note", "the call would end here" if call.name == "endCall" else "… be handed over here"
                    )
                    self._over = True
                    return
                result = self._ask(f"result of {call.name}")
                self._history.add(ToolsResult(call, result or json.dumps(None), 0.0))
