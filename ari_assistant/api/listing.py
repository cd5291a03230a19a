"""`limit`, `createdAtGt`, … of the list endpoints (§1)."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from ari_assistant.api.errors import ApiFault
from ari_assistant.store.repositories import Listing
from ari_assistant.vapi.base import iso

__all__ = ["listing"]

_TIMES = {
    f"{field}{suffix}": f"{column}_{suffix.lower()}"
    for field, column in (("createdAt", "created_at"), ("updatedAt", "updated_at"))
    for suffix in ("Gt", "Ge", "Lt", "Le")
}


def listing(request: web.Request, **equal: str) -> Listing:
    """Read the query. `equal` maps query names to columns. Raises ApiFault (400)."""
    faults: list[str] = []
    limit = 100
    times: dict[str, str] = {}
    columns: dict[str, str] = {}
    for name, value in request.query.items():
        if name == "limit":
            if not value.isdecimal() or not 0 <= int(value) <= 1_000:
                faults.append("limit must be an integer number from 0 to 1000")
            else:
                limit = int(value)
        elif name in _TIMES:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                faults.append(f"{name} must be a valid ISO 8601 date string")
            else:
                times[_TIMES[name]] = iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        elif name in equal:
            columns[equal[name]] = value
        else:
            faults.append(f"property {name} should not exist")
    if faults:
        raise ApiFault(400, faults)
    return Listing(limit=limit, times=times, equal=columns)
