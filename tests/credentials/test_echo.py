"""What was put in is put out of whatever comes back, however it is written and cut."""

import base64
import html
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.echo import (
    ECHOED,
    Echo,
    Span,
    Values,
    searchable,
    spellings,
    told,
    values_of,
)

KEY = "sk-Zq81vT/hJ+2mW9=="
OTHER = "Wm4&p\"<9x'K2"
BOTH = Values({KEY: "api", OTHER: "db"})


def written(value: str) -> list[bytes]:
    raw = value.encode()
    texts = [
        value,
        json.dumps(value),
        json.dumps({"log": json.dumps({"key": value})}),
        json.dumps(value).replace("/", r"\/"),
        quote(value),
        quote(value, safe=""),
        quote(quote(value, safe=""), safe=""),
        quote_plus(value),
        html.escape(value),
        raw.hex(),
        raw.hex().upper(),
        f"user:{base64.b64encode(b'u:' + raw).decode()}",
    ]
    for before in (b"", b"a", b"ab", b"Bearer "):
        texts.append(base64.b64encode(before + raw + b"\r\n").decode())
        texts.append(base64.urlsafe_b64encode(before + raw + b"\r\n").decode())
    return [text.encode() for text in texts]


@pytest.mark.parametrize("value", [KEY, OTHER])
def test_it_is_known_however_a_server_writes_it(value: str) -> None:
    for text in written(value):
        echo = Echo((BOTH,))
        out = echo.whole(b"before " + text + b" after")
        assert len(out) == len(text) + 13
        assert out.startswith(b"before ")
        assert out.endswith(b" after")
        assert b"*" * 8 in out, text
        assert [each.detector for each in echo.findings] == [
            f"proctor:credential/{'api' if value == KEY else 'db'}"
        ]


def test_escapes_of_unusual_encoders_are_known() -> None:
    for text in (
        r"sk-Zq81vT\u002fhJ\u002b2mW9\u003d\u003d",
        r"sk-Zq81vT\u002FhJ\u002B2mW9\u003D\u003D",
    ):
        assert set(Echo((BOTH,)).whole(text.encode())) == {ord("*")}
    assert quote(KEY, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace(
        "%3D", "%3d"
    ).encode() in spellings(KEY)


def test_what_holds_none_is_the_same_object() -> None:
    echo, data = Echo((BOTH,)), b'{"ok": true}'
    assert echo.whole(data) is data
    assert echo.feed(data) is data
    fields = ((b"server", b"x"),)
    assert echo.fields(fields) is fields
    assert echo.findings == ()


@given(st.binary(max_size=12), st.binary(max_size=12), st.data())
def test_it_is_found_wherever_a_stream_is_cut(
    before: bytes, after: bytes, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(sorted(spellings(KEY) | spellings(OTHER))))
    whole = before + text + after
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    echo, out, last = Echo((BOTH,)), b"", 0
    for cut in (*cuts, len(whole)):
        out += echo.feed(whole[last:cut])
        last = cut
    out += echo.finish()
    assert out == Echo((BOTH,)).whole(whole)
    assert text not in out


@given(st.binary(max_size=200), st.integers(1, 7))
def test_what_is_none_passes_whole(data: bytes, step: int) -> None:
    echo = Echo((BOTH,))
    out = b"".join(echo.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert out + echo.finish() == data


def test_nothing_is_held_back_that_cannot_be_a_beginning() -> None:
    echo = Echo((BOTH,))
    assert echo.feed(b"data: {}\n\n") == b"data: {}\n\n"
    assert echo.feed(b"see sk-Zq8") == b"see "
    assert echo.feed(b"2 no") == b"sk-Zq82 no"


def test_headers_are_named_where_one_stands() -> None:
    echo = Echo((BOTH,))
    fields = ((b"X-Seen", b"key " + KEY.encode()), (b"x-" + KEY.encode(), b"y"))
    out = echo.fields(fields)
    assert out[0] == (b"X-Seen", b"key " + b"*" * len(KEY))
    assert KEY.encode() not in out[1][0]
    assert [each.location for each in echo.findings] == ["header.x-seen", "header"]


@pytest.mark.parametrize("value", ["Zx9", "password", "12345678", "aaaaaaaaaa", "1234567"])
def test_what_any_text_holds_is_not_searched_for(value: str) -> None:
    assert not searchable(value)
    assert values_of(((value, "a"),)) is None


def test_many_are_searched_for_at_once() -> None:
    many = {f"tok-{number:04}-Zq81vT9k{number * 7919:08}": f"c{number}" for number in range(40)}
    values = Values(many)
    for value, name in many.items():
        data = b"..." + value.encode() + b"..."
        assert values.find(data) == [Span(3, 3 + len(value), name)]


def test_bytes_that_no_text_holds_are_no_find() -> None:
    data = bytes(range(256)) + b"".join(bytes((byte,)) * 40 for byte in range(256))
    assert BOTH.find(data) == []
    assert BOTH.find(data + KEY.encode() + data) == [Span(len(data), len(data) + len(KEY), "api")]


def test_how_often_is_told_since_it_was_asked() -> None:
    echo = Echo((BOTH,))
    echo.whole(f"{KEY} {KEY}".encode(), "rows")
    assert echo.feed(f"{OTHER} ".encode(), "rows") == b"*" * len(OTHER) + b" "
    told_once = [(each.detector, each.location, count) for each, count in echo.since()]
    assert told_once == [
        ("proctor:credential/api", "rows", 2),
        ("proctor:credential/db", "rows", 1),
    ]
    assert echo.since() == []
    echo.whole(KEY.encode(), "rows")
    assert [count for _, count in echo.since()] == [1]
    assert len(echo.findings) == 2


def test_who_asked_is_told_and_never_the_value(caplog: pytest.LogCaptureFixture) -> None:
    echo = Echo((BOTH,))
    echo.whole(KEY.encode())
    echo.whole(KEY.encode(), "header.x")
    with caplog.at_level(logging.ERROR):
        details = told(
            echo.findings, asked_by="i#a", session="s", listener="egress", host="api.internal"
        )
    assert details == [
        {
            "credential": "api",
            "asked_by": "i#a",
            "session": "s",
            "listener": "egress",
            "host": "api.internal",
            "location": "body",
        }
    ]
    assert [record.__dict__["event"] for record in caplog.records] == [ECHOED]
    assert KEY not in repr((details, echo.findings, BOTH)) + caplog.text
