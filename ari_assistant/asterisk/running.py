"""An Asterisk that we did not configure: does it have what calls need?"""

from __future__ import annotations

from ari_assistant.ari.errors import AriRequestError
from ari_assistant.ari.resources import SendRequest
from ari_assistant.asterisk.instance import NEEDED_MODULES, SYSTEM_NAME

__all__ = ["dialplan_fault", "is_configured_by_us"]


async def dialplan_fault(request: SendRequest) -> str | None:
    """What is missing for INVITEs to be read before `Stasis()`, with the cure; None when all is there, or when this
    Asterisk does not tell. Raises AriError when it cannot be reached."""
    try:
        loaded = {module["name"].removesuffix(".so") for module in await request("GET", "asterisk/modules")}
    except AriRequestError:
        return None
    if lacking := [f"{name}.so" for name in NEEDED_MODULES if name not in loaded]:
        return f"{', '.join(lacking)} not loaded: load them (modules.conf)"
    try:
        await request("GET", "asterisk/variable", variable="ARI_ASSISTANT_APP")
    except AriRequestError as fault:
        if fault.status != 404:
            return None
        return (
            "its dialplan is not that of this version (no ARI_ASSISTANT_APP in [globals]): take [globals],"
            " [ari-assistant-invite] and [ari-assistant-nowhere] of asterisk-conf/extensions.conf over, go through"
            " Gosub(ari-assistant-invite,s,1) before Stasis(), and reload it"
        )
    return None


async def is_configured_by_us(request: SendRequest) -> bool:
    """Is this an Asterisk whose configuration we rendered (compose does), so that our SIP settings are its own?"""
    try:
        info = await request("GET", "asterisk/info", only="config")
        return bool(info["config"]["name"] == SYSTEM_NAME)
    except (AriRequestError, KeyError, TypeError):
        return False
