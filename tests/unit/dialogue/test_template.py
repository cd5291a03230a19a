from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ari_assistant.dialogue.template import builtin_variables, fill_for_speech, render


def test_variables_fill_in_and_filters_work() -> None:
    assert render("Hello {{first_name | upcase}}!", {"first_name": "John"}).text == "Hello JOHN!"


def test_a_missing_variable_renders_as_nothing_and_is_reported() -> None:
    rendered = render("Hello {{first_name}}, {{a.b}}.", {})
    assert rendered.text == "Hello , ."
    assert rendered.missing == ("first_name", "a")


def test_asking_whether_a_variable_is_there_is_not_missing_it() -> None:
    rendered = render("{% if vip %}Dear{% else %}Hello{% endif %}", {})
    assert rendered.text == "Hello"
    assert rendered.missing == ()


def test_a_hyphen_may_be_written_as_an_underscore() -> None:
    values = {"our-call-id": "42"}
    assert render("{{our_call_id}} {{our-call-id}}", values).text == "42 42"


def test_a_broken_template_gives_its_plain_text_and_the_fault() -> None:
    rendered = render("Hello {{ first_name, {% if %} you", {"first_name": "John"})
    assert rendered.text.startswith("Hello")
    assert "{" not in rendered.text
    assert rendered.fault is not None


def test_an_endless_loop_is_cut_off() -> None:
    rendered = render("{% for i in (1..1000000) %}x{% endfor %}", {})
    assert rendered.fault is not None


def test_built_in_variables_have_vapis_texts() -> None:
    values = builtin_variables(datetime(2026, 5, 4, 15, 10, tzinfo=UTC), customer={"number": "1"}, call=None)
    assert values["now"] == "May 4, 2026, 3:10 PM UTC"
    assert values["currentDateTime"] == "Monday, May 4, 2026 at 3:10 PM UTC"
    assert values["date"] == "May 4, 2026 UTC"
    assert values["time"] == "3:10 PM UTC"
    assert (values["year"], values["month"], values["day"]) == ("2026", "May", "4")
    assert render("{{customer.number}}", values).text == "1"
    assert "call" not in values


def test_dates_are_told_in_the_zone_that_is_asked_for() -> None:
    text = '{{ "2026-05-04T15:10:00Z" | date: "%A, %B %d, %Y, %I:%M %p", "America/Los_Angeles" }}'
    assert render(text, {}).text == "Monday, May 04, 2026, 08:10 AM"
    assert render('{{ 0 | date: "%Y" }}', {}).text == "1970"
    assert render('{{ "soon" | date: "%Y" }}', {}).text == "soon"
    assert render('{{ "now" | date: "%Y" }}', {}).text.isdecimal()
    assert render('{{ "2026-05-04" | date: "%Y", "Nowhere/City" }}', {}).text == "2026-05-04"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("Hello {{first_name}}, how can I help?", "Hello, how can I help?"),
        ("Hello {{ first_name | upcase }}!", "Hello!"),
        ("{{first_name}}, please wait. Thank you, {{first_name}}.", "Please wait. Thank you."),
        ("Thank you, {{first_name}}, we call back.", "Thank you, we call back."),
        ("Thank you. {{first_name}}, we call back.", "Thank you. We call back."),
        ("A table for {{number}} people", "A table for people"),
        ("Good morning {{first_name}} {{last_name}}.", "Good morning."),
        ("Good morning {{first_name}}", "Good morning"),
        ("Hello {{first_name | default: 'there'}}.", "Hello there."),
        ("Well , that {{known}} stays .", "Well , that Ann stays ."),
        ("{{first_name}}", ""),
    ],
)
def test_a_variable_without_a_value_leaves_no_hole_in_what_is_said(template: str, said: str) -> None:
    def fill(text: str, extra: Mapping[str, Any]) -> str:
        return render(text, {"known": "Ann", **extra}).text

    assert fill_for_speech(fill, template, {}) == said
    assert fill_for_speech(fill, template, {"first_name": "", "last_name": "", "number": ""}) == said
    assert "\ue000" not in fill(template, {})


def test_where_nothing_is_missing_nothing_changes() -> None:
    def fill(text: str, extra: Mapping[str, Any]) -> str:
        return render(text, extra).text

    assert fill_for_speech(fill, "Hello {{a}}, {{b}} .", {"a": "John", "b": "c , d"}) == "Hello John, c , d ."
    assert fill_for_speech(fill, "Hello{% if a %} {{a}}{% endif %}, hi.", {}) == "Hello, hi."
    assert fill_for_speech(fill, '{% if a == "" %}none{% endif %}', {"a": ""}) == "none"
