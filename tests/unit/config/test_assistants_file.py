from __future__ import annotations

import json
from pathlib import Path

import pytest

from ari_assistant.config.assistants_file import AssistantsFileFault, load_assistants_file

SHIPPED = Path(__file__).parents[3] / "assistants.yaml"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "assistants.yaml"
    path.write_text(text)
    return path


def test_the_example_that_ships_is_right() -> None:
    file = load_assistants_file(SHIPPED, org_id="o")
    assert len(file.assistants) == 1
    assert file.phone_numbers[0].document["assistantId"] == file.assistants[0].id


def test_ids_stay_the_same_and_json_is_read_too(tmp_path: Path) -> None:
    data = {"assistants": [{"id": "a", "firstMessage": "Hi"}], "phoneNumbers": []}
    first = load_assistants_file(write(tmp_path, json.dumps(data)), org_id="o")
    second = load_assistants_file(write(tmp_path, "assistants: [{id: a, firstMessage: Hi}]"), org_id="o")
    assert first.assistants[0].id == second.assistants[0].id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("assistants:\n  - id: a\n    firstMesage: Hi\n", r"yaml:3: assistants\.0\.firstMesage: property firstMesage should not exist"),
        ("assistants:\n- id: a\n  model:\n    provider: built-in\n    fact: []\n", r"yaml:5: assistants\.0\.model\.fact: property fact should not exist"),
        ("assistants:\n- id: a\n  name: 5\n", r"yaml:3: assistants\.0\.name: name must be a string"),
        ("assistants:\n- id: a\n- id: a\n", r"yaml:3: assistants\.1\.id: a is the id of another"),
        ("phoneNumbers:\n- provider: vapi\n  sipUri: sip:a@b\n  assistantId: zz\n", r"yaml:4: phoneNumbers\.0\.assistantId: no assistant"),
        ("phoneNumbers:\n- provider: vapi\n  sipUri: sip:a@b\n- provider: vapi\n  sipUri: SIP:A@B\n", r"yaml:5: phoneNumbers\.1\.sipUri: sip:a@b is in use"),
        ("phoneNumbers:\n- provider: vapi\n", r"yaml:2: phoneNumbers\.0\.sipUri: sipUri should not be null"),
        ("assistant: []\n", r"yaml:1: assistant: property assistant should not exist"),
        ("assistants:\n- id: a\n  name: x\n  name: y\n", r"yaml:4: assistants\.0\.name: stands here twice"),
        ("assistants: [\n", r"yaml:\d: "),
        ("assistants:\n- id: a\n  voice:\n    provider: pipper\n", r"yaml:4: assistants\.0\.voice\.provider: pipper is no provider: did you mean piper\?"),
        ("assistants:\n- id: a\n  voice: {provider: acme}\n", r"yaml:3: assistants\.0\.voice\.provider: acme is no provider: write one of .*piper"),
        ("assistants:\n- id: a\n  voice: {provider: piper, fallbackPlan: {voices: [{provider: opnai}]}}\n", r"voices\.0\.provider: opnai is no provider: did you mean openai"),
        ("assistants:\n- id: a\n  transcriber: {provider: moonshin}\n", r"yaml:3: assistants\.0\.transcriber\.provider: .*did you mean moonshine"),
        ("assistants:\n- id: a\n  model: {provider: builtin}\n", r"yaml:3: assistants\.0\.model\.provider: .*did you mean built-in"),
        ("- 1\n", r"must hold the keys"),
        ("assistants: 5\n", r"yaml:1: assistants: must be an array"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(AssistantsFileFault, match=expected):
        load_assistants_file(write(tmp_path, text), org_id="o")


def test_a_model_of_another_name_is_one_of_the_settings_endpoint(tmp_path: Path) -> None:
    text = "assistants:\n- id: a\n  model: {provider: ollama}\n  voice: {provider: elevenlabs, voiceId: x}\n"
    assert load_assistants_file(write(tmp_path, text), org_id="o").assistants


EVERYTHING = """\
assistants:
- id: a
  fistMessage: Hi
  name: 5
  maxDurationSeconds: 3
  voice:
    provider: pipper
    speed: fast
  model:
    provider: built-in
    temperature: hot
    fact: []
    facts: [{ask: [], say: 1}]
    intents:
    - name: i
      ask: [x]
      slots: [{name: n, ask: q, least: 3}]
- id: b
  model: {provider: custom-llm, temperature: 7, tools: [{type: function, function: {nme: x}}]}
- id: b
  y: 1
- firstMessage: 3
phoneNumbers:
- provider: vapi
  sipUri: no uri
  assistantId: zz
  nmae: x
other: 1
"""


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Whatever pydantic tells first: unknown properties hide wrong values, and both what does not go together."""
    with pytest.raises(AssistantsFileFault) as raised:
        load_assistants_file(write(tmp_path, EVERYTHING), org_id="o")
    told = [line.split("assistants.yaml:")[1] for line in str(raised.value).splitlines()]
    where = [":".join(line.split(": ")[:2]) for line in told]
    assert where == [
        "3:assistants.0.fistMessage",
        "4:assistants.0.name",
        "5:assistants.0.maxDurationSeconds",
        "7:assistants.0.voice.provider",
        "8:assistants.0.voice.speed",
        "11:assistants.0.model.temperature",
        "12:assistants.0.model.fact",
        "13:assistants.0.model.facts.0.ask",
        "13:assistants.0.model.facts.0.say",
        "17:assistants.0.model.intents.0.slots.0",
        "19:assistants.1.model.temperature",
        "19:assistants.1.model.tools.0.function.name",
        "19:assistants.1.model.tools.0.function.nme",
        "19:assistants.1.model",
        "20:assistants.2.id",
        "21:assistants.2.y",
        "22:assistants.3.firstMessage",
        "22:assistants.3",
        "25:phoneNumbers.0.sipUri",
        "26:phoneNumbers.0.assistantId",
        "27:phoneNumbers.0.nmae",
        "28:other",
    ]
