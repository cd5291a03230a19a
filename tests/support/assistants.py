"""The assistants and numbers of the server that most end-to-end tests call."""

from __future__ import annotations

from typing import Any

__all__ = ["ASSISTANTS", "LONG"]

LONG = (
    "This is a long answer. It goes on and on about the history of the town, the river, the bridge, and the"
    " market, and it would take a good half minute to hear it to its end, which nobody ever did."
    " The town was founded a thousand years ago. The river was there before. The bridge came later."
)


def _assistant(name: str, greeting: str | None, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        **({"firstMessage": greeting} if greeting else {}),
        "model": {
            "provider": "built-in",
            "fallback": "I am sorry, I do not know that.",
            "facts": [
                {"ask": ["when are you open", "what are your opening hours"], "say": "From nine to five."},
                {"ask": ["tell me everything about the town", "tell me about the history"], "say": LONG},
            ],
        },
        **more,
    }


ASSISTANTS: dict[str, Any] = {
    "assistants": [
        _assistant("desk", "Hello {{first_name}}, how can I help?"),
        _assistant("banana", "Welcome to the yellow banana company."),
        _assistant("mountain", "Welcome to the high mountain hotel."),
        _assistant("talker", LONG, firstMessageInterruptionsEnabled=True),
        _assistant("quiet", None, silenceTimeoutSeconds=5, endCallMessage="Nobody is there. Goodbye."),
        _assistant("short", "Hello.", maxDurationSeconds=10),
        _assistant("phrase", "Hello.", endCallPhrases=["nine to five"]),
    ],
    "phoneNumbers": [
        {"provider": "vapi", "sipUri": f"sip:{name}@localhost", "assistantId": name}
        for name in ("desk", "banana", "mountain", "talker", "quiet", "short", "phrase")
    ],
}
