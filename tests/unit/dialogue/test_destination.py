from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ari_assistant.dialogue.address import AddressRefused
from ari_assistant.dialogue.destination import filled_destination
from ari_assistant.dialogue.template import render
from ari_assistant.vapi.destination import Destination

VARIABLES = {"dept": "sales", "host": "pbx.example"}


def filled(arguments: Mapping[str, Any] | None = None, /, **fields: Any) -> Destination:
    destination = Destination.model_validate(fields)
    return filled_destination(
        destination, lambda text, extra: render(text, {**VARIABLES, **extra}).text, VARIABLES, arguments
    )


def test_a_destinations_templates_are_filled_from_the_call_and_the_model() -> None:
    made = filled({"who": "Mary"}, type="sip", sipUri="sip:{{dept}}@{{host}}", message="One moment, {{who}}.")
    assert made.sip_uri == "sip:sales@pbx.example"
    assert made.message == "One moment, Mary."


def test_a_name_without_a_value_leaves_no_hole_in_what_is_said() -> None:
    assert filled(type="sip", sipUri="sip:a@b.example", message="One moment, {{nobody}}.").message == "One moment."


def test_what_the_model_was_told_cannot_choose_the_host() -> None:
    with pytest.raises(AddressRefused):
        filled({"where": "evil.example"}, type="sip", sipUri="sip:desk@{{where}}")
    made = filled({"who": "mary"}, type="sip", sipUri="sip:{{who}}@pbx.example")
    assert made.sip_uri == "sip:mary@pbx.example"


def test_an_address_that_is_none_when_it_is_filled_is_refused() -> None:
    with pytest.raises(AddressRefused):
        filled(type="sip", sipUri="{{nobody}}")
