"""Which fields are secrets, and documents without them.

A schema marks a secret once, where the field is declared (`Secret`, `SecretHeaders`, `SECRET`). Fields marked `DATA`
are the user's own data (metadata, variables, JSON Schemas) and are shown as they are. In what the contract leaves open,
an object without a schema or a vendor's own fields, names decide (`looks_secret`).
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from ari_assistant.vapi.base import JsonObject

__all__ = [
    "DATA",
    "SECRET",
    "Secret",
    "SecretHeaders",
    "looks_secret",
    "with_secrets_of",
    "without_secrets",
    "without_user_info",
]


class Mark:
    """What `Annotated` says of a field beside its type."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


SECRET = Mark("SECRET")
"""Never in a server message, a record of a call or a log; nor in the answers of resources that hide it."""
DATA = Mark("DATA")
"""The user's own; its names say nothing."""

Secret = Annotated[str, SECRET]
SecretHeaders = Annotated[dict[str, str], SECRET]
"""Header values as a whole: which of them is a key is not ours to guess."""

Annotation = Any
"""A model, a TypeAdapter, a type annotation; None where there is none."""

_LOOKS_SECRET = re.compile(
    r"(secret([_-]?(id|key))?|password|passwd|passphrase|(api|private|open_?ai|subscription|gcp)[_-]?key"
    r"|access[_-]?key([_-]?id)?|token|authorization|authentication|auth|credentials|cookie|headers)$",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#@\s]*@")


def looks_secret(name: str) -> bool:
    """Whether a field of this name may hold a secret: `apiKey`, `x-auth-token`, `clientSecret`, not `maxTokens`."""
    return _LOOKS_SECRET.search(name) is not None


def without_user_info(url: str) -> str:
    """`https://user:password@host/` → `https://host/`."""
    return _USER_INFO.sub(r"\1", url)


def without_secrets(document: JsonObject, schema: Annotation = None) -> JsonObject:
    """A copy of `document` without its secrets; URLs lose `user:password@`.

    Where `schema` is a union, a field that one of its kinds marks is secret in all: nothing depends on which kind
    the document claims to be.
    """
    result: JsonObject = _shown(document, [schema])
    return result


def with_secrets_of(stored: JsonObject, given: JsonObject, schema: Annotation) -> JsonObject:
    """`given`, with the secrets that `stored` has and `given` does not name: what `without_secrets` hid does not get
    lost when it is sent back. An object of another `type`, `provider` or `url` keeps nothing of the old one: a secret
    is not sent where its owner did not say."""
    return _completed(stored, given, [schema])


def _completed(stored: JsonObject, given: JsonObject, annotations: list[Any]) -> JsonObject:
    if any(stored.get(key) != given.get(key) for key in ("type", "provider", "url") if key in given):
        return given
    found = _fields(annotations)
    result = dict(given)
    for key, value in stored.items():
        fields = found.get(key)
        secret = any(SECRET in marks for _, marks in fields) if fields else looks_secret(key)
        if secret:
            result.setdefault(key, value)
        elif isinstance(value, dict) and isinstance(given.get(key), dict):
            result[key] = _completed(value, given[key], [annotation for annotation, _ in fields or ()])
    return result


def _shown(value: Any, annotations: list[Any]) -> Any:
    if isinstance(value, list):
        items = [inner for annotation in annotations for inner in _items(annotation)]
        return [_shown(item, items) for item in value]
    if isinstance(value, str):
        return without_user_info(value)
    if not isinstance(value, dict):
        return value
    found = _fields(annotations)
    label = value.get("key", value.get("name"))
    shown: JsonObject = {}
    for key, item in value.items():
        fields = found.get(key)
        marks = [mark for _, marks in fields or () for mark in marks]
        if SECRET in marks or (fields is None and looks_secret(key)):
            continue
        if key == "value" and isinstance(label, str) and looks_secret(label):  # {"key": "apiKey", "value": …}
            continue
        shown[key] = item if DATA in marks else _shown(item, [annotation for annotation, _ in fields or ()])
    return shown


def _fields(annotations: Iterable[Any]) -> dict[str, list[tuple[Any, list[Any]]]]:
    """Name on the wire → (annotation, marks) in each model that the annotations may mean."""
    found: dict[str, list[tuple[Any, list[Any]]]] = {}
    for annotation in annotations:
        for model in _models(annotation):
            for name, field in _model_fields(model).items():
                found.setdefault(name, []).append(field)
    return found


@cache
def _model_fields(model: type[BaseModel]) -> dict[str, tuple[Any, list[Any]]]:
    return {
        field.alias or name: (field.annotation, [*field.metadata, *_marks(field.annotation)])
        for name, field in model.model_fields.items()
    }


def _marks(annotation: Any) -> Iterator[Any]:
    """The marks of an annotation, also within `… | None`."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        yield from metadata
        yield from _marks(inner)
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _marks(branch)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an object of this annotation may be."""
    if isinstance(annotation, TypeAdapter):
        annotation = annotation._type
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _models(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _models(branch)


def _items(annotation: Any) -> Iterator[Any]:
    """What the elements of a list of this annotation are."""
    if get_origin(annotation) is Annotated:
        yield from _items(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for branch in get_args(annotation):
            yield from _items(branch)
    elif get_origin(annotation) is list:
        yield from get_args(annotation)
