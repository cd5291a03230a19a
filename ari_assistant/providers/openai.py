"""Any endpoint that speaks OpenAI's chat contract: OpenAI, llama.cpp, Ollama, vLLM, LM Studio, custom-llm."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from ari_assistant.providers.errors import ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.model import EndCall, ModelEvent, ModelRequest, TextDelta

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["OpenAIModel", "base_url"]

_END_CALL_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "endCall",
        "description": "Hang up, after your reply has been spoken.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def base_url(url: str) -> str:
    """The client's base URL: some programs give it with the path `/chat/completions` (contract §11.2)."""
    return url.rstrip("/").removesuffix("/chat/completions")


class OpenAIModel:
    """A model behind the chat contract, streamed.

    Connections belong to `client`, which its owner closes. No retry here: a late second try helps nobody who
    waits at the telephone.
    """

    def __init__(self, client: AsyncOpenAI, *, model: str, name: str = "openai") -> None:
        self._client = client
        self._model = model
        self.name = name

    async def reply(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """See `Model`."""
        import httpx2
        import openai

        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.may_end_call:
            body["tools"] = [_END_CALL_TOOL]
        try:
            create = cast("Any", self._client.chat.completions.create)
            stream = await create(stream=True, extra_body=request.extra or None, **body)
            async with stream, aclosing(self._events(stream)) as events:
                async for event in events:
                    yield event
        except openai.APITimeoutError as fault:
            raise ProviderTimeout(self.name, "no answer in time") from fault
        except openai.APIStatusError as fault:
            raise ProviderRejected(self.name, fault.message[:500], status=fault.status_code) from fault
        except openai.APIConnectionError as fault:
            raise ProviderUnavailable(self.name, str(fault.__cause__ or fault)) from fault
        except openai.OpenAIError as fault:
            raise ProviderRejected(self.name, str(fault)[:500]) from fault
        except httpx2.HTTPError as fault:  # the stream broke after it had begun
            raise ProviderUnavailable(self.name, f"the answer broke off: {fault}") from fault
        except (ValueError, OSError) as fault:  # an answer that is no stream of JSON
            raise ProviderRejected(self.name, f"unreadable answer: {fault}"[:500]) from fault

    @staticmethod
    async def _events(stream: Any) -> AsyncGenerator[ModelEvent, None]:
        ends_call = False
        async for chunk in stream:
            for choice in chunk.choices or ():
                delta = choice.delta
                if delta is None:
                    continue
                if delta.content:
                    yield TextDelta(delta.content)
                for call in delta.tool_calls or ():
                    ends_call |= bool(call.function and call.function.name == "endCall")
        if ends_call:
            yield EndCall()
