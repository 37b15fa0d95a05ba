"""Plain answers, redacted while they pass."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.redaction.handling import Rewritten
from proctor.redaction.lines import BodyStream, document_or_text, lines_looked_at
from proctor.redaction.model import RedactionError
from tests.redaction.handled import BACK, JANE, Small
from tests.redaction.planted import KEY, KINDS, MAIL, TOKEN, VALUES

STANDS = "EMAIL_ADDRESS_" + "z" * 16
EVENTS = "text/event-stream; charset=utf-8"
LINES = "application/x-ndjson"


def passed(data: bytes, kind: str, *cuts: int, max_line: int = 2**20) -> Rewritten:
    body = BodyStream(Small(), kind, max_line=max_line)
    out = Rewritten()
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        out += body.feed(data[start:end])
    return out + body.finish()


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "latin-1"])
def test_text_cut_at_every_byte(charset: str) -> None:
    text = f"Caf\u00e9 of {JANE} with {TOKEN}, \u00fcber {MAIL} and \u00e9\n"
    data = text.encode(charset)
    kind = f"text/plain; charset={charset}"
    whole = text.replace(TOKEN, "<API_KEY>").replace(MAIL, STANDS)
    for cut in range(len(data)):
        out = passed(data, kind, cut)
        assert out.record.decode(charset) == whole
        assert out.client.decode(charset) == whole.replace(JANE, BACK[JANE])


def test_bytes_that_are_no_text_stay_and_what_is_between_is_looked_at() -> None:
    data = b"\xff\xff so " + TOKEN.encode() + b" \x80\x00 it is \xed\xa0\x80"
    for cut in range(len(data)):
        assert passed(data, "text/plain", cut).record == data.replace(TOKEN.encode(), b"<API_KEY>")
    with pytest.raises(RedactionError) as error:
        passed(b"\x00", "text/plain; charset=utf-16")
    assert error.value.code == "redaction-decoder"
    for charset in ("no-such", "base64", "utf-7", "unicode_escape"):
        with pytest.raises(RedactionError):
            BodyStream(Small(), f"text/plain; charset={charset}")


def test_events_cut_at_every_byte() -> None:
    data = (
        f': for {MAIL}\r\nid: 7\r\ndata: {{"text": "{TOKEN} of {JANE}", "n": 1}}\r\n\r\n'
        f"data: plain {TOKEN}\ndata: {MAIL} and\n\n"
        f"event: {TOKEN}\nretry: 3000\n\n"
        'data: {"text":   "nothing"}\n\n'
        "data: [DONE]\n\n"
    ).encode()
    once = passed(data, EVENTS)
    assert once.record.decode() == (
        f': for {STANDS}\r\nid: 7\r\ndata: {{"text": "<API_KEY> of {JANE}", "n": 1}}\n\n'
        f"data: plain <API_KEY>\ndata: {STANDS} and\n\n"
        "event: <API_KEY>\nretry: 3000\n\n"
        'data: {"text":   "nothing"}\n\n'
        "data: [DONE]\n\n"
    )
    assert json.dumps(BACK[JANE])[1:-1] in once.client.decode()
    for cut in range(len(data)):
        assert passed(data, EVENTS, cut) == once


def test_json_lines_cut_at_every_byte() -> None:
    key = json.dumps(KEY)
    data = (
        f'{{"text": "{TOKEN}",  "at": 1.0}}\r\n\x1e["{JANE}"]\n\nno json of {MAIL}\n'
        f'{{"a": 1, "a": "{TOKEN}"}}\n{{"key": {key}}}'
    ).encode()
    once = passed(data, LINES)
    lines = once.record.decode().split("\n")
    assert lines[0] == '{"text": "<API_KEY>",  "at": 1.0}\r'
    assert lines[1] == f'\x1e["{JANE}"]'
    assert lines[2:5] == ["", f"no json of {STANDS}", '{"a": 1, "a": "<API_KEY>"}']
    assert lines[5:] == ['{"key": "<PRIVATE_KEY>"}']
    assert json.dumps(BACK[JANE])[1:-1] in once.client.decode()
    for cut in range(len(data)):
        assert passed(data, LINES, cut) == once


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([EVENTS, LINES, "text/html"]),
    st.lists(st.integers(0, 600), max_size=9),
)
def test_no_value_leaks_in_any_form(kind: str, media: str, cuts: list[int]) -> None:
    said = json.dumps({"said": KINDS[kind]})
    forms = {EVENTS: f"data: {said}\n\n", LINES: f"{said}\n", "text/html": KINDS[kind]}
    data = forms[media].encode()
    out = passed(data, media, *sorted(min(cut, len(data)) for cut in cuts))
    assert out.record
    for value in VALUES:
        assert value.encode() not in out.record + out.client


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([EVENTS, LINES, "text/plain"]), st.integers(0, 200))
def test_any_bytes_give_an_answer_or_an_error(data: bytes, media: str, cut: int) -> None:
    try:
        once = passed(data, media)
    except RedactionError:
        return
    assert passed(data, media, min(cut, len(data))) == once


@pytest.mark.parametrize(("media", "data"), [(EVENTS, b"data: "), (LINES, b'{"a": "')])
def test_a_line_without_end_is_an_error(media: str, data: bytes) -> None:
    for piece in (b"a" * 300, b"a" * 300 + b"\n\n"):
        with pytest.raises(RedactionError) as error:
            passed(data + piece, media, max_line=200)
        assert error.value.code == "redaction-size"


def test_what_ends_without_an_end_is_no_event() -> None:
    assert passed(f"data: {TOKEN}\n".encode(), EVENTS) == Rewritten()


def test_one_line_alone() -> None:
    assert document_or_text(Small(), b' {"a": 1} ', "line").record == b' {"a": 1} '
    with pytest.raises(RedactionError):
        document_or_text(Small(), b'{"a": "\xff"}', "line")
    with pytest.raises(RedactionError):
        lines_looked_at(Small(), b": \xff\n\n")
    raw = f"data: {TOKEN}\n: {TOKEN}\r\n\n".encode()
    assert lines_looked_at(Small(), raw).record == f"data: {TOKEN}\n: <API_KEY>\r\n\n".encode()
