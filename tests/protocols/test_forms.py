"""Forms: what is read, and what is refused because two servers may read it differently."""

from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proctor.protocols.forms import MAX_FIELDS, MAX_TEXT, read_form

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=xx"


def multipart(*parts: bytes) -> bytes:
    return b"".join(b"--xx\r\n" + part + b"\r\n" for part in parts) + b"--xx--\r\n"


def field(name: str, value: bytes, more: bytes = b"") -> bytes:
    head = b'Content-Disposition: form-data; name="%s"' % name.encode()
    return head + more + b"\r\n\r\n" + value


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"a=1&b=two+words&c=%C3%A9%26", {"a": "1", "b": "two words", "c": "é&"}),
        (b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (b"a&=b&&c=d=e", {"a": "", "": "b", "c": "d=e"}),
        (b"expand[]=x&expand%5B%5D=y", {"expand[]": ["x", "y"]}),
        (b"_charset_=UTF-8&a=1", {"_charset_": "UTF-8", "a": "1"}),
    ],
)
def test_urlencoded(body: bytes, form: object) -> None:
    assert read_form(body, URLENCODED) == form
    assert read_form(body, f"{URLENCODED.upper()} ; Charset=UTF-8") == form


@pytest.mark.parametrize(
    "body",
    [
        b"a=1;b=2",
        b"a=%zz",
        b"a=%4",
        b"a=%ff",
        b"a=\xff",
        b"_charset_=iso-8859-1&a=1",
        b"a=" + b"x" * MAX_TEXT,
        b"&".join([b"a=1"] * (MAX_FIELDS + 1)),
    ],
)
def test_urlencoded_that_is_not_read(body: bytes) -> None:
    assert read_form(body, URLENCODED) is None


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/json",
        f"{URLENCODED}; charset=iso-8859-1",
        f"{URLENCODED}; charset=utf-8; charset=utf-7",
        f"{URLENCODED}, text/plain",
        f"{URLENCODED}; charset*=utf-7",
        "multipart/form-data",
        "multipart/mixed; boundary=xx",
        "multipart/form-data; boundary=xx; boundary=yy",
        "multipart/form-data; boundary=xx; Boundary=xx",
        'multipart/form-data; boundary="xx',
        "multipart/form-data; boundary*0=xx",
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_no_form(content_type: str) -> None:
    assert read_form(b"a=1", content_type) is None
    assert read_form(multipart(field("a", b"1")), content_type) is None


def test_multipart() -> None:
    body = multipart(
        field("amount", b"12"),
        field("note", b"two\r\nlines", b"\r\nContent-Type: text/plain; charset=UTF-8"),
        field("tag", b"x"),
        field("tag", b""),
        field("doc", b"\x89PNG\r\n\x1a\n", b'; filename="a b.png"\r\nContent-Type: image/png'),
        field("raw", b"\0\1", b"\r\ncontent-type: application/octet-stream"),
        field("meta", b'{"a":1}', b"\r\nContent-Type: application/json"),
    )
    form = {
        "amount": "12",
        "note": "two\r\nlines",
        "tag": ["x", ""],
        "doc": {"filename": "a b.png", "content_type": "image/png", "size": 8},
        "raw": {"filename": "", "content_type": "application/octet-stream", "size": 2},
        "meta": '{"a":1}',
    }
    assert read_form(body, MULTIPART) == form
    assert read_form(body.removesuffix(b"\r\n"), 'Multipart/Form-Data;boundary="xx"') == form


def test_a_large_file_is_measured_but_a_large_text_is_not_read() -> None:
    large = b"x" * (MAX_TEXT + 1)
    body = multipart(field("f", large, b'; filename="f"'), field("a", b"1"))
    form = read_form(body, MULTIPART)
    assert form is not None
    assert form["a"] == "1"
    assert read_form(multipart(field("a", large)), MULTIPART) is None
    halves = multipart(*[field("a", b"x" * (MAX_TEXT // 2)) for _ in range(3)])
    assert read_form(halves, MULTIPART) is None
    many = multipart(*[field("a", b"1") for _ in range(MAX_FIELDS + 1)])
    assert read_form(many, MULTIPART) is None


WHOLE = multipart(field("a", b"1"))


@pytest.mark.parametrize(
    "body",
    [
        b"preamble\r\n" + WHOLE,
        b"\r\n" + WHOLE,
        WHOLE + b"epilogue",
        WHOLE + b"--xx\r\n",
        WHOLE.replace(b"--xx--", b"--xx"),
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.replace(b"\r\n\r\n", b"\r\n\n"),
        WHOLE.replace(b"--xx\r\n", b"--xx \r\n"),
        WHOLE.replace(b"--xx\r\n", b"--xxy\r\n"),
        multipart(field("a", b"1\r\n--xxy\r\nmore")),
        multipart(field("a", b"1\n--xx\nmore")),
        multipart(field("a", b"1--xx--")),
        multipart(field("a", b"\xff")),
        multipart(field("a", b"1", b"\r\nContent-Type: text/plain; charset=utf-16")),
        multipart(field("a", b"1", b"\r\nContent-Type: text/plain; charset=x; charset=utf-8")),
        multipart(field("a", b"1", b"\r\nContent-Transfer-Encoding: base64")),
        multipart(field("a", b"1", b'\r\nContent-Disposition: form-data; name="b"')),
        multipart(field("a", b"1", b"\r\nX-More: 1")),
        multipart(field("a", b"1", b"\r\n folded")),
        multipart(field("a", b"1", b'; name="b"')),
        multipart(field("a", b"1", b"; filename*=utf-8''b")),
        multipart(field('a\\"b', b"1")),
        multipart(b"Content-Disposition: form-data; name=a\r\n\r\n1"),
        multipart(b'Content-Disposition: attachment; name="a"\r\n\r\n1'),
        multipart(b"\r\n\r\n1"),
        multipart(b"x: " + b"y" * 5000 + b"\r\n\r\n1"),
        b"--xx",
        b"--xx-",
        b"--xx\r\n--xx--",
        b"",
    ],
)
def test_multipart_that_is_not_read(body: bytes) -> None:
    assert read_form(WHOLE, MULTIPART) == {"a": "1"}
    assert read_form(body, MULTIPART) is None


def test_every_cut_is_the_whole_or_nothing() -> None:
    body = multipart(field("a", b"1"), field("f", b"\0", b'; filename="f"'))
    whole = read_form(body, MULTIPART)
    for end in range(len(body) - 2):
        assert read_form(body[:end], MULTIPART) is None
    assert read_form(body[:-2], MULTIPART) == whole
    assert read_form(body[:-1], MULTIPART) is None


@given(st.dictionaries(st.text(), st.text(), max_size=5))
def test_what_a_client_writes_comes_back(form: dict[str, str]) -> None:
    form = {k: v for k, v in form.items() if k != "_charset_"}
    if "" not in form:
        assert read_form(urlencode(form).encode(), URLENCODED) == form


PIECES = [
    b"--xx",
    b"--",
    b"\r\n",
    b"\n",
    b'Content-Disposition: form-data; name="a"',
    b": ",
    b"\xff",
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8)).map(b"".join))
@example(WHOLE)
def test_anything_is_read_or_not(body: bytes) -> None:
    for content_type in (MULTIPART, URLENCODED):
        form = read_form(body, content_type)
        assert form is None or all(type(name) is str for name in form)


@given(st.text())
@example(MULTIPART)
def test_any_content_type(content_type: str) -> None:
    assert read_form(WHOLE, content_type) in (None, {"a": "1"})
