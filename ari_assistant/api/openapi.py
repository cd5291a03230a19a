"""`/openapi.json` (OpenAPI 3.1), made from the endpoints and the schemas, and a page to read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, Literal

from aiohttp import web
from pydantic import TypeAdapter

from ari_assistant import __version__
from ari_assistant.api.endpoint import Endpoint, EndpointGroup
from ari_assistant.vapi.base import JsonObject

__all__ = ["describe", "documentation_endpoints", "documentation_page"]

_REF = "#/components/schemas/{model}"
_ERROR: JsonObject = {
    "type": "object",
    "properties": {
        "message": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "error": {"type": "string"},
        "statusCode": {"type": "integer"},
    },
    "required": ["message", "error", "statusCode"],
}
_REASONS = {
    400: "The request is not valid; `message` says what to change.",
    401: "No key, or a wrong one.",
    404: "There is no such resource.",
    413: "The body is too large.",
    503: "Not now.",
}


def describe(groups: Sequence[EndpointGroup]) -> JsonObject:
    """The OpenAPI document of all endpoints."""
    endpoints = [endpoint for group in groups for endpoint in group.items]
    inputs: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = []
    for number, endpoint in enumerate(endpoints):
        for part in ("body", "answer"):
            schema = getattr(endpoint, part)
            if schema is not None and not isinstance(schema, dict):
                inputs.append((f"{number}:{part}", "validation", _adapter(schema)))
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REF)
    schemas = {key: value for (key, _), value in found.items()}
    paths: JsonObject = {}
    for number, endpoint in enumerate(endpoints):
        operation = _operation(endpoint, schemas.get(f"{number}:body"), schemas.get(f"{number}:answer"))
        paths.setdefault(re.sub(r":[^}]*}", "}", endpoint.path), {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ari-assistant",
            "version": __version__,
            "description": "A self-hosted voice assistant for Asterisk with Vapi's API.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, **definitions.get("$defs", {})},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _adapter(schema: Any) -> TypeAdapter[Any]:
    return schema if isinstance(schema, TypeAdapter) else TypeAdapter(schema)


def _operation(endpoint: Endpoint, body: JsonObject | None, answer: JsonObject | None) -> JsonObject:
    answers: JsonObject = {}
    answer = answer if answer is not None else endpoint.answer
    content = {} if answer is None else {"content": {endpoint.answer_type: {"schema": answer}}}
    answers[str(endpoint.status)] = {
        "description": "Done." if endpoint.status < 300 else "See elsewhere.",
        **content,
    }
    errors = set(endpoint.errors) | ({401} if endpoint.access == "private" else set())
    if endpoint.body is not None:
        errors |= {400, 413}
    for status in sorted(errors):
        answers[str(status)] = {
            "description": _REASONS.get(status, "An error."),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    operation: JsonObject = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "responses": answers,
    }
    if endpoint.access == "private":
        operation["security"] = [{"bearer": []}]
    parameters: list[JsonObject] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)", endpoint.path)
    ]
    parameters += [{"name": query.name, "in": "query", "schema": query.schema} for query in endpoint.query]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        schema = body if body is not None else endpoint.body
        operation["requestBody"] = {
            "required": endpoint.body_required,
            "content": {endpoint.body_type: {"schema": schema}},
        }
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[A-Za-z0-9]+", endpoint.path)
    return endpoint.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def documentation_page(document: JsonObject) -> str:
    """The description as one HTML page that needs nothing else: no script, no font, no network."""
    rows: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            detail = _detail(operation)
            key = "" if "security" in operation else " <i>no key needed</i>"
            rows.setdefault(operation["tags"][0], []).append(
                f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
                f"{escape(operation['summary'])}{key}</summary>{detail}</details>"
            )
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_fields(schema)}</details>'
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in rows.items())
    return _PAGE.format(body=body, schemas=schemas, version=escape(document["info"]["version"]))


def _detail(operation: JsonObject) -> str:
    parts = []
    if names := [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]:
        parts.append(f"<p>Query: {', '.join(f'<code>{escape(n)}</code>' for n in names)}</p>")
    bodies = operation.get("requestBody", {}).get("content", {}).values()
    parts += [f"<p>Body: {_type(content['schema'])}</p>" for content in bodies]
    for status, answer in operation["responses"].items():
        kinds = " ".join(_type(c.get("schema", {})) for c in answer.get("content", {}).values())
        parts.append(f"<p>{status}: {escape(answer['description'])} {kinds}</p>")
    return "".join(parts)


def _type(schema: JsonObject) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}"><code>{name}</code></a>'
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " | ".join(_type(part) for part in schema[key] if part.get("type") != "null")
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return escape(str(schema.get("const", schema.get("type", "any"))))


def _fields(schema: JsonObject) -> str:
    text = f"<p>{escape(schema.get('description', ''))}</p>"
    if "properties" not in schema:
        return text + f"<p>{_type(schema)}</p>"
    required = set(schema.get("required", ()))
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{' *' if name in required else ''}</td><td>{_type(field)}</td></tr>"
        for name, field in schema["properties"].items()
    )
    return f"{text}<table>{rows}</table>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ari-assistant API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
details {{ border: 1px solid #8884; border-radius: 6px; margin: .3rem 0; padding: .3rem .7rem; }}
summary {{ cursor: pointer; }} p {{ margin: .3rem 0; }} td {{ padding: .1rem .8rem .1rem 0; vertical-align: top; }}
code {{ font-size: .92em; }}
</style></head><body>
<h1>ari-assistant API <small>{version}</small></h1>
<p>Every request carries <code>Authorization: Bearer KEY</code>. The machine-readable form is
<a href="openapi.json">openapi.json</a>.</p>
{body}
<h2>Schemas</h2>{schemas}
</body></html>
"""


def documentation_endpoints(groups: Sequence[EndpointGroup]) -> EndpointGroup:
    """`/openapi.json` and `/docs`, both open: they tell nothing but the shape of the API."""
    own = EndpointGroup("Documentation")
    document: JsonObject = {}

    def made() -> JsonObject:
        if not document:
            document.update(describe([*groups, own]))
        return document

    @own.add("GET", "/openapi.json", access="open", answer={"type": "object"})
    async def openapi(_: web.Request) -> web.Response:
        """This description, as OpenAPI 3.1."""
        return web.json_response(made())

    @own.add("GET", "/docs", access="open", answer={"type": "string"}, answer_type="text/html")
    async def docs(_: web.Request) -> web.Response:
        """This description, as a page."""
        return web.Response(text=documentation_page(made()), content_type="text/html")

    return own
