"""What a writer says of its own tiers, in one small file that readers take whole.

A record is in a journal (hot), then in a small segment, then in merged ones. At any time it may lie
in two of them, so each tier counts only between two bounds:

    merged twice  …  s2]      merged  (s2 … s1]      small  (s1 … s0]      hot  (s0 …

Views join every row with these bounds, which they read once, so that a row counts exactly once
whatever files a reader happened to see. For that, order matters: a segment is there some seconds
before the bound that makes it count (a reader lists files when it binds a query, and reads the
bounds later), and a journal is emptied, and a merged segment unlinked, long after. Those are times,
which a busy machine stretches: so `gone.json` says, before anything goes, which bounds are too old
from then on, and proctor's own readers look at it when they have read (see steady.py).

`open.jsonl` beside it holds the begins of flows that had not ended when the hot bound was drawn.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from proctor.audit.envelope import GENESIS
from proctor.audit.store import CONTENT, SEGMENTS, replace
from proctor.tlog.tree import Frontier

HOT = -1
OPEN = -2
LEVELS = 3
FOREVER = 2**63 - 1
_LARGEST = 4096


@dataclass(slots=True)
class Bounds:
    """Last number of each level of Parquet files, smallest files first; -1 where there is none."""

    last: list[int] = field(default_factory=lambda: [-1] * LEVELS)

    def rows(self) -> list[tuple[int, int, int]]:
        """(tier, above, up to) for every tier."""
        edges = [*self.last, -1]
        return [
            (HOT, self.last[0], FOREVER),
            *((tier, edges[tier + 1], edges[tier]) for tier in range(LEVELS)),
        ]


@dataclass(slots=True)
class State:
    """A writer's state.json.

    Attributes:
        writer: Its name.
        leaf: Leaf of the last envelope that is in a segment, hex; the chain goes on from there.
        segments: Bounds of envelopes, by seq.
        content: Bounds of blocks, by n.
        peaks: Of the tree over the records that are in a segment, hex; see tlog.tree.
    """

    writer: str
    leaf: str = GENESIS
    segments: Bounds = field(default_factory=Bounds)
    content: Bounds = field(default_factory=Bounds)
    peaks: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> "State":
        """The state in a writer's folder, or a new one.

        Raises:
            OSError, ValueError, KeyError: It is there and cannot be read.
        """
        try:
            found = json.loads((folder / "state.json").read_bytes())
        except FileNotFoundError:
            return cls(writer=folder.name)
        return cls(
            writer=folder.name,
            leaf=found["leaf"],
            segments=Bounds([int(last) for last in found["levels"][SEGMENTS]]),
            content=Bounds([int(last) for last in found["levels"][CONTENT]]),
            peaks=[str(peak) for peak in found.get("peaks", ())],
        )

    def tree(self) -> Frontier | None:
        """The tree over the records that are in a segment, or None where it was not kept."""
        try:
            return Frontier(self.segments.last[0] + 1, [bytes.fromhex(p) for p in self.peaks])
        except ValueError:
            return None

    def write(self, folder: Path, tmp: Path) -> None:
        """Publishes it.

        Raises:
            OSError: The disk does not take it; the old one stays.
        """
        tiers = [
            {"kind": kind, "tier": tier, "above": above, "upto": upto}
            for kind, bounds in ((SEGMENTS, self.segments), (CONTENT, self.content))
            for tier, above, upto in bounds.rows()
        ]
        tiers.append({"kind": SEGMENTS, "tier": OPEN, "above": -1, "upto": FOREVER})
        state = {
            "writer": self.writer,
            "leaf": self.leaf,
            "peaks": self.peaks,
            "levels": {SEGMENTS: self.segments.last, CONTENT: self.content.last},
            "tiers": tiers,
        }
        replace(folder / "state.json", json.dumps(state, separators=(",", ":")).encode(), tmp)


@dataclass(slots=True)
class Gone:
    """A writer's gone.json: a reader with bounds below these may miss what went away.

    Attributes:
        segments: Of envelopes, by seq.
        content: Of blocks, by n.
    """

    NAME: ClassVar[str] = "gone.json"

    segments: Bounds = field(default_factory=Bounds)
    content: Bounds = field(default_factory=Bounds)

    @classmethod
    def read(cls, folder: Path) -> "Gone":
        """What is in a writer's folder, or that nothing went.

        Raises:
            OSError, ValueError, KeyError, TypeError: It is there and cannot be read.
        """
        try:
            with (folder / cls.NAME).open("rb") as source:
                found = json.loads(source.read(_LARGEST))
        except FileNotFoundError:
            return cls()
        kinds = [[int(last) for last in found[kind]] for kind in (SEGMENTS, CONTENT)]
        if any(len(last) != LEVELS for last in kinds):
            raise ValueError("not as many levels as there are")
        return cls(*map(Bounds, kinds))

    def kinds(self) -> tuple[tuple[str, Bounds], ...]:
        """Each with its name."""
        return ((SEGMENTS, self.segments), (CONTENT, self.content))

    def write(self, folder: Path, tmp: Path) -> None:
        """Says so.

        Raises:
            OSError: The disk does not take it; the old one stays.
        """
        said = {kind: bounds.last for kind, bounds in self.kinds()}
        replace(folder / self.NAME, json.dumps(said, separators=(",", ":")).encode(), tmp)
