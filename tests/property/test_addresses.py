"""Whatever a caller sends, a call and a request go where the template says, or nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from ari_assistant.calls.transfer import refer_target
from ari_assistant.dialogue.address import AddressRefused, filled_sip_uri, filled_url
from ari_assistant.dialogue.callers_text import FromCaller
from ari_assistant.dialogue.template import RESERVED, builtin_variables, render
from ari_assistant.reports.invite import header_variables
from ari_assistant.vapi.destination import Destination

hostile = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["@", "evil.example", ":", ";", "?", "&", "/", "..", "#", "%40", "%", "\r\n", "<", ">", '"', "{{", "}}", "\\",
         "maddr=", "Route=", "sip:", "http://", "5060", " ", "\x00", "[::1]", ",", "a", "1"]
    ),
    max_size=12,
).map("".join)  # fmt: skip
SIP = (
    "sip:{{v}}@pbx.local", "sips:a{{v}}b@pbx.local:5061", "sip:q@pbx.local;x={{v}}", "sip:q@pbx.local?X-A={{v}}",
    "sip:{{v | upcase}}@pbx.local", "sip:{{v | url_encode}}@pbx.local", "sip:{{v | append: v}}@pbx.local", "{{v}}",
    "sip:q@{{v}}", "sip:q@pbx.local{{v}}", "sip:{% assign w = v | downcase %}{{w}}@pbx.local",
    "{% capture w %}sip:{{v}}@pbx.local{% endcapture %}{{w}}", "{% cycle v, v %}",
)  # fmt: skip
URLS = (
    "https://api.local/{{v}}", "https://api.local/a/{{v}}/b?c={{v}}#d", "https://api.local:8443/?q={{v | url_encode}}",
    "https://api.local{{v}}", "https://{{v}}", "{{v}}", "https://api.local/{{v | upcase}}{{v}}",
)  # fmt: skip


@given(st.sampled_from(SIP), hostile)
@example("sip:{{v}}@pbx.local", "evil@attacker.example;")
def test_the_host_of_a_sip_uri_is_the_templates(template: str, text: str) -> None:
    try:
        uri = filled_sip_uri(template, {"v": FromCaller(text)})
    except AddressRefused:
        return
    target = refer_target(Destination(type="sip", sip_uri=uri))
    assert target.isprintable()
    assert not set(target) & set('<>" \\')
    scheme, _, rest = target.partition(":")
    user, _, host = rest.partition("@")
    assert scheme in ("sip", "sips")
    assert not set(user) & set(":;?/&=")
    assert host.split(";")[0].split("?")[0] in ("pbx.local", "pbx.local:5061")
    assert rest.count("@") == 1
    assert rest.count(";") + rest.count("?") == template.count(";") + template.count("?")


@given(st.sampled_from(URLS), hostile)
@example("https://api.local/{{v}}", "../../admin")
def test_the_origin_of_a_url_is_the_templates(template: str, text: str) -> None:
    try:
        url = filled_url(template, {"v": FromCaller(text)})
    except AddressRefused:
        return
    seen = URL(url)  # as the HTTP client reads it
    assert (seen.scheme, seen.host, seen.user, seen.password) == ("https", "api.local", None, None)
    assert seen.port in (443, 8443)
    assert urlsplit(url).netloc in ("api.local", "api.local:8443")
    assert seen.raw_path.count("/") == URL(template.replace("{{v | url_encode}}", "x")).raw_path.count("/")


@given(hostile)
def test_what_the_call_knows_itself_no_header_can_say(text: str) -> None:
    names = {name for name in RESERVED if name not in ("messages", "transcript")}
    own = builtin_variables(
        datetime(2026, 5, 4, tzinfo=UTC),
        **{name: {"id": "own"} for name in ("customer", "call", "phoneNumber", "transport", "assistant")},
    )
    headers = [(f"X-{spelled}", text) for name in names for spelled in (name, name.upper(), name.lower())]
    bag = own | header_variables(headers, call_id="c")
    for name in names:
        assert bag[name] == own[name]
        assert render("{{" + name + "}}", bag).text == render("{{" + name + "}}", own).text
