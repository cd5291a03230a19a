"""Any endpoint that speaks OpenAI's chat contract: OpenAI, llama.cpp, Ollama, vLLM, LM Studio, custom-llm."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from ari_assistant.providers.errors import ProviderRejected, ProviderTimeout, ProviderUnavailable
from ari_assistant.providers.model import ModelEvent, ModelRequest, TextDelta, ToolCall, Usage
from ari_assistant.vapi.json_text import read_json

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["CHAT_PROVIDERS", "OpenAIModel", "base_url"]

CHAT_PROVIDERS: dict[str, str] = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "google": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together-ai": "https://api.together.xyz/v1",
    "deep-seek": "https://api.deepseek.com/v1",
    "deepinfra": "https://api.deepinfra.com/v1/openai",
    "cerebras": "https://api.cerebras.ai/v1",
    "perplexity-ai": "https://api.perplexity.ai",
    "xai": "https://api.x.ai/v1",
    "minimax": "https://api.minimax.io/v1",
    "anyscale": "https://api.endpoints.anyscale.com/v1",
    "mistral": "https://api.mistral.ai/v1",
}
"""Provider → the base URL of its OpenAI-compatible chat endpoint, as the vendors document them."""
_NO_USAGE = frozenset({"perplexity-ai", "anyscale", "custom-llm"})
"""They refuse, or are not known to take, `stream_options`."""


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

        try:
            create = cast("Any", self._client.chat.completions.with_raw_response.create)
            raw = await create(stream=True, extra_body=request.extra or None, **self._body(request))
            if raw.headers.get("content-type", "").startswith("application/json"):
                # Some servers do not stream, whatever they are asked (contract §11.2).
                for event in _whole(read_json(await raw.http_response.aread())):
                    yield event
                return
            stream = raw.parse()
            async with stream, aclosing(self._events(stream)) as events:
                async for event in events:
                    yield event
        except openai.APITimeoutError as fault:
            raise ProviderTimeout(self.name, "no answer in time") from fault
        except openai.APIStatusError as fault:
            raise ProviderRejected(self.name, fault.message[:500]) from fault
        except openai.APIConnectionError as fault:
            raise ProviderUnavailable(self.name, str(fault.__cause__ or fault)) from fault
        except openai.OpenAIError as fault:
            raise ProviderRejected(self.name, str(fault)[:500]) from fault
        except httpx2.HTTPError as fault:  # the stream broke after it had begun
            raise ProviderUnavailable(self.name, f"the answer broke off: {fault}") from fault
        except (ValueError, OSError) as fault:  # an answer that is no stream of JSON
            raise ProviderRejected(self.name, f"unreadable answer: {fault}"[:500]) from fault

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [message.wire() for message in request.messages],
            "max_tokens": request.max_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [tool.wire() for tool in request.tools]
        if request.json_schema is not None:
            schema = {"name": "result", "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self.name not in _NO_USAGE:
            body["stream_options"] = {"include_usage": True}
        return body

    async def _events(self, stream: Any) -> AsyncGenerator[ModelEvent, None]:
        calls: dict[int, list[str]] = {}
        legacy: list[str] = ["", ""]
        async for chunk in stream:
            if usage := getattr(chunk, "usage", None):
                details = getattr(usage, "prompt_tokens_details", None)
                cached = getattr(details, "cached_tokens", None) or 0
                yield Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached)
            for choice in getattr(chunk, "choices", None) or ():
                delta = choice.delta
                if delta is None:
                    continue
                if delta.content:
                    yield TextDelta(delta.content)
                for place, call in enumerate(delta.tool_calls or ()):
                    index = getattr(call, "index", None)
                    parts = calls.setdefault(place if index is None else index, ["", "", ""])
                    parts[0] = call.id or parts[0]
                    if call.function is not None:
                        parts[1] += call.function.name or ""
                        parts[2] += _text(call.function.arguments)
                if function := getattr(delta, "function_call", None):
                    legacy[0] += function.name or ""
                    legacy[1] += _text(function.arguments)
            if function := getattr(chunk, "function_call", None):  # a bare chunk, as contract §11.2 has it
                given = function if isinstance(function, dict) else function.model_dump()
                legacy = [str(given.get("name") or ""), _text(given.get("arguments"))]
        for index, (call_id, name, arguments) in sorted(calls.items()):
            if name:
                yield ToolCall(call_id or f"call_{index}", name, arguments or "{}")
        if legacy[0]:
            yield ToolCall("call_0", legacy[0], legacy[1] or "{}")


def _whole(answer: Any) -> list[ModelEvent]:
    """The events of a completion that came in one piece. Raises ValueError when it is none."""
    try:
        choice = answer["choices"][0]
        message = choice.get("message") or choice["delta"]  # some answer with the shape of a stream's chunk
        events: list[ModelEvent] = [TextDelta(message["content"])] if message.get("content") else []
        for number, call in enumerate(message.get("tool_calls") or ()):
            function = call["function"]
            events.append(
                ToolCall(
                    call.get("id") or f"call_{number}", function["name"], _text(function.get("arguments")) or "{}"
                )
            )
        usage = answer.get("usage") or {}
        if usage:
            events.append(Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0))
    except (KeyError, IndexError, TypeError, AttributeError) as fault:
        raise ValueError(f"a completion without {fault}") from fault
    return events


def _text(arguments: Any) -> str:
    """Arguments as text; some endpoints send them as an object."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else json.dumps(arguments)
