"""Changes, from what a text says to how it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.model import Change, RedactionError
from proctor.redaction.structure.codec import Unit, applied, check, mapped, shifted, verbatim
from tests.redaction.structure.changing import changed, changes_to


@given(st.text(max_size=20), st.data())
def test_changes_are_applied(text: str, data: st.DataObject) -> None:
    changes = data.draw(changes_to(text, st.text(max_size=3)))
    assert applied(text, verbatim(text, changes)) == changed(text, changes)
    moved = applied("ab" + text, shifted(changes, 2))
    assert moved == "ab" + changed(text, changes)


# Each part: how it is written and what it says.
PARTS = {"a": "a", "b": "b", "%1;": "X", "%2;": "YZ", "%0;": ""}


@given(st.lists(st.sampled_from(sorted(PARTS)), max_size=10), st.data())
def test_changes_are_mapped(parts: list[str], data: st.DataObject) -> None:
    raw = "".join(parts)
    said = "".join(PARTS[part] for part in parts)
    units, at = [], 0
    for part in parts:
        if len(part) > 1:
            units.append(Unit(at, at + len(part), len(PARTS[part])))
        at += len(part)
    changes = data.draw(changes_to(said, st.sampled_from(["", "q", "qq"])))
    edits = mapped(changes, units, str.upper)
    check(edits, len(raw))
    out = applied(raw, edits)
    for name, text in PARTS.items():
        out = out.replace(name, text)
    if "%2;" not in parts:
        assert out == changed(said, [Change(c.start, c.end, c.text.upper()) for c in changes])
    else:  # half of an escape goes with the other half
        assert set(out) <= set("abXYZQ")


def test_half_of_an_escape_goes_whole() -> None:
    unit = [Unit(1, 5, 2)]
    assert mapped([Change(0, 2, "-")], unit, str) == [Change(0, 5, "-")]
    assert mapped([Change(2, 3, "-")], unit, str) == [Change(1, 5, "-")]
    assert mapped([Change(1, 2, "-"), Change(2, 3, "+")], unit, str) == [
        Change(1, 5, "-"),
        Change(5, 5, "+"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        [Change(1, 0, "")],
        [Change(-1, 0, "")],
        [Change(0, 4, "")],
        [Change(0, 2, ""), Change(1, 3, "")],
        [Change(2, 3, ""), Change(0, 1, "")],
    ],
)
def test_changes_that_make_no_sense(changes: list[Change]) -> None:
    with pytest.raises(RedactionError) as caught:
        check(changes, 3)
    assert caught.value.code == "redaction-decoder"
