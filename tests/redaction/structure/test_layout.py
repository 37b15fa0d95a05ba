"""Leaves, holders, and the way back."""

import pytest

from proctor.redaction.model import Change, Document, RedactionError
from proctor.redaction.structure.charset import LATIN1
from proctor.redaction.structure.codec import verbatim
from proctor.redaction.structure.layout import (
    BODY,
    MAX_HOLDERS,
    Layout,
    Place,
    bounded,
    joined,
    within,
)


def filled() -> Layout:
    layout = Layout("<abc>[def]", base=("top",))
    layout.add("abc", "a", "", BODY, 1, 4, verbatim, (), "a")
    inner = layout.hold("def", BODY, 6, 9, verbatim)
    assert inner is not None
    layout.add("e", "b", "", inner, 1, 2, verbatim, ("b",), Place.HERE)
    layout.add("n", "c", "", inner, 0, 1, verbatim, ("b",), Place.NAME)
    return layout


def test_it_is_a_document() -> None:
    document: Document = filled()
    assert document.splice({0: [Change(1, 2, "-")], 1: [Change(0, 1, "++")]}) == b"<a-c>[d++f]"
    assert document.splice({}) == b"<abc>[def]"
    assert document.splice({0: []}) == b"<abc>[def]"


def test_paths_are_put_together() -> None:
    paths = filled().paths
    assert list(paths) == [("top", "a"), ("top", "b"), ()]
    assert paths[1:] == [("top", "b"), ()]
    assert paths[-3] == ("top", "a")


def test_going_back() -> None:
    layout = filled()
    mark = layout.mark()
    inner = layout.hold("d", BODY, 6, 7, verbatim)
    assert inner is not None
    layout.add("d", "d", "", inner, 0, 1, verbatim, (), "d")
    layout.skip("binary", 1, "x")
    layout.members()["d"] = 3
    layout.back(mark)
    assert layout.mark() == mark
    assert not layout.skipped
    assert len(layout.leaves) == len(layout.paths) == 3
    assert layout.splice({1: [Change(0, 1, "x")]}) == b"<abc>[dxf]"


def test_holders_are_bounded() -> None:
    layout, holder = Layout("x"), BODY
    for _ in range(MAX_HOLDERS):
        inner = layout.hold("x", holder, 0, 1, verbatim)
        assert inner is not None
        holder = inner
    assert layout.hold("x", holder, 0, 1, verbatim) is None


def test_changes_outside_a_leaf() -> None:
    with pytest.raises(RedactionError):
        filled().splice({0: [Change(0, 4, "")]})


def test_text_that_does_not_fit_the_charset() -> None:
    layout = Layout("abc", LATIN1)
    layout.add("abc", "a", "", BODY, 0, 3, verbatim, (), "a")
    with pytest.raises(RedactionError) as caught:
        layout.splice({0: [Change(0, 1, "€")]})
    assert caught.value.code == "redaction-decoder"


def test_locations() -> None:
    assert [within(""), within("a"), within("a→")] == ["", "a.", "a→"]
    assert bounded("a" * 161) == "…"
    assert joined(("a",), "b") == ("a", "b")
    assert joined(("a",), Place.HERE) == ("a",)
