"""How a call ended."""

from __future__ import annotations

import pytest

from ari_assistant.conversation import ending as endings
from ari_assistant.conversation.ending import Ending


@pytest.mark.parametrize(
    ("reason", "is_fault"),
    [
        ("customer-ended-call", False),
        ("silence-timed-out", False),
        ("assistant-forwarded-call", False),
        ("pipeline-error-openai-llm-failed", True),
        ("call.in-progress.error-vapifault-worker-died", True),
        ("assistant-request-returned-invalid-assistant", True),
        ("worker-shutdown", True),
    ],
)
def test_what_went_wrong_on_our_side_or_a_providers_is_a_fault(reason: str, is_fault: bool) -> None:
    assert Ending(reason).is_fault is is_fault


def test_every_ending_has_a_reason_of_its_own() -> None:
    reasons = [getattr(endings, name).reason for name in endings.__all__ if name.isupper()]
    assert len(set(reasons)) == len(reasons) > 10
