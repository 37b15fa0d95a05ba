"""Changes to make in any document, and what must come of them."""

from collections.abc import Sequence
from typing import Protocol

from hypothesis import strategies as st

from proctor.redaction.model import Change, Document, Leaf


class _Leaves(Protocol):
    @property
    def leaves(self) -> Sequence[Leaf]: ...


def replaced(document: Document, old: str, new: str) -> bytes:
    """The body with one text replaced in all leaves."""
    changes: dict[int, list[Change]] = {}
    for index, leaf in enumerate(document.leaves):
        at = leaf.text.find(old)
        while at >= 0:
            changes.setdefault(index, []).append(Change(at, at + len(old), new))
            at = leaf.text.find(old, at + len(old))
    assert changes, old
    return document.splice(changes)


def texts(document: _Leaves) -> list[str]:
    return [leaf.text for leaf in document.leaves]


def locations(document: _Leaves) -> list[str]:
    return [leaf.location for leaf in document.leaves]


def at(document: _Leaves, location: str) -> Leaf:
    (leaf,) = [leaf for leaf in document.leaves if leaf.location == location]
    return leaf


@st.composite
def changes_to(draw: st.DrawFn, text: str, new: st.SearchStrategy[str]) -> list[Change]:
    """Sorted changes to a text that do not overlap."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return [Change(start, end, draw(new)) for start, end in pairs]


def changed(text: str, changes: Sequence[Change]) -> str:
    """What should come of a text, made from the back."""
    for change in reversed(changes):
        text = text[: change.start] + change.text + text[change.end :]
    return text
