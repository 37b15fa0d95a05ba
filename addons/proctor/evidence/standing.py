"""Where a writer's evidence stands when it is opened, and whether it may go on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proctor.audit.recovery import Found
from proctor.audit.store import Store
from proctor.errors import ClientError
from proctor.evidence import heads, leaves
from proctor.evidence.keeping import Keeping
from proctor.evidence.keys import origin_of
from proctor.evidence.sealer import Sealing, newest
from proctor.evidence.statement import Statement
from proctor.tlog.note import Signer, parse_note
from proctor.tlog.tree import HASH_SIZE, Frontier

RETIRED: Final = "retired.json"
"""In the folder of a writer that nobody goes on with."""

_MAX_NOTE = 4096


def resting(record: Path) -> dict[str, str]:
    """The writers of a record that were let rest, and why.

    Raises:
        OSError: The record cannot be read.
    """
    found: dict[str, str] = {}
    for path in sorted(record.glob(f"writers/*/{RETIRED}")):
        with path.open("rb") as source:
            data = source.read(_MAX_NOTE)
        try:
            found[path.parent.name] = str(json.loads(data)["why"])
        except (ValueError, KeyError, TypeError, RecursionError):
            found[path.parent.name] = "unknown: its note cannot be read"
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a sealer goes on from.

    Attributes:
        origin: Of the writer's checkpoints.
        signer: The key in force.
        tree: Over all records.
        last: The newest checkpoint, or None.
    """

    origin: str
    signer: Callable[[], Signer]
    tree: Frontier
    last: Statement | None


def standing(store: Store, folder: Path, found: Found, sealing: Sealing) -> Standing | str:
    """Compares what is there with what was signed.

    Args:
        store: The record.
        folder: The writer's.
        found: What recovery found; a tree that was not kept is made anew.
        sealing: Where keys and kept heads are.

    Returns:
        What to go on from, or why nobody may.

    Raises:
        ConfigurationError: The key cannot be used.
        OSError: The disk does not take or give it.
    """
    keeping = Keeping(store, sealing.state)
    origin = origin_of(store.id(), folder.name)
    tree = found.tree if _whole(store, folder, found) else None
    if tree is None:
        return "a record is missing, or a line of the journal cannot be read"
    try:
        last = newest(folder)
        head = heads.kept(sealing.state, origin)
        kept = Statement.parse(parse_note(head).text) if head else None
    except (ClientError, ValueError):
        return "a checkpoint cannot be read"
    if kept and (last is None or last.size < kept.size):
        return "its newest checkpoint is older than the one that was kept"
    for said in (last, kept):
        if said and (why := _differs(said, origin, tree.size, found)):
            return why
    return Standing(
        origin=origin, signer=lambda: keeping.signer(origin), tree=tree.copy(), last=last
    )


def _differs(said: Statement, origin: str, size: int, found: Found) -> str:
    """How the record differs from what a checkpoint says, or nothing."""
    if said.origin != origin:
        return "its newest checkpoint is another record's"
    if said.size > size:
        return "the record is shorter than its newest checkpoint says"
    at = _root_at(found, said.size)
    if at is not None and at != said.root:
        return "the record is not what its newest checkpoint says"
    return ""


def _whole(store: Store, folder: Path, found: Found) -> bool:
    """Sees to it that tree and leaves are there where every record is."""
    last = found.state.segments.last[0]
    if last < 0 or (found.tree and leaves.kept(folder) > last):
        return found.tree is not None
    rebuilt = leaves.rebuild(store, folder.name, last)
    if rebuilt is None:
        return False
    tree = Frontier()
    tree.extend(rebuilt)
    before = found.state.peaks
    found.state.peaks = [peak.hex() for peak in tree.peaks]
    if before and before != found.state.peaks:
        return False
    leaves.write_leaves(folder, 0, rebuilt)
    found.grow()
    return found.tree is not None


def _root_at(found: Found, size: int) -> bytes | None:
    """Root over the first `size` records, or None where it is older than what is at hand."""
    base = found.state.tree()
    if base is None or size < base.size:
        return None
    tree = base.copy()
    tree.extend(found.leaves[: (size - base.size) * HASH_SIZE])
    return tree.root()
