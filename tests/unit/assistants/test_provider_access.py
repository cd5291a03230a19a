"""Whose key a provider is asked with, and where."""

from __future__ import annotations

from ari_assistant.assistants.provider_access import ProviderAccess, access_for
from ari_assistant.store.catalogue import Catalogue
from ari_assistant.vapi.assistant import Assistant


def test_a_provider_is_known_by_each_of_its_names() -> None:
    access = ProviderAccess({"11labs": "k"}, {"together-ai": "http://h/"})
    assert access.key("elevenlabs") == access.key("11labs") == "k"
    assert access.url("together", "http://vendor") == "http://h"
    assert access.url("11labs", "http://vendor/") == "http://vendor"
    assert [name for name in ("eleven-labs", "together", "openai") if access.knows(name)] == [
        "eleven-labs",
        "together",
    ]
    assert access.key("openai") is None


async def test_an_assistants_own_key_comes_before_stored_ones_and_these_before_the_installations(
    empty_catalogue: Catalogue,
) -> None:
    installation = ProviderAccess({"openai": "installed", "deepgram": "installed", "groq": "installed"})
    for name in ("openai", "deepgram"):
        await empty_catalogue.credentials.create(name, {"provider": name, "apiKey": "stored"})
    assistant = Assistant.model_validate({"credentials": [{"provider": "openai", "apiKey": "own"}]})
    access = await access_for(assistant, empty_catalogue, installation)
    assert access.keys == {"openai": "own", "deepgram": "stored", "groq": "installed"}


async def test_of_several_stored_keys_the_one_counts_that_the_assistant_names(empty_catalogue: Catalogue) -> None:
    for number in "123":
        await empty_catalogue.credentials.create(number, {"provider": "elevenlabs", "apiKey": f"k{number}"})
    for number in "123":
        access = await access_for(Assistant(credential_ids=[number]), empty_catalogue, ProviderAccess())
        assert access.key("11labs") == f"k{number}"


async def test_a_credential_without_a_key_is_no_access(empty_catalogue: Catalogue) -> None:
    credentials = [{"provider": "openai"}, {"provider": "groq", "apiKey": ""}, {"apiKey": "k"}]
    assistant = Assistant.model_validate({"credentials": credentials})
    assert (await access_for(assistant, empty_catalogue, ProviderAccess())).keys == {}
