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

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from ari_assistant.calls.models import rules_config
from ari_assistant.fault import Fault
from ari_assistant.store.catalogue import file_id
from ari_assistant.store.repositories import Resource
from ari_assistant.vapi.assistant import Assistant
from ari_assistant.vapi.base import JsonObject, iso
from ari_assistant.vapi.error import fault_message
from ari_assistant.vapi.phone_number import PhoneNumber
from ari_assistant.vapi.server import normalise_server
from ari_assistant.vapi.sip_uri import SipUri

__all__ = ["AssistantsFile", "AssistantsFileFault", "load_assistants_file"]


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
        self.faults: list[str] = []
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
        self.faults.append(f"{self.path}:{self._lines.get(at, 1)}: {key}: {text}")

    def validation(self, prefix: Path_, error: ValidationError) -> None:
        """Note pydantic's faults."""
        for item in error.errors(include_url=False):
            self.fault((*prefix, *item["loc"]), fault_message(item))


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _uuid(kind: str, given: str) -> str:
    return str(uuid.UUID(given)) if _is_uuid(given) else file_id(kind, given)


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
        raise AssistantsFileFault("\n".join(document.faults))
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
            continue
        if given in ids:
            document.fault((*path, "id"), f"{given} is the id of another assistant of this file")
            continue
        ids[given] = _uuid("assistant", given)
        assistant = _validated(document, path, Assistant, body)
        if assistant is None:
            continue
        try:
            rules_config(assistant)
        except ValidationError as fault:
            document.validation((*path, "model"), fault)
            continue
        resources.append(_resource(document, ids[given], assistant.wire()))
    return resources, ids


def _numbers(
    document: _Document, items: Sequence[tuple[Path_, JsonObject]], assistant_ids: dict[str, str]
) -> list[Resource]:
    resources: list[Resource] = []
    uris: dict[SipUri, str] = {}
    for path, item in items:
        body = {key: value for key, value in item.items() if key != "id"}
        number = _validated(document, path, PhoneNumber, body)
        if number is None:
            continue
        uri = number.uri
        if uri in uris:
            document.fault((*path, "sipUri"), f"{uri} is in use by {uris[uri]}")
            continue
        uris[uri] = ".".join(str(part) for part in path)
        wire = number.wire()
        if number.assistant_id is not None:
            if number.assistant_id not in assistant_ids:
                document.fault(
                    (*path, "assistantId"), f"no assistant of this file has the id {number.assistant_id}"
                )
                continue
            wire["assistantId"] = assistant_ids[number.assistant_id]
        given = item.get("id")
        number_id = _uuid("phone-number", given if isinstance(given, str) and given else str(uri))
        resources.append(_resource(document, number_id, wire))
    return resources


Schema = TypeVar("Schema", bound=BaseModel)


def _validated(document: _Document, path: Path_, schema: type[Schema], body: JsonObject) -> Schema | None:
    try:
        schema.model_validate(body)
        return schema.model_validate(normalise_server(body))
    except ValidationError as fault:
        document.validation(path, fault)
        return None


def _resource(document: _Document, resource_id: str, wire: JsonObject) -> Resource:
    changed = iso(datetime.fromtimestamp(document.path.stat().st_mtime, UTC))
    return Resource(resource_id, document.org_id, changed, changed, wire)
