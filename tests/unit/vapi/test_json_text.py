"""JSON from outside."""

from __future__ import annotations

import pytest

from ari_assistant.vapi.json_text import MAX_DEPTH, MAX_VALUES, read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true, "é"]}', {"a": [1, 2.5, None, True, "é"]}),
        ("1e308", 1e308),
        ('"\\ud83d\\ude00"', "😀"),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
        ("[" + "0," * (MAX_VALUES - 1) + "0]", None),
    ],
)
def test_json_is_read(text: str, value: object) -> None:
    read = read_json(text)
    assert value is None or read == value
    assert read_json(text.encode()) == read


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("1e999", "fits into a double"),
        ('{"a": {"b": [-1e999]}}', "fits into a double"),
        ('{"a": 1' + "0" * 400 + "}", "fits into a double"),
        ("NaN", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("9" * 5_000, "digits"),
        ('"\\ud83d"', "surrogates"),
        ('{"\\u0000": 1}', "NUL"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "deeper than 64 levels"),
        ("[" * 10_000 + "]" * 10_000, "deeper than 64 levels"),
        ("[" + "0," * MAX_VALUES + "0]", "more than 20000 values"),
        ("[" + "[0],{}," * MAX_VALUES + "0]", "more than 20000 values"),
    ],
)
def test_what_cannot_be_stored_or_sent_on_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_json(text)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        read_json(b'"\xff"')
