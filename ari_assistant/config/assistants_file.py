"""The assistants file: assistants and phone numbers in YAML (or JSON) with Vapi's field names.

assistants:
  - id: front-desk            # any name; it becomes a UUID that stays the same
    name: Front desk
    firstMessage: Hello {{first_name}}, how can I help?
phoneNumbers:
  - provider: vapi
    sipUri: sip:hello@localhost
    assistantId: front-desk   # the id above, or null with a serverUrl
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ari_assistant.assistants.provider_access import canonical
from ari_assistant.dialogue.rules.config import RulesConfig
from ari_assistant.fault import Fault
from ari_assistant.store.catalogue import file_id
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject, iso
from ari_assistant.vapi.error import fault_message
from ari_assistant.vapi.model import BUILT_IN, KNOWN_MODELS, Model
from ari_assistant.vapi.phone_number import PhoneNumber
from ari_assistant.vapi.server import normalise_server
from ari_assistant.vapi.sip_uri import SipUri
from ari_assistant.vapi.transcriber import KNOWN_TRANSCRIBERS
from ari_assistant.vapi.voice import KNOWN_VOICES

__all__ = ["ORG_ID", "AssistantsFile", "AssistantsFileFault", "load_assistants_file", "shipped_assistants_file"]

ORG_ID = file_id("org", "self-hosted")
"""The one organisation of this server."""
_PACKAGE = Path(__file__).resolve().parents[1]


class AssistantsFileFault(Fault):
    """The file cannot be used; every fault stands on a line of its own: file, line, key, what is wrong."""


@dataclass(frozen=True, slots=True)
class AssistantsFile:
    """What the file defines."""

    assistants: tuple[Resource, ...] = ()
    phone_numbers: tuple[Resource, ...] = ()


Path_ = tuple[int | str, ...]


class _Document:
    """A YAML document whose every key knows its line."""

    def __init__(self, path: Path, org_id: str) -> None:
        self.path = path
        self.org_id = org_id
        self.faults: list[tuple[int, str]] = []
        self._lines: dict[Path_, int] = {}
        try:
            text = path.read_text(encoding="utf-8")
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            self.data: Any = yaml.safe_load(text) if node is not None else {}
        except (OSError, UnicodeDecodeError) as fault:
            raise AssistantsFileFault(f"{path}: {fault}") from fault
        except yaml.MarkedYAMLError as fault:
            line = fault.problem_mark.line + 1 if fault.problem_mark else 0
            raise AssistantsFileFault(f"{path}:{line}: {fault.problem}") from fault
        except yaml.YAMLError as fault:
            raise AssistantsFileFault(f"{path}: {fault}") from fault
        if node is not None:
            self._walk(node, ())

    def _walk(self, node: yaml.Node, path: Path_) -> None:
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                self._lines[(*path, key.value)] = key.start_mark.line + 1
                if key.value in seen:
                    self.fault((*path, key.value), "stands here twice")
                seen.add(key.value)
                self._walk(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index))

    def fault(self, path: Path_, text: str) -> None:
        """Note a fault at `path`, or at the nearest key above it that the file has."""
        at = path
        while at and at not in self._lines:
            at = at[:-1]
        key = ".".join(str(part) for part in path)
        self.faults.append((self._lines.get(at, 1), f"{key}: {text}"))

    def told(self) -> str:
        """All faults in the order of the lines."""
        return "\n".join(f"{self.path}:{line}: {text}" for line, text in sorted(set(self.faults)))

    def check(self, prefix: Path_, validate: Callable[[JsonObject], object], body: JsonObject) -> None:
        """Note all that `validate` finds in `body`. Pydantic tells the faults of one layer (unknown properties, then
        values, then what does not go together): what was told is taken out, and the next layer looked at."""
        body = copy.deepcopy(body)
        done: set[Path_] = set()
        """What was told or taken out."""
        while True:
            try:
                validate(body)
                return
            except ValidationError as error:
                found = {_plain(item["loc"]): item for item in error.errors(include_url=False)}
            new = {path: item for path, item in found.items() if path not in done}
            for path, item in new.items():
                self.fault((*prefix, *path), fault_message(item))
            out = {path[:-1] if item["type"] == "missing" else path for path, item in new.items()}
            done |= set(new) | out
            if not [path for path in out if _take_out(body, path)]:
                return


def _plain(location: Path_) -> Path_:
    """Without the names of a union's branches."""
    return tuple(part for part in location if not (isinstance(part, str) and part.startswith("[")))


def _take_out(body: Any, path: Path_) -> bool:
    """Take what is at `path` out of `body`; an item goes with its list, for the others keep their numbers. Whether
    there was anything."""
    if path and isinstance(path[-1], int):
        path = path[:-1]
    for part in path[:-1]:
        try:
            body = body[part]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(path) and isinstance(body, dict) and body.pop(path[-1], None) is not None


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _uuid(kind: str, given: str) -> str:
    return str(uuid.UUID(given)) if _is_uuid(given) else file_id(kind, given)


def shipped_assistants_file() -> Path:
    """The worked example: the working directory's `assistants.yaml`, else the checkout's, else the package's."""
    candidates = (Path("assistants.yaml"), *(folder / "assistants.yaml" for folder in (_PACKAGE.parent, _PACKAGE)))
    return next((path for path in candidates if path.is_file()), candidates[0])


def load_assistants_file(path: Path, *, org_id: str) -> AssistantsFile:
    """Read and validate the whole file. Raises AssistantsFileFault with every fault in it."""
    document = _Document(path, org_id)
    data = document.data
    if not isinstance(data, dict):
        raise AssistantsFileFault(f"{path}:1: the file must hold the keys assistants and phoneNumbers")
    for key in data:
        if key not in ("assistants", "phoneNumbers"):
            document.fault((key,), f"property {key} should not exist")
    assistants, ids = _assistants(document, _items(document, "assistants"))
    numbers = _numbers(document, _items(document, "phoneNumbers"), ids)
    if document.faults:
        raise AssistantsFileFault(document.told())
    return AssistantsFile(tuple(assistants), tuple(numbers))


def _items(document: _Document, key: str) -> Sequence[tuple[Path_, JsonObject]]:
    items = document.data.get(key) or []
    if not isinstance(items, list):
        document.fault((key,), "must be an array")
        return []
    found = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            found.append(((key, index), item))
        else:
            document.fault((key, index), "must be an object")
    return found


def _assistants(
    document: _Document, items: Sequence[tuple[Path_, JsonObject]]
) -> tuple[list[Resource], dict[str, str]]:
    resources: list[Resource] = []
    ids: dict[str, str] = {}
    for path, item in items:
        given = item.get("id") or item.get("name")
        body = {key: value for key, value in item.items() if key != "id"}
        if not isinstance(given, str) or not given:
            document.fault(path, "id or name must be a string")
            given = ""
        elif given in ids:
            document.fault((*path, "id"), f"{given} is the id of another assistant of this file")
        ids[given] = _uuid("assistant", given)
        assistant = _validated(document, path, Assistant, body)
        _check_built_in(document, path, body.get("model"))
        _check_providers(document, path, body)
        if assistant is not None:
            resources.append(_resource(document, ids[given], assistant.wire()))
    return resources, ids


def _check_built_in(document: _Document, path: Path_, model: Any) -> None:
    """What stands below `model` for the built-in dialogue."""
    if isinstance(model, dict) and model.get("provider") == BUILT_IN:
        common = {field.alias or name for name, field in Model.model_fields.items()}
        own = {key: value for key, value in model.items() if key not in common}
        document.check((*path, "model"), RulesConfig.model_validate, own)


_PROVIDERS: dict[str, tuple[frozenset[str], str]] = {
    "voice": (KNOWN_VOICES, "voices"),
    "transcriber": (KNOWN_TRANSCRIBERS, "transcribers"),
}
"""Part of an assistant → the providers that it may name, and the key of its `fallbackPlan`."""


def _check_providers(document: _Document, path: Path_, body: JsonObject) -> None:
    """A provider that nobody knows would be answered by the local engine, unremarked."""
    for part, (known, fallbacks) in _PROVIDERS.items():
        chosen = body.get(part)
        if not isinstance(chosen, dict):
            continue
        _check_provider(document, (*path, part), chosen, known, others=False)
        plan = chosen.get("fallbackPlan")
        for index, other in enumerate(plan.get(fallbacks) or () if isinstance(plan, dict) else ()):
            _check_provider(document, (*path, part, "fallbackPlan", fallbacks, index), other, known, others=False)
    # A model of any other name is asked at ARI_ASSISTANT_CHAT_URL.
    _check_provider(document, (*path, "model"), body.get("model"), KNOWN_MODELS, others=True)


def _check_provider(document: _Document, path: Path_, chosen: Any, known: frozenset[str], *, others: bool) -> None:
    name = chosen.get("provider") if isinstance(chosen, dict) else None
    if not isinstance(name, str) or canonical(name) in known:
        return
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    if near:
        document.fault((*path, "provider"), f"{name} is no provider: did you mean {near[0]}?")
    elif not others:
        document.fault((*path, "provider"), f"{name} is no provider: write one of {', '.join(sorted(known))}")


def _numbers(
    document: _Document, items: Sequence[tuple[Path_, JsonObject]], assistant_ids: dict[str, str]
) -> list[Resource]:
    resources: list[Resource] = []
    uris: dict[SipUri, str] = {}
    for path, item in items:
        body = {key: value for key, value in item.items() if key != "id"}
        number = _validated(document, path, PhoneNumber, body)
        assistant_id = body.get("assistantId")
        if isinstance(assistant_id, str) and assistant_id not in assistant_ids:
            document.fault((*path, "assistantId"), f"no assistant of this file has the id {assistant_id}")
            continue
        if number is None:
            continue
        uri = number.uri
        if uri in uris:
            document.fault((*path, "sipUri"), f"{uri} is in use by {uris[uri]}")
            continue
        uris[uri] = ".".join(str(part) for part in path)
        wire = number.wire()
        if number.assistant_id is not None:
            wire["assistantId"] = assistant_ids[number.assistant_id]
        given = item.get("id")
        number_id = _uuid("phone-number", given if isinstance(given, str) and given else str(uri))
        resources.append(_resource(document, number_id, wire))
    return resources


_Schema = TypeVar("_Schema", bound=BaseModel)


def _validated(document: _Document, path: Path_, schema: type[_Schema], body: JsonObject) -> _Schema | None:
    def validate(given: JsonObject) -> _Schema:
        schema.model_validate(given)
        return schema.model_validate(normalise_server(given))

    before = len(document.faults)
    document.check(path, validate, body)
    return validate(body) if len(document.faults) == before else None


def _resource(document: _Document, resource_id: str, wire: JsonObject) -> Resource:
    changed = iso(datetime.fromtimestamp(document.path.stat().st_mtime, UTC))
    return Resource(resource_id, document.org_id, changed, changed, wire)
