"""Percent-encoding."""

from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import Change
from proctor.redaction.structure.codec import applied
from proctor.redaction.structure.percent import in_form, in_url, unquoted
from tests.redaction.structure.changing import changed, changes_to


def test_a_plus_is_a_blank_in_forms_only() -> None:
    assert unquoted("a+b%2Bc", plus=True) == "a b+c"
    assert unquoted("a+b%2Bc", plus=False) == "a+b+c"


def test_what_is_no_escape_stays() -> None:
    assert unquoted("100%, %4, %zz, %25", plus=False) == "100%, %4, %zz, %"


def test_bytes_that_are_no_utf8_keep_their_place() -> None:
    raw = "%ff%40%e2%82x"
    assert unquoted(raw, plus=False) == "\udcff@\udce2\udc82x"
    assert in_url(raw, [Change(1, 2, "a b")]) == [Change(3, 6, "a%20b")]
    assert in_url(raw, [Change(3, 5, "")]) == [Change(9, 13, "")]


def test_a_change_within_a_run() -> None:
    assert in_form("%C3%A9%E2%82%AC+", [Change(1, 3, "!")]) == [Change(6, 16, "%21")]


@given(st.text(), st.sampled_from(["", "/", "aé"]), st.data())
def test_any_change(text: str, safe: str, data: st.DataObject) -> None:
    raw = quote(text, safe=safe)
    assert unquoted(raw, plus=False) == text
    changes = data.draw(changes_to(text, st.text(max_size=4)))
    assert unquote(applied(raw, in_url(raw, changes))) == changed(text, changes)


@given(st.text(alphabet="%4a0Ff+é", max_size=20))
def test_broken_escapes(raw: str) -> None:
    for plus, codec in ((True, in_form), (False, in_url)):
        text = unquoted(raw, plus=plus)
        for at in range(len(text)):
            out = applied(raw, codec(raw, [Change(at, at + 1, "")]))
            assert len(out) < len(raw)
