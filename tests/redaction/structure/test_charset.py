"""Charsets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import Change, RedactionError
from proctor.redaction.structure.charset import LATIN1, UTF8, Charset, charset_of
from proctor.redaction.structure.codec import applied
from tests.redaction.structure.changing import changed, changes_to


@pytest.mark.parametrize(
    ("raw", "label", "name"),
    [
        (b"x", "", "utf-8"),
        (b"x", "US-ASCII", "utf-8"),
        (b"x", "'utf8'", "utf-8"),
        (b"x", "latin1", "latin-1"),
        (b"\xff\xfex\0", "latin1", "utf-16-le"),
        (b"\xff\xfe\0\0", "", "utf-32-le"),
        (b"xx", "utf-16", "utf-16-be"),
        (b"xx", "UTF-16LE", "utf-16-le"),
        (b"x\0y\0", "", "utf-16-le"),
        (b"\0x\0y", "", "utf-16-be"),
        (b"\0\0\0x", "", "utf-8"),
        (b"x\0y\0", "utf-8", "utf-8"),
        (b"x", "windows-1252", "cp1252"),
    ],
)
def test_which_it_is(raw: bytes, label: str, name: str) -> None:
    assert charset_of(raw, label).name == name


@pytest.mark.parametrize(
    "label", ["utf-7", "idna", "unicode_escape", "rot13", "hex", "x\0", "none"]
)
def test_which_are_not_read(label: str) -> None:
    with pytest.raises(RedactionError) as caught:
        charset_of(b"x", label)
    assert caught.value.code == "redaction-decoder"


def test_what_it_cannot_express() -> None:
    with pytest.raises(RedactionError, match="charset latin-1") as caught:
        LATIN1.encode("€ hunter2")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_bytes_that_would_not_come_back() -> None:
    with pytest.raises(RedactionError):
        Charset("cp932").decode(b"\x87\x90")  # written as 81 E0, too


@given(st.binary(max_size=40))
def test_what_is_decoded_comes_back(raw: bytes) -> None:
    for charset in (UTF8, LATIN1, Charset("cp1252"), Charset("shift_jis"), Charset("gbk")):
        try:
            text = charset.decode(raw)
        except RedactionError:
            assert charset.name in ("shift_jis", "gbk")
        else:
            assert charset.encode(text) == raw


@given(st.text(max_size=12), st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]), st.data())
def test_changes_to_bytes(text: str, name: str, data: st.DataObject) -> None:
    charset = Charset(name)
    changes = data.draw(changes_to(text, st.text(max_size=3)))
    raw = LATIN1.decode(charset.encode(text))
    out = applied(raw, charset.codec(raw, changes))
    assert charset.decode(LATIN1.encode(out)) == changed(text, changes)


def test_only_the_changed_bytes_change() -> None:
    raw = LATIN1.decode(b"\xff\xc3\xa9x\xff")
    assert UTF8.codec(raw, [Change(1, 2, "ö")]) == [Change(1, 3, "Ã¶")]


@pytest.mark.parametrize("label", ["", "utf-16le"])
@pytest.mark.parametrize("mark", [b"\xff\xfe", b""])
def test_ascii_that_calls_itself_utf_16_is_refused(mark: bytes, label: str) -> None:
    if not mark and not label:
        return
    with pytest.raises(RedactionError) as caught:
        charset_of(mark + b"twelve bytes", label)
    assert caught.value.code == "redaction-decoder"
    wide = "twelve bytes, and more".encode("utf-16-le")
    assert charset_of(mark + wide, label).name == "utf-16-le"
