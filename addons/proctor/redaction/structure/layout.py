"""A body as leaves of text, and the way back: changes to leaves become changes to the body.

A leaf is written somewhere in a *holder*: the body itself, or a text inside it that has a structure
of its own, such as JSON in a JSON string. What a leaf says differs from how it is written by its
*codec*. Changes go from the innermost holder outwards, through each codec, so that whatever is not
changed stays as it was written at every level.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, NamedTuple, overload

from proctor.redaction.model import Change, Leaf, RedactionError, Skipped
from proctor.redaction.structure.charset import UTF8, Charset
from proctor.redaction.structure.codec import Codec, applied, check, shifted, verbatim

type Path = tuple[str | int, ...]
"""Names and indexes that lead from the top of a body to a value."""

MAX_LEAVES: Final = 250_000
"""Texts in one body; each costs some hundred bytes while it is looked at."""

MAX_HOLDERS: Final = 4
"""Structures within structures; what is deeper is looked at as plain text."""

BODY: Final = 0
"""The holder that is the body itself."""

_MAX_LOCATION: Final = 160


class Place(Enum):
    """What a leaf is, where it is no member or element of what it stands in.

    Attributes:
        NAME: A name, and so no field.
        HERE: The value itself.
    """

    NAME = "name"
    HERE = "here"


type Step = str | int | Place
type _Slot = tuple[int, int, int, Codec, Path, Step]


class _Holder(NamedTuple):
    text: str
    inside: int
    start: int
    end: int
    codec: Codec
    depth: int


class Mark(NamedTuple):
    """How much a layout held; to go back to."""

    leaves: int
    skipped: int
    holders: int
    objects: int


class Layout:
    """A Document that readers of formats fill.

    Args:
        text: The body.
        charset: How it becomes bytes.
        base: Path of the body within a larger one.
    """

    def __init__(self, text: str, charset: Charset = UTF8, *, base: Path = ()) -> None:
        self.leaves: list[Leaf] = []
        self.skipped: list[Skipped] = []
        self._contents: list[bytes] = []
        self.base = base
        self._charset = charset
        self._slots: list[_Slot] = []
        self._holders = [_Holder(text, BODY, 0, len(text), verbatim, 0)]
        self._objects: list[dict[str, int]] = []

    @property
    def paths(self) -> Sequence[Path]:
        """The path of each leaf; () for names and for text that is no field of anything."""
        return _Paths(self.base, self._slots)

    def add(  # noqa: PLR0913, PLR0917  # called for every leaf; a parameter object would cost more
        self,
        text: str,
        location: str,
        key: str,
        holder: int,
        start: int,
        end: int,
        codec: Codec,
        parent: Path,
        step: Step,
    ) -> None:
        """Add a leaf.

        Args:
            text: What it says.
            location: Where it stands, for people.
            key: The nearest name before it.
            holder: What it is written in.
            start: Its first character there.
            end: The character after its last.
            codec: How it is written.
            parent: The path of what it is in.
            step: Its own name or index there.

        Raises:
            RedactionError: `redaction-size`.
        """
        if len(self._slots) >= MAX_LEAVES:
            raise too_many()
        self._slots.append((holder, start, end, codec, parent, step))
        self.leaves.append(_leaf(Leaf, (text, location, key)))

    def member(  # noqa: PLR0913, PLR0917  # as add
        self,
        name: str,
        text: str,
        location: str,
        key: str,
        holder: int,
        before: int,
        start: int,
        codec: Codec,
        parent: Path,
    ) -> None:
        """Add a name and its value, both written as they read.

        Args:
            name: It.
            text: The value.
            location: Where the value stands, for people.
            key: The nearest name before the value.
            holder: What they are written in.
            before: The name's first character there.
            start: The value's.
            codec: How they are written.
            parent: The path of the object.

        Raises:
            RedactionError: `redaction-size`.
        """
        if len(self._slots) + 1 >= MAX_LEAVES:
            raise too_many()
        self._slots += (
            (holder, before, before + len(name), codec, parent, Place.NAME),
            (holder, start, start + len(text), codec, parent, name),
        )
        self.leaves += (
            _leaf(Leaf, (name, location + "#name", "")),
            _leaf(Leaf, (text, location, key)),
        )

    def lists(self) -> tuple[list[_Slot], list[Leaf]]:
        """What `add` adds to, for who adds as it does, and no more than MAX_LEAVES."""
        return self._slots, self.leaves

    def hold(self, text: str, inside: int, start: int, end: int, codec: Codec) -> int | None:
        """Make a holder of a text that stands in another; None where that would be too deep."""
        depth = self._holders[inside].depth + 1
        if depth > MAX_HOLDERS:
            return None
        self._holders.append(_Holder(text, inside, start, end, codec, depth))
        return len(self._holders) - 1

    def text(self, holder: int) -> str:
        """All that a holder says."""
        return self._holders[holder].text

    def members(self) -> dict[str, int]:
        """A new object's names, to be filled: name → index of its leaf."""
        names: dict[str, int] = {}
        self._objects.append(names)
        return names

    @property
    def packed(self) -> Sequence[tuple[str, bytes]]:
        """What was skipped since it is no text: where it stands, and its bytes."""
        pairs = zip(self.skipped, self._contents, strict=True)
        return [(skipped.location, content) for skipped, content in pairs if content]

    def skip(self, reason: str, size: int, location: str, content: bytes = b"") -> None:
        """Note bytes that are not looked at, and the bytes where they are no text."""
        self.skipped.append(Skipped(reason, size, location))
        self._contents.append(content)

    def mark(self) -> Mark:
        """How much there is so far."""
        return Mark(len(self._slots), len(self.skipped), len(self._holders), len(self._objects))

    def back(self, to: Mark) -> None:
        """Forget what came after the mark."""
        del self._slots[to.leaves :], self.leaves[to.leaves :], self.skipped[to.skipped :]
        del self._holders[to.holders :], self._objects[to.objects :]
        del self._contents[to.skipped :]

    def splice(self, changes: Mapping[int, Sequence[Change]]) -> bytes:
        """The body with these changes; all other bytes are what they were.

        Args:
            changes: By index into `leaves`; sorted and not overlapping.

        Raises:
            RedactionError: `redaction-decoder` for changes outside a leaf, or for text that the
                body's charset cannot express.
        """
        return self._charset.encode(self.spliced(changes))

    def spliced(self, changes: Mapping[int, Sequence[Change]]) -> str:
        """Like `splice`, before it becomes bytes."""
        edits: list[list[Change]] = [[] for _ in self._holders]
        for index, wanted in sorted(self._distinct(changes).items()):
            check(wanted, len(self.leaves[index].text))
            holder, start, end, codec, _, _ = self._slots[index]
            if wanted:
                written = codec(self._holders[holder].text[start:end], wanted)
                edits[holder] += shifted(written, start)
        # A holder comes after the one it is in.
        for number in range(len(edits) - 1, BODY, -1):
            if edits[number]:
                holder_ = self._holders[number]
                raw = self._holders[holder_.inside].text[holder_.start : holder_.end]
                inner = sorted(edits[number], key=_start)
                edits[holder_.inside] += shifted(holder_.codec(raw, inner), holder_.start)
        return applied(self._holders[BODY].text, sorted(edits[BODY], key=_start))

    def _distinct(self, changes: Mapping[int, Sequence[Change]]) -> Mapping[int, Sequence[Change]]:
        """Names that would become the same get a number; else two members would become one."""
        touched = {index for index in changes if self._slots[index][5] is Place.NAME}
        if not touched:
            return changes
        result = dict(changes)
        for members in self._objects:
            mine = [
                (name, index, applied(name, changes[index]))
                for name, index in members.items()
                if index in touched
            ]
            taken = {name for name, index in members.items() if index not in touched}
            found = distinct((new for _, _, new in mine), taken)
            for (name, index, new), unique in zip(mine, found, strict=True):
                if unique != new:
                    end = Change(len(name), len(name), unique[len(new) :])
                    result[index] = [*changes[index], end]
        return result


_leaf: Final = tuple.__new__  # Leaf's own takes twice the time


def too_many() -> RedactionError:
    """The error where a body holds more than MAX_LEAVES."""
    return RedactionError(
        "redaction-size",
        "A body holds too many values to be looked at",
        expected=f"at most {MAX_LEAVES} texts, names and numbers",
        hint="Send less at once.",
    )


def distinct(names: Iterable[str], taken: set[str]) -> Iterator[str]:
    """Names of one object's members, each with a number where it is taken (RFC 8259, 4).

    Args:
        names: In order.
        taken: The names of its other members; those that are given are added.
    """
    counts: dict[str, int] = {}
    for new in names:
        unique = new
        while unique in taken:
            counts[new] = counts.get(new, 1) + 1
            unique = f"{new}~{counts[new]}"
        taken.add(unique)
        yield unique


class _Paths(Sequence[Path]):
    """Paths are put together when asked for: most callers never do."""

    def __init__(self, base: Path, slots: list[_Slot]) -> None:
        self._base = base
        self._slots = slots

    def __len__(self) -> int:
        return len(self._slots)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        _, _, _, _, parent, step = self._slots[index]
        return () if step is Place.NAME else (*self._base, *joined(parent, step))


def joined(parent: Path, step: Step) -> Path:
    """The path of a value, from that of what it is in; a name has that of its object."""
    return parent if isinstance(step, Place) else (*parent, step)


def within(location: str) -> str:
    """What the locations of an object's members begin with."""
    location = bounded(location)
    return location if not location or location.endswith("→") else f"{location}."


def bounded(location: str) -> str:
    """The location, or an ellipsis where names above have become too long to repeat below."""
    return location if len(location) <= _MAX_LOCATION else "…"


def _start(change: Change) -> int:
    return change.start
