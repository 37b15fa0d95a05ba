"""Media types, and what is no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.structure.media import Media, is_binary, parse_media


@pytest.mark.parametrize(
    ("content_type", "kind", "parameters"),
    [
        ("Text/HTML", "text/html", {}),
        (" text/html;Charset=UTF-8 ", "text/html", {"charset": "UTF-8"}),
        ('a/b; x="1;\\"2" ;y=3;y=4', "a/b", {"x": '1;"2', "y": "3"}),
        ("text", "", {}),
        ("", "", {}),
        ("text/html; charset", "text/html", {}),
        ("text/html, application/json", "text/html", {}),
    ],
)
def test_reading_a_content_type(content_type: str, kind: str, parameters: dict[str, str]) -> None:
    assert parse_media(content_type) == Media(kind, parameters)


@pytest.mark.parametrize(
    "kind",
    ["text/x", "application/json", "a/b+json", "image/svg+xml", "application/x-ndjson",
     "application/x-www-form-urlencoded", "application/javascript", "application/yaml"],
)  # fmt: skip
def test_types_of_text(kind: str) -> None:
    assert Media(kind).textual
    assert not is_binary(b"\x89PNG\r\n\x1a\n", Media(kind))


@pytest.mark.parametrize("kind", ["", "application/octet-stream", "image/png", "application/pdf"])
def test_types_of_no_text(kind: str) -> None:
    assert not Media(kind).textual


def test_mostly_text_is_text() -> None:
    assert not is_binary(b"x" * 40 + b"\0", Media(""))
    assert is_binary(b"x" * 4 + b"\0", Media(""))
    assert not is_binary("größe".encode("latin-1"), Media(""))
    assert not is_binary(b"", Media(""))


@pytest.mark.parametrize("text", [b"ID3 tags", b"OTTO", b"PACK it", b"BM is", b"RIFF raff", b"BZh"])
def test_text_that_begins_like_a_binary(text: bytes) -> None:
    assert not is_binary(text + b" and then some words", Media(""))


@given(st.text(max_size=60))
def test_any_content_type(text: str) -> None:
    media = parse_media(text)
    assert media.type == media.type.lower()
