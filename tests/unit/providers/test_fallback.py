from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from ari_assistant.providers.errors import ProviderError, ProviderTimeout
from ari_assistant.providers.fallback import FallbackModel
from ari_assistant.providers.model import ChatMessage, ModelEvent, ModelRequest, TextDelta

ASK = ModelRequest([ChatMessage("user", "Hello?")])


class Scripted:
    """Says its texts; None is where it fails."""

    def __init__(self, name: str, *texts: str | None) -> None:
        self.name = name
        self._texts = texts

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        for text in self._texts:
            if text is None:
                raise ProviderTimeout(self.name, "no answer in time")
            yield TextDelta(text)


async def said(model: FallbackModel) -> list[str]:
    return [event.text async for event in model.reply(ASK) if isinstance(event, TextDelta)]


async def test_the_next_model_answers_when_the_first_says_nothing() -> None:
    failed: list[str] = []

    def note(what: str, fault: ProviderError) -> None:
        failed.append(f"{what} {fault.provider}")

    models = [Scripted("a", None), Scripted("b", None), Scripted("c", "Hello.")]
    assert await said(FallbackModel(models, note)) == ["Hello."]
    assert failed == ["model a", "model b"]


async def test_a_reply_that_has_begun_is_not_begun_again_by_another() -> None:
    model = FallbackModel([Scripted("a", "Half a", None), Scripted("b", "Other.")], lambda *_: None)
    with pytest.raises(ProviderTimeout):
        await said(model)


async def test_the_last_ones_fault_is_told() -> None:
    with pytest.raises(ProviderTimeout, match=r"^b:"):
        await said(FallbackModel([Scripted("a", None), Scripted("b", None)], lambda *_: None))
