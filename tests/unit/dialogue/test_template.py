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


_VARIABLES: dict[str, Any] = {
    "big": "a" * 100_000,
    "numbers": ",".join(map(str, range(4_900))),
    "tags": "<" * 100_000,
    "wide": " a" * 400_000,
}


@pytest.mark.parametrize(
    "template",
    [
        "{% assign a = 'aaaaaaaaaa' %}" + "{% assign a = a | append: a %}" * 40 + "{{ a }}",
        "{% assign a = 'aaaaaaaaaa' %}" + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 40 + "{{ a }}",
        "{{ big | replace: 'a', big }}",
        "{{ big | split: '' | join: big }}",
        "{% assign l = numbers | split: ',' %}" + "{% assign l = l | concat: l %}" * 40,
        "{% assign l = numbers | split: ',' %}{{ l | uniq }}",
        "{% assign a = 9999999 %}" + "{% assign a = a | times: a %}" * 60 + "{{ a }}",
        "{{ (1..1000000000) | join: ',' }}",
        "{% for i in (1..1000000000) %}x{% endfor %}",
        "{% for i in (1..1000000000) reversed %}x{% endfor %}",
        "{% for i in (1..1000) limit: 1 offset: 999999999 %}x{% endfor %}{{ (1..99999999) | size }}",
        "{% for i in (1..100) %}{% for j in (1..100) %}" + "{{ i }}" * 400 + "{% endfor %}{% endfor %}",
        "{% for i in (1..100) %}{% for j in (1..100) %}" + "{% if true %}{% endif %}" * 200 + "{% endfor %}" * 2,
        "{{ tags | strip_html }}",
        "{{ wide | squish }}",
        "{{ a }}" * 3_000,
        "{{ a" + " | append: 'x'" * 5_000 + "}}",
        "{% if " + "(" * 9_000 + "a" + ")" * 9_000 + " %}x{% endif %}",
        "{{ a" + "[a" * 9_000 + "}}",
        "{% raw %}" * 400 + "x" * 100_000,
        "{{" * 499 + "a" * 100_000,
        "{% if a %}" * 200 + "{% endif %}" * 200,
        "{{ x }}" + "a" * 900_000,
    ],
)
def test_a_template_that_would_hold_the_loop_or_fill_the_memory_is_given_up(template: str) -> None:
    rendered = render(template, _VARIABLES)
    assert rendered.fault is not None
    assert "{{" not in rendered.text


def test_what_assistants_really_write_is_within_the_limits() -> None:
    prompt = "{% for item in order.items %}{{ item.name | upcase }} {% endfor %}{{ note }}" * 20 + "x" * 50_000
    order = {"items": [{"name": f"n{n}"} for n in range(20)]}
    assert render(prompt, {"order": order, "note": "a" * 1_000}).fault is None
