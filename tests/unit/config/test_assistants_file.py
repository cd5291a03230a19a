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
        ("- 1\n", r"must hold the keys"),
        ("assistants: 5\n", r"yaml:1: assistants: must be an array"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(AssistantsFileFault, match=expected):
        load_assistants_file(write(tmp_path, text), org_id="o")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    text = "assistants:\n- id: a\n  x: 1\n- id: b\n  y: 1\n"
    with pytest.raises(AssistantsFileFault) as raised:
        load_assistants_file(write(tmp_path, text), org_id="o")
    assert len(str(raised.value).splitlines()) == 2
