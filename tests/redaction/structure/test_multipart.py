"""Bodies in parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import RedactionError
from proctor.redaction.structure.body import read_body
from proctor.redaction.structure.layout import Layout
from proctor.redaction.structure.media import parse_media
from proctor.redaction.structure.multipart import boundary_of
from tests.redaction.structure.changing import at, locations, replaced, texts

TYPE = "multipart/form-data; boundary=b"


def parts(*contents: str) -> bytes:
    return ("".join(f"--b\r\n{content}\r\n" for content in contents) + "--b--\r\n").encode()


def read(body: bytes) -> Layout:
    return read_body(body, TYPE)


def test_fields_and_files() -> None:
    body = parts(
        'Content-Disposition: form-data; name="user"\r\n\r\njane',
        'Content-Disposition: form-data; name="doc"; filename="jane roe.json"\r\n'
        'Content-Type: application/json\r\n\r\n{"mail":"jane"}',
        "Content-Type: text/plain\r\n\r\nx",
        "\r\ny",
    )
    layout = read(body)
    assert locations(layout) == [
        "user#content-disposition", "user",
        "doc#content-disposition", "doc#content-type", "doc.mail#name", "doc.mail",
        "[2]#content-type", "[2]", "[3]",
    ]  # fmt: skip
    assert at(layout, "user").key == "user"
    assert list(layout.paths)[1] == ("user",)
    assert list(layout.paths)[5] == ("doc", "mail")
    assert replaced(layout, "jane", "J") == body.replace(b"jane", b"J")


def test_binary_files_are_skipped() -> None:
    head = 'Content-Disposition: form-data; name="f"; filename="x"'
    body = parts(f"{head}\r\n\r\n\0\1\2\3", f"{head}\r\n\r\nPASSWORD=x", f"{head}\r\n\r\n")
    layout = read(body)
    assert [(s.reason, s.size, s.location) for s in layout.skipped] == [("binary", 4, "f")]
    assert "PASSWORD=x" in texts(layout)


def test_a_field_is_never_binary() -> None:
    layout = read(parts('Content-Disposition: form-data; name="f"\r\n\r\n\0\1\2jane'))
    assert "\0\1\2jane" in texts(layout)


def test_each_part_has_its_own_charset() -> None:
    body = (
        b"--b\r\nContent-Type: text/plain; charset=latin-1\r\n\r\n\xfc jane\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\n\xc3\xbc jane\r\n--b--"
    )
    layout = read(body)
    assert [text for text in texts(layout) if "jane" in text] == ["ü jane", "ü jane"]
    out = replaced(layout, "jane", "é")
    assert out == body.replace(b"jane", b"\xe9", 1).replace(b"jane", b"\xc3\xa9")
    with pytest.raises(RedactionError):
        replaced(layout, "jane", "€")


def test_names_of_files_cannot_end_their_header() -> None:
    layout = read(parts('Content-Disposition: form-data; name="f"; filename="jane"\r\n\r\nx'))
    out = replaced(layout, "jane", 'a"\r\nb: c')
    assert b'filename="a%22  b: c"' in out


def test_names_in_utf8() -> None:
    layout = read(parts('Content-Disposition: form-data; name="größe"\r\n\r\n1'))
    assert locations(layout)[-1] == "größe"
    assert 'form-data; name="größe"' in texts(layout)


@pytest.mark.parametrize(
    "body",
    [
        b"jane",
        b"jane\r\n--b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n\r\nx\r\n--b--\r\njane",
        b"--b\r\njane",
        b"--b\r\nX: jane\r\n",
        b"--b\r\n\r\njane",
        b"--b\n\njane\n--b--\n",
        b"--b\r\njane\r\n\r\nx\r\n--b--",
        b"--b\r\nA: b\r\n jane\r\n\r\nx\r\n--b--",
        b"--b\r\n\r\n--bb jane\r\n--b--",
    ],
)
def test_whatever_is_no_part_is_looked_at(body: bytes) -> None:
    assert replaced(read(body), "jane", "J") == body.replace(b"jane", b"J")


def test_parts_within_parts() -> None:
    inner = "--c\r\n\r\njane\r\n--c--"
    body = parts(f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}")
    layout = read(body)
    assert at(layout, "[0][0]").text == "jane"
    assert replaced(layout, "jane", "ü") == body.replace(b"jane", "ü".encode())


def test_parts_without_end() -> None:
    body = b"jane"
    for _ in range(8):
        body = b"--b\r\nContent-Type: " + TYPE.encode() + b"\r\n\r\n" + body
    layout = read(body)
    assert b"jane" not in replaced(layout, "jane", "J")


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (TYPE, "b"),
        ('multipart/mixed; boundary="a b"', "a b"),
        ("multipart/mixed", ""),
        ("text/plain; boundary=b", ""),
        (f"multipart/mixed; boundary={'b' * 71}", ""),
    ],
)
def test_boundaries(content_type: str, boundary: str) -> None:
    assert boundary_of(parse_media(content_type)) == boundary


@given(st.text(alphabet="-b\r\n: ;a", max_size=40))
def test_any_text_stays_as_it_is(text: str) -> None:
    layout = read(text.encode())
    assert layout.splice({}) == text.encode()
    if "a" in text:
        assert b"a" not in replaced(layout, "a", "x")
