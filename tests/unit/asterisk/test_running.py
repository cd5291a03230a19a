from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.ari.errors import AriNotFound, AriRequestError
from ari_assistant.ari.resources import SendRequest
from ari_assistant.asterisk.instance import NEEDED_MODULES
from ari_assistant.asterisk.running import dialplan_fault, is_configured_by_us


def asterisk(
    *, modules: tuple[str, ...] = NEEDED_MODULES, app: str | None = "ari-assistant", name: str = "pbx"
) -> SendRequest:
    """ARI of an Asterisk with these modules, this global ARI_ASSISTANT_APP and this system name."""

    async def request(method: str, path: str, **parameters: str) -> Any:
        if path == "asterisk/modules":
            return [{"name": f"{module}.so"} for module in modules]
        if path == "asterisk/info":
            return {"config": {"name": name}}
        assert (path, parameters) == ("asterisk/variable", {"variable": "ARI_ASSISTANT_APP"})
        if app is None:
            raise AriNotFound("GET", 404, "Provided variable was not found")
        return {"value": app}

    return request


async def test_an_asterisk_that_has_taken_everything_over_is_well() -> None:
    assert await dialplan_fault(asterisk()) is None


async def test_an_old_dialplan_is_named_with_its_cure() -> None:
    fault = await dialplan_fault(asterisk(app=None))
    assert fault is not None
    assert "Gosub(ari-assistant-invite,s,1)" in fault


async def test_a_module_that_is_not_loaded_is_named() -> None:
    lacking = tuple(name for name in NEEDED_MODULES if name != "func_uri")
    fault = await dialplan_fault(asterisk(modules=lacking, app=None))
    assert fault is not None
    assert fault.startswith("func_uri.so not loaded: ")


async def test_an_asterisk_that_does_not_tell_is_not_accused() -> None:
    async def forbidden(method: str, path: str, **parameters: str) -> Any:
        raise AriRequestError("GET", 500, "no")

    assert await dialplan_fault(forbidden) is None
    assert not await is_configured_by_us(forbidden)


@pytest.mark.parametrize(("name", "ours"), [("ari-assistant", True), ("pbx", False), ("", False)])
async def test_the_system_name_says_whose_configuration_it_is(name: str, ours: bool) -> None:
    assert await is_configured_by_us(asterisk(name=name)) is ours
