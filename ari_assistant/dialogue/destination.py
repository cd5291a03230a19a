"""Where a caller is sent on: a destination's templates, filled so that no caller chooses the host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from ari_assistant.dialogue.address import AddressRefused, filled_sip_uri
from ari_assistant.dialogue.callers_text import from_caller
from ari_assistant.dialogue.template import TemplateRenderer, fill_for_speech
from ari_assistant.dialogue.tools import filled
from ari_assistant.vapi.base import JsonObject
from ari_assistant.vapi.destination import Destination
from ari_assistant.vapi.error import validation_messages

__all__ = ["filled_destination"]


def filled_destination(
    destination: Destination,
    fill: TemplateRenderer,
    variables: Mapping[str, Any],
    arguments: Mapping[str, Any] | None = None,
) -> Destination:
    """The destination with its templates filled from the call's `variables` and a model's `arguments`.

    Raises AddressRefused when there is no address, or its host would be the caller's to choose.
    """
    said = from_caller(dict(arguments or {}))
    wire = destination.wire()
    uri = wire.pop("sipUri", None)
    result: JsonObject = filled(wire, fill, said)
    speech = partial(fill_for_speech, fill)
    if "message" in wire:
        result["message"] = filled(wire["message"], speech, said)
    if fallback := (wire.get("transferPlan") or {}).get("fallbackPlan"):
        result["transferPlan"]["fallbackPlan"] = filled(fallback, speech, said)
    if uri is not None:
        result["sipUri"] = filled_sip_uri(uri, {**variables, **said})
    try:
        return Destination.model_validate(result)
    except ValidationError as fault:
        raise AddressRefused("; ".join(validation_messages(fault))) from None
