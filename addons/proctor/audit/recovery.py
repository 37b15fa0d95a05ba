"""What a writer finds in its folder at start: where the chain stands, and what a crash left behind.

A line that was not finished is cut off; it was never acknowledged. What is cut is kept beside the
journals, should anyone want to look. A line in the middle that cannot be read is left where it is:
no crash of ours makes one, and the chain shows it.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proctor.audit.envelope import BEGIN_HEAD, HEAD
from proctor.audit.journal import IS_BEGIN, NO_FLOW, Item, Slot
from proctor.audit.state import State
from proctor.audit.store import sync_folder
from proctor.tlog.tree import HASH_SIZE, Frontier

# The envelope's own, and what an end does not say again.
_BEGIN_ONLY = {"v", "kind", "writer", "seq", "prev", "ts", "decisions", "results"}
_MOMENT = re.compile(rb'"ts":"(\d{4}-\d\d-\d\d)T')
_SLOT = re.compile(r"(\d{1,9})\.jsonl")


@dataclass(slots=True)
class Found:
    """What was found.

    Attributes:
        state: As it was published last.
        seq: Number of the next envelope.
        prev: Leaf of the last envelope, hex.
        n: Number of the next content line.
        full: Journals with lines in them, in order; they become segments.
        empty: Journals ready for use.
        begins: Flows that began and have no end, by seq: the envelope's fields.
        cut: Bytes of torn tails that were cut off, by journal.
        damaged: Lines in the middle that cannot be read, by journal.
        tree: Over all records, or None where one is missing or the tree was not kept.
        leaves: Of the records that are in no segment yet, 32 bytes each; what `tree` ends with.
    """

    state: State
    seq: int
    prev: str
    n: int
    full: list[Slot] = field(default_factory=list)
    empty: list[Slot] = field(default_factory=list)
    begins: dict[int, dict[str, Any]] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    damaged: dict[str, int] = field(default_factory=dict)
    tree: Frontier | None = None
    leaves: bytes = b""

    def grow(self) -> None:
        """Brings the tree from the published state to the last record, if every one is there."""
        tree = self.state.tree()
        leaves = b""
        for slot in self.full:
            if tree is None or slot.seq < tree.size:
                continue
            new = slot.seq + 1 - tree.size
            if not slot.unbroken() or len(slot.leaves) < new * HASH_SIZE:
                tree = None
                continue
            last = bytes(slot.leaves[-new * HASH_SIZE :])
            leaves += last
            tree.extend(last)
        self.tree, self.leaves = tree, leaves if tree else b""


def recover(folder: Path) -> Found:
    """Reads and mends the journals in a writer's folder.

    Raises:
        OSError, ValueError, KeyError: The folder cannot be read or mended.
    """
    state = State.read(folder)
    hot, n = state.segments.last[0], state.content.last[0]
    found = Found(state=state, seq=hot + 1, prev=state.leaf, n=n + 1)
    slots = sorted(
        (int(match[1]), path) for path in folder.iterdir() if (match := _SLOT.fullmatch(path.name))
    )
    for _, path in slots:
        slot = _read(path, found)
        (found.full if slot.size else found.empty).append(slot)
    found.full.sort(key=lambda slot: (slot.seq, slot.n))
    found.grow()
    # A damaged line leaves no hole in the ranges that segments cover.
    for slot in found.full:
        if slot.seq > hot:
            slot.first_seq, hot = hot + 1, slot.seq
    for slot in sorted(found.full, key=lambda slot: slot.n):
        if slot.n > n:
            slot.first_n, n = n + 1, slot.n
    begins = read_open(folder)
    for slot in found.full:
        found.n = max(found.n, slot.n + 1)
        if slot.seq >= found.seq:
            found.seq = slot.seq + 1
            found.prev = slot.leaf()
        begins.update(slot.begins)
    for slot in found.full:
        for number in slot.ended:
            begins.pop(number, None)
    found.begins = {number: json.loads(line) for number, line in sorted(begins.items())}
    return found


def read_open(folder: Path) -> dict[int, bytes]:
    """Begins without an end as of the published state: lines by seq.

    Raises:
        OSError, ValueError, KeyError: The file is there and cannot be read.
    """
    try:
        lines = (folder / "open.jsonl").read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return {}
    return {json.loads(line)["seq"]: line for line in lines}


def interrupted(seq: int, begin: Mapping[str, Any], now: str) -> dict[str, Any]:
    """The end of a flow that nobody will end any more.

    Args:
        seq: Number of its begin.
        begin: The begin's envelope.
        now: RFC 3339.
    """
    turn = begin.get("turn")
    return {
        **{name: value for name, value in begin.items() if name not in _BEGIN_ONLY},
        "begin_seq": seq,
        "status": None,
        "response_bytes": None,
        "ended_at": now,
        "error": "interrupted: gateway stopped",
        "coverage": "the response is not recorded: gateway stopped",
        "response": None,
        "turn": turn and {**turn, "stop_reason": None, "output": None},
        "tools": [],
    }


def parse(line: bytes) -> tuple[Item, bool] | None:
    """A journal's line as what it is and whether it is an envelope, or None if it is neither."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    if line.startswith(HEAD) and isinstance(value.get("seq"), int):
        ends = value.get("begin_seq")
        flow = ends if isinstance(ends, int) else NO_FLOW
        return Item(line, value["seq"], IS_BEGIN if line.startswith(BEGIN_HEAD) else flow), True
    if "c" in value and isinstance(value.get("n"), int):
        return Item(line, value["n"]), False
    return None


def _read(path: Path, found: Found) -> Slot:
    """Reads a journal, cuts its tail after the last good line, and counts."""
    slot = Slot(path)
    offset = good = damaged = bad = 0
    days: set[bytes] = set()
    with path.open("rb") as lines:
        for line in lines:
            offset += len(line)
            item = parse(line) if line.endswith(b"\n") else None
            if item is None:
                bad += 1
                continue
            slot.add(item[0], is_record=item[1])
            if item[1] and (moment := _MOMENT.search(line)):
                days.add(moment[1])
            good = offset
            damaged, bad = damaged + bad, 0
    if damaged:
        found.damaged[path.name] = damaged
    if good < offset:
        found.cut[path.name] = offset - good
        _cut(path, good)
    slot.size = good
    slot.day = days.pop().decode() if len(days) == 1 else ""
    return slot


def _cut(path: Path, size: int) -> None:
    with path.open("rb") as source:
        source.seek(size)
        tail = source.read(1024 * 1024)
    keep = path.with_suffix(".torn")
    with os.fdopen(os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
        target.write(tail)
    handle = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(handle, size)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)
