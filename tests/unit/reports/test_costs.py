"""True counts, zero money."""

from __future__ import annotations

from ari_assistant.conversation.usage import Consumption
from ari_assistant.providers.model import Usage
from ari_assistant.reports.costs import cost_breakdown, costs

USED = Consumption(
    model=Usage(prompt=100, completion=20, cached=30),
    voice_characters=55,
    heard_seconds=90.0,
    analysis={"summary": Usage(prompt=7, completion=3, cached=1)},
)
NAMES = {"model": "rules", "voice": "piper", "transcriber": "moonshine"}


def test_each_kind_is_one_element_with_what_was_used() -> None:
    assistant = {"model": {"provider": "openai", "model": "m", "apiKey": "secret"}}
    found = {item["type"]: item for item in costs(USED, seconds=120.0, assistant=assistant, names=NAMES)}
    assert list(found) == ["transport", "transcriber", "model", "voice", "vapi", "analysis"]
    assert found["transport"]["minutes"] == found["vapi"]["minutes"] == 2.0
    assert found["transcriber"] == {
        "type": "transcriber",
        "transcriber": {"provider": "moonshine"},
        "minutes": 1.5,
        "cost": 0,
    }
    assert found["model"]["model"] == {"provider": "openai", "model": "m"}, "no more of it than its name"
    counted = [found["model"][key] for key in ("promptTokens", "completionTokens", "cachedPromptTokens")]
    assert counted == [100, 20, 30]
    assert found["voice"]["characters"] == 55
    assert (found["analysis"]["analysisType"], found["analysis"]["promptTokens"]) == ("summary", 7)


def test_the_breakdown_has_the_same_counts_and_every_kind_of_analysis() -> None:
    found = cost_breakdown(USED)
    assert (found["llmPromptTokens"], found["llmCompletionTokens"], found["ttsCharacters"]) == (100, 20, 55)
    analysis = found["analysisCostBreakdown"]
    assert (analysis["summaryPromptTokens"], analysis["summaryCompletionTokens"]) == (7, 3)
    assert analysis["successEvaluationPromptTokens"] == 0
    assert found["total"] == 0
