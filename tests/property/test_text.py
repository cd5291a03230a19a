"""Parsers of text that comes from outside."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_assistant.dialogue.clauses import Clauses, speakable
from ari_assistant.dialogue.rules.config import Fact, RulesConfig
from ari_assistant.dialogue.rules.model import RulesModel
from ari_assistant.dialogue.template import RESERVED, render
from ari_assistant.providers.model import ChatMessage, ModelRequest
from ari_assistant.reports.invite import header_variables
from ari_assistant.vapi.sip_uri import SipUri

words = st.text(st.sampled_from("abcdefg .,!?\n"), max_size=120)


@given(st.lists(words, max_size=12))
def test_clauses_keep_every_word_however_the_stream_is_cut(pieces: list[str]) -> None:
    clauses = Clauses()
    said = [clause for piece in pieces for clause in clauses.push(piece)] + clauses.finish()
    letters = "".join(c for c in "".join(pieces) if c.isalnum())
    assert "".join(c for c in "".join(said) if c.isalnum()) == letters
    assert all(len(clause) <= 290 for clause in said)


@given(st.text(max_size=200))
def test_speakable_takes_any_text(text: str) -> None:
    result = speakable(text)
    assert "\n" not in result
    assert "`" not in result


@given(st.text(max_size=120))
def test_any_text_is_a_sip_uri_that_reads_back_or_a_value_error(text: str) -> None:
    try:
        uri = SipUri.parse(text)
    except ValueError:
        return
    assert SipUri.parse(str(uri)) == uri


@given(
    st.from_regex(r"[A-Za-z0-9_.+-]{1,20}", fullmatch=True), st.sampled_from(["localhost", "10.0.0.1", "[::1]"])
)
def test_sip_uris_are_equal_in_any_letter_case(user: str, host: str) -> None:
    assert SipUri.parse(f"sip:{user}@{host}:5060;x=y") == SipUri.parse(f"<SIP:{user.upper()}@{host.upper()}>")


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=5))
def test_any_template_renders(template: str, variables: dict[str, str]) -> None:
    assert isinstance(render(template, variables).text, str)


@given(st.text(max_size=60))
def test_a_value_is_data_and_never_a_template(value: str) -> None:
    assert render("<{{ name }}>", {"name": value}).text == f"<{value}>"


@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=20))
def test_headers_never_shadow_built_in_objects(headers: list[tuple[str, str]]) -> None:
    variables = header_variables([*headers, *((f"X-{name}", "evil") for name in RESERVED)], call_id="c1")
    assert not set(variables) & set(RESERVED)
    assert variables["cid"] == "c1"
    assert all(key == key.lower() for key in variables)


@given(st.text(max_size=100))
async def test_the_built_in_dialogue_always_answers_something_the_operator_wrote(said: str) -> None:
    model = RulesModel(RulesConfig(facts=[Fact(ask=["when are you open"], say="Nine to five.")]))
    events = [event async for event in model.reply(ModelRequest([ChatMessage("user", said)]))]
    assert events
