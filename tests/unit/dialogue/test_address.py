"""Where a call or a request goes is the template's to say, and never the caller's."""

from __future__ import annotations

from typing import Any

import pytest

from ari_assistant.dialogue.address import AddressRefused, filled_sip_uri, filled_url, one_line
from ari_assistant.dialogue.callers_text import FromCaller, from_caller
from ari_assistant.dialogue.template import render

EVIL = "evil@attacker.example;x="


def variables(text: str = EVIL, **trusted: Any) -> dict[str, Any]:
    """`ext` (and `our-ext`, `customer.name`) are the caller's."""
    return {
        "ext": FromCaller(text),
        "our-ext": FromCaller(text),
        "customer": from_caller({"name": text}),
        **trusted,
    }


@pytest.mark.parametrize(
    ("template", "text", "uri"),
    [
        ("sip:{{ext}}@pbx.local", "204", "sip:204@pbx.local"),
        ("sip:{{ext}}@pbx.local", "+15551230000", "sip:+15551230000@pbx.local"),
        ("sip:{{ext}}@pbx.local", "*72#", "sip:*72%23@pbx.local"),
        ("sip:{{ext}}@pbx.local", EVIL, "sip:evil%40attacker.example%3Bx%3D@pbx.local"),
        ("sip:{{our_ext}}@pbx.local", "a@b", "sip:a%40b@pbx.local"),
        ("sip:{{customer.name}}@pbx.local", "a@b", "sip:a%40b@pbx.local"),
        ("sip:{{ext | upcase}}@pbx.local", "a@b", "sip:A%40B@pbx.local"),
        ("sip:q{% if ext == 'a@b' %}1{% else %}2{% endif %}@pbx.local", "a@b", "sip:q1@pbx.local"),
        ("sip:q@pbx.local;x={{ext}}", "1;maddr=evil", "sip:q@pbx.local;x=1%3Bmaddr%3Devil"),
        ("sip:q@pbx.local?X-A={{ext}}", "1&Route=evil", "sip:q@pbx.local?X-A=1%26Route%3Devil"),
        ("sip:{{ext}}@pbx.local", "1\r\nContact: <sip:evil>", "sip:1Contact%3A%20%3Csip%3Aevil%3E@pbx.local"),
        ("sip:{{ext}}@pbx.local", "{{secret}}", "sip:%7B%7Bsecret%7D%7D@pbx.local"),
        ("sip:{{ext}}@pbx.local", "Zoë", "sip:Zo%C3%AB@pbx.local"),
        ("{% assign to = ext | append: 'x' %}sip:{{to}}@pbx.local", "a@b", "sip:a%40bx@pbx.local"),
        ("{% capture to %}sip:{{ext}}@pbx.local{% endcapture %}{{to}}", "a@b", "sip:a%40b@pbx.local"),
        ("{% assign host = 'pbx.local' %}sip:{{ext}}@{{host}}", "a@b", "sip:a%40b@pbx.local"),
        ("{% assign host = desk %}sip:{{ext}}@{{host}}", "1", "sip:1@desk.local"),
        ("{{destination}}", "1", "sip:desk@pbx.local:5070;transport=tcp"),
        ("sip:{{ext}}@{{desk}}", "1", "sip:1@desk.local"),
    ],
)
def test_a_callers_text_is_a_part_of_the_user_or_of_a_parameter(template: str, text: str, uri: str) -> None:
    own = {"destination": "sip:desk@pbx.local:5070;transport=tcp", "desk": "desk.local"}
    assert filled_sip_uri(template, variables(text, **own)) == uri


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ext}}", "sip:1@evil.example"),
        ("sip:1@{{ext}}", "evil.example"),
        ("sip:1@{{ext}}", "a"),
        ("sip:1@pbx{{ext}}", ".evil.example"),
        ("sip:1@{{ext}}.pbx.local", "b"),
        ("sip:1@pbx.local:{{ext}}", "5061"),
        ("sip:1@pbx.local;maddr={{ext}}", "evil.example"),
        ("sip:1@pbx.local?Route={{ext}}", "evil.example"),
        ("{{ext}}:1@pbx.local", "sips"),
        ("sip:{{ext}}@pbx.local", ""),
        ("sip:{{ext}}@pbx.local", "\r\n"),
        ("{% cycle ext %}", "sip:1@evil.example"),
        ("{% echo ext %}", "sip:1@evil.example"),
        ("{% for part in customer %}{{part}}{% endfor %}", "sip:1@evil.example"),
        ("{% assign to = ext %}{{to}}", "sip:1@evil.example"),
        ("{{ 'sip:1@' | append: ext }}", "evil.example"),
        ("{{ x | default: ext }}", "sip:1@evil.example"),
        ("{{ [name] }}", "sip:1@evil.example"),
        ("sip:{{nobody}}@pbx.local", "1"),
        ("sip:{{ext@pbx.local", "1"),
    ],
)
def test_a_caller_who_would_choose_the_host_is_refused_by_name(template: str, text: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        filled_sip_uri(template, variables(text, name="ext"))
    assert template in str(refused.value)
    assert "evil" not in str(refused.value), "it is logged, and a caller's words are not"


@pytest.mark.parametrize(
    ("template", "text", "url"),
    [
        ("https://api.local/orders/{{ext}}", "7", "https://api.local/orders/7"),
        (
            "https://api.local/orders/{{ext}}",
            "7/../../admin?x=#",
            "https://api.local/orders/7%2F..%2F..%2Fadmin%3Fx%3D%23",
        ),
        ("https://api.local/?q={{ext}}&b=1", "a&b=2 c", "https://api.local/?q=a%26b%3D2%20c&b=1"),
        ("https://api.local/?q={{ext | url_encode}}", "a&b c", "https://api.local/?q=a%26b+c"),
        ("{{base}}/orders/{{ext}}", "7", "https://api.local:8443/v1/orders/7"),
    ],
)
def test_a_callers_text_is_a_part_of_a_path_or_a_query(template: str, text: str, url: str) -> None:
    assert filled_url(template, variables(text, base="https://api.local:8443/v1")) == url


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ext}}", "https://evil.example/"),
        ("https://{{ext}}/x", "evil.example"),
        ("https://api.local{{ext}}/x", ".evil.example"),
        ("https://api.local{{ext}}/x", "@evil.example"),
        ("https://api.local:{{ext}}/x", "8443"),
        ("https://{{ext}}@api.local/x", "user"),
        ("https://user:{{ext}}@api.local/x", "password"),
        ("http{{ext}}://api.local/x", "s"),
        ("https://api.local/orders/{{ext}}/x", ".."),
        ("https://api.local/orders/{{ext}}", ".."),
        ("{{relative}}/{{ext}}", "x"),
        ("ftp://api.local/{{ext}}", "x"),
    ],
)
def test_a_caller_who_would_choose_where_a_request_goes_is_refused(template: str, text: str) -> None:
    with pytest.raises(AddressRefused):
        filled_url(template, variables(text))


def test_what_a_template_made_of_a_callers_text_is_the_callers_too() -> None:
    made = render("{{ext | upcase}}", variables("a@evil")).text
    assert isinstance(made, FromCaller)
    assert filled_sip_uri("sip:{{made}}@pbx.local", {"made": made}) == "sip:A%40EVIL@pbx.local"
    assert not isinstance(render("{{own}}", variables(own="x")).text, FromCaller)


def test_a_value_that_a_tool_set_under_the_same_name_is_not_the_callers() -> None:
    bag = variables("evil")
    bag |= {"ext": "sip:desk@pbx.local"}
    assert filled_sip_uri("{{ext}}", bag) == "sip:desk@pbx.local"


def test_what_is_said_is_not_escaped() -> None:
    assert render("Hello {{ext}}!", variables("Ann & Bob")).text == "Hello Ann & Bob!"


def test_a_headers_value_is_one_line() -> None:
    assert one_line("a\r\nX-Evil: b\x00") == "aX-Evil: b"
