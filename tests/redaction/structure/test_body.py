"""Bodies, by what they say they are and by what they are."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.redaction.model import RedactionError
from proctor.redaction.structure import layout
from proctor.redaction.structure.body import read_body
from tests.redaction.structure.changing import at, locations, replaced, texts

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ")


@pytest.mark.parametrize(
    ("content_type", "body", "location"),
    [
        ("application/json", b'{"a":"jane"}', "a"),
        ("application/vnd.api+json; charset=utf-8", b'{"a":"jane"}', "a"),
        ("application/json", b'\xef\xbb\xbf{"a":"jane"}', "a"),
        ("application/json", b'{"a":"jane","b":NaN}', "a"),
        ("application/json", b'{"a":"jane"}{}', "[0].a"),
        ("application/json", b'{"a":"jane" // no\n}', "body"),
        ("application/json", b"", ""),
        ("application/x-ndjson", b'{"a":"jane"}\n{}', "[0].a"),
        ("application/x-ndjson", b"jane\n{}", "[0]"),
        ("text/plain;charset=UTF-8", b'{"a":"jane"}', "a"),
        ("text/plain", b"I am jane", "body"),
        ("", b' [{"a":"jane"}]', "[0].a"),
        ("application/x-www-form-urlencoded", b"a=jane", "a"),
        ("application/x-www-form-urlencoded", b'{"a":"jane"}', "a"),
        ("application/x-www-form-urlencoded", b"A=1\nB=jane+x/y\n", "body"),
        ("text/csv", b"a,b\njane,1\n", "[0].a"),
        ("text/tab-separated-values", b"a b\tb\njane\t1\n", "[0].*"),
        ("text/xml", b"<a>jane</a>", "a"),
        ("application/soap+xml", b"<a>jane</a>", "a"),
        ("text/html", b"<p>jane<br>", "p"),
        ("application/octet-stream", b"<?xml version='1.0'?><a>jane</a>", "a"),
        ("application/octet-stream", b"PASSWORD=jane\n", "body"),
        ("image/png", b"jane", "body"),
        ("image/svg+xml", b"<svg><text>jane</text></svg>", "svg.text"),
        ("multipart/form-data; boundary=x", b"jane", "body"),
        ("multipart/form-data", b"--x\r\n\r\njane\r\n--x--", "body"),
        ("nonsense", b"jane", "body"),
    ],
)
def test_what_a_body_is_read_as(content_type: str, body: bytes, location: str) -> None:
    document = read_body(body, content_type)
    assert document.splice({}) == body
    assert not document.skipped
    if body:
        assert [leaf.location for leaf in document.leaves if "jane" in leaf.text] == [location]
        assert replaced(document, "jane", "J") == body.replace(b"jane", b"J")


@pytest.mark.parametrize(
    "body",
    [
        PNG, b"\xff\xd8\xff\xe0", b"GIF89a\1\0", b"RIFF\1\0\0\0WEBP", b"%PDF-1.7", b"PK\3\4\n",
        b"\x1f\x8b\x08\0", b"\0asm\1\0\0\0", b"\0\0\0\x18ftypmp42", b"wOF2\0\1\0\0",
        b"x\0" * 3 + b"\1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content_type", ["application/octet-stream", "", "application/x-thing"])
def test_binaries_are_skipped(body: bytes, content_type: str) -> None:
    document = read_body(body, content_type)
    assert not document.leaves
    assert [(s.reason, s.size) for s in document.skipped] == [("binary", len(body))]
    assert document.splice({}) == body


def test_an_image_is_skipped_only_if_it_is_one() -> None:
    assert read_body(PNG, "image/jpeg").skipped
    assert texts(read_body(b"%PDF-1.7 jane", "image/png")) == ["%PDF-1.7 jane"]
    assert texts(read_body(b"\0\1\2jane", "image/png")) == ["\0\1\2jane"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "text/csv", "text/html"]
)
def test_what_is_called_text_is_looked_at_whatever_it_begins_with(content_type: str) -> None:
    body = PNG + b" jane@acme.io"
    document = read_body(body, content_type)
    assert not document.skipped
    assert b"jane" not in replaced(document, "jane", "J")


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("text/plain; charset=iso-8859-1", "latin-1"),
        ('text/plain; Charset="UTF-16"', "utf-16"),
        ("text/plain", "utf-16"),
        ("text/plain", "utf-16-le"),
        ("application/json", "utf-16-be"),
        ("text/plain; charset=windows-1252", "cp1252"),
        ("text/plain; charset=shift_jis", "shift_jis"),
        ("text/plain", "utf-8-sig"),
        ("text/plain", "utf-32"),
    ],
)
def test_charsets(content_type: str, charset: str) -> None:
    text = '{"a":"jane"}' if "json" in content_type else "I am jane, no one else"
    document = read_body(text.encode(charset), content_type)
    assert "jane" in "".join(texts(document))
    assert replaced(document, "jane", "J").decode(charset) == text.replace("jane", "J")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain; charset=utf-7", b"x"),
        ("text/plain; charset=klingon", b"x"),
        ("text/plain; charset=idna", b"x"),
        ("text/plain; charset=utf-16", b"abc"),
        ("text/plain; charset=shift_jis", b"\x81"),
    ],
)
def test_what_cannot_be_decoded_does_not_pass(content_type: str, body: bytes) -> None:
    if body == b"\x81":
        assert read_body(body, content_type).splice({}) == body  # kept, as bytes that say nothing
        return
    with pytest.raises(RedactionError) as caught:
        read_body(body, content_type)
    assert caught.value.code == "redaction-decoder"


def test_bytes_that_are_no_utf8_survive_a_change() -> None:
    body = b"\xff jane \xc3\x28 \0"
    assert replaced(read_body(body, "text/plain"), "jane", "ö") == b"\xff \xc3\xb6 \xc3\x28 \0"
    body = b'{"a":"\xff jane"}'
    assert replaced(read_body(body, "application/json"), "jane", "J") == b'{"a":"\xff J"}'


def test_exempt_fields() -> None:
    body = b'{"model":"m","data":"jane"}'
    document = read_body(body, "application/json", exempt={("model",): "protocol"})
    assert [(s.reason, s.size) for s in document.skipped] == [("protocol", 1)]
    assert "m" not in texts(document)


def test_everything_at_once() -> None:
    rows = "name,mail\r\njane,jane@acme.io\r\n"
    inner = json.dumps({"mail": "jane@acme.io"})
    body = (
        f'--b\r\nContent-Disposition: form-data; name="t"; filename="t.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\n{rows}\r\n"
        f'--b\r\nContent-Disposition: form-data; name="j"\r\n\r\n{inner}\r\n--b--\r\n'
    ).encode()
    document = read_body(body, "multipart/form-data; boundary=b")
    assert at(document, "t[0].mail").key == "mail"
    assert at(document, "j.mail").text == "jane@acme.io"
    paths = dict(zip(locations(document), document.paths, strict=True))
    assert (paths["t[0].mail"], paths["j.mail"]) == (("t", 0, "mail"), ("j", "mail"))
    assert replaced(document, "jane@acme.io", "<E>") == body.replace(b"jane@acme.io", b"<E>")


TYPES = [
    "", "application/json", "application/x-ndjson", "application/x-www-form-urlencoded", "text/csv",
    "text/html", "application/xml", "multipart/form-data; boundary=b", "text/plain", "image/png",
    "text/plain; charset=utf-16", "text/plain; charset=latin-1", "application/octet-stream",
]  # fmt: skip
PIECES = [
    b'{"a":"', b'"}', b"[1,", b"]", b"<a b='", b"</a>", b"<!--", b"-->", b"<![CDATA[", b"]]>",
    b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b'Content-Disposition: form-data; name="', b"&#64;",
    b"%40", b"a=b&", b'"a,"', b'""', b",", b"\t", b"\xff\xfe", b"\xc3", b"\0", b"\\u0040", b"\\",
    b"abc", b" ", b"<script>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join), st.sampled_from(TYPES))
@settings(max_examples=300)
def test_anything_can_be_read_and_stays_as_it_is(body: bytes, content_type: str) -> None:
    try:
        document = read_body(body, content_type)
    except RedactionError as error:
        assert error.code == "redaction-decoder"  # noqa: PT017 - the only error there may be
        return
    assert document.splice({}) == body
    assert len(document.leaves) == len(document.paths)
    # What is written as it reads is in a leaf, or it was said to be skipped.
    if b"abc" in body and not document.skipped and "utf-16" not in content_type:
        before = body.count(b"abc")
        if any("abc" in text for text in texts(document)):
            assert replaced(document, "abc", "").count(b"abc") < before


@pytest.mark.parametrize("content_type", TYPES)
def test_planted_in_plain_text_it_is_found(content_type: str) -> None:
    body = b"the key is abcdefgh, keep it"
    if "utf-16" in content_type:
        body = body.decode().encode("utf-16-be")
    assert any("abcdefgh" in text for text in texts(read_body(body, content_type)))


SAMPLES = {
    "application/json": b'{"a":["jane@acme.io",{"b":"{\\"c\\":\\"\\\\u0040\\"}"}],"d":1.5}',
    "application/x-ndjson": b'{"a":"jane"}\n\x1e{"b":[1]}\n',
    "application/x-www-form-urlencoded": b"a=jane%40acme.io&b=%7B%22c%22%3A1%7D&c",
    "text/csv": b'\xef\xbb\xbfa,b\r\n"ja""ne",x\r\n,\r\n',
    "text/html": (
        b"<!doctype html><p a=b c='d&amp;' e=\"f\">x&#64;y<br/><script>1<2</script><!-- c --></p>"
    ),
    "application/xml": b"<?xml version='1.0'?><a><![CDATA[x]]><b c='d'/>&lt;</a>",
    "multipart/form-data; boundary=b": (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\njane\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="p.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n--b--\r\n"
    ),
    "text/plain; charset=utf-16": "jane ü😀".encode("utf-16"),
}


@pytest.mark.parametrize("content_type", SAMPLES)
def test_cut_at_every_byte(content_type: str) -> None:
    body = SAMPLES[content_type]
    for end in range(len(body) + 1):
        try:
            document = read_body(body[:end], content_type)
        except RedactionError as error:
            assert error.code == "redaction-decoder"  # noqa: PT017 - half a character of UTF-16
            assert "utf-16" in content_type
        else:
            assert document.splice({}) == body[:end]


HOSTILE = {
    "json": ("application/json", b"[" * 50_000),
    "json-objects": ("application/json", b'{"a":' * 50_000),
    "json-in-json": ("application/json", json.dumps(["[" * 100_000 + "]" * 100_000]).encode()),
    "json-strings": ("application/json", b'["' + b"\\" * 50_000),
    "open-comments": ("text/html", b"<!--" * 50_000),
    "open-tags": ("text/html", b"<a b='" * 50_000),
    "mixed-quotes": ("text/html", b"<a b='<a c=\"" * 50_000),
    "attributes": ("text/html", b"<a" + b" b" * 50_000),
    "closing-tags": ("text/html", b"<a>" * 100 + b"</b>" * 50_000),
    "ampersands": ("text/html", b"&" * 50_000),
    "blanks": ("application/xml", b"<a" + b" " * 50_000),
    "quotes": ("text/csv", b'"' * 50_000),
    "quoted-cells": ("text/csv", b'"a,' * 50_000),
    "percents": ("application/x-www-form-urlencoded", b"%" * 50_000),
    "delimiters": ("multipart/form-data; boundary=b", b"\r\n--b" * 50_000),
    "line-ends": ("multipart/form-data; boundary=b", b"--b" + b"\r\n" * 50_000),
    "dashes": ("multipart/form-data; boundary=" + "-" * 60, b"-" * 50_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_cost_bounded_time(name: str) -> None:
    content_type, body = HOSTILE[name]
    document = read_body(body, content_type)  # what is not linear does not come back
    assert document.splice({}) == body


def test_too_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_LEAVES", 100)
    read_body(b"[" + b"1," * 99 + b"1]", "application/json")
    with pytest.raises(RedactionError) as caught:
        read_body(b"[" + b"1," * 100 + b"1]", "application/json")
    assert caught.value.code == "redaction-size"


def test_a_file_of_this_repository() -> None:
    body = Path(__file__).read_bytes()
    assert texts(read_body(body, "text/x-python")) == [body.decode()]
