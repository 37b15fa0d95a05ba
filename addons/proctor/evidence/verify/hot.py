"""Journals: the lines in them, where each stands, and whether they are in order."""

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.reader import REFERENCE, TELLING
from proctor.evidence.verify.snapshot import WriterFiles
from proctor.tlog.tree import leaf_hash

ENVELOPE: Final = re.compile(
    rb'\{"v":1,"kind":"([a-z][a-z_.]{0,63})","writer":"(w\d{1,6})","seq":(\d{1,18}),'
    rb'"prev":"([0-9a-f]{64})","ts":"([0-9T:.Z-]{20,32})"'
)
_BIRTH: Final = b'{"c":2,'
_BLOCK: Final = b'{"c":1,'
_OF_ALL: Final = ("c", "writer", "n", "scope")
# Members of a line of content, in their order; views would pass over others, and so would we.
_MEMBERS: Final[dict[bytes, set[tuple[str, ...]]]] = {
    _BIRTH: {(*_OF_ALL, "salt", "principal", "session_id")},
    _BLOCK: {(*_OF_ALL, "no", "hash", "text"), (*_OF_ALL, "no", "hash", "text", "b64")},
}


@dataclass(slots=True, kw_only=True)
class Hot:
    """What is in a writer's journals.

    Attributes:
        raws: Bytes of records, by number.
        leaves: Their hashes, likewise.
        where: File and byte of each, likewise.
        blocks: Content lines, by their number.
        content_where: File and byte of each, likewise.
        references: To content, as they stand in records, and the first record of each.
        events: Records of events that explain what else would look wrong.
    """

    raws: dict[int, bytes] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)
    where: dict[int, tuple[str, int]] = field(default_factory=dict)
    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    content_where: dict[int, tuple[str, int]] = field(default_factory=dict)
    references: dict[bytes, int] = field(default_factory=dict)
    events: list[bytes] = field(default_factory=list)


def read_journals(
    writer: WriterFiles, *, running: bool, ended: bool = False, findings: Findings
) -> Hot:
    """Reads a writer's journals.

    Args:
        writer: Whose.
        running: Something may be being written right now, so a line without an end is none.
        ended: It said that it ended, so that every line is whole.
        findings: Takes what is wrong.
    """
    hot = Hot()
    for name, data in writer.journals.items():
        _Journal(writer.name, f"writers/{writer.name}/{name}", hot, findings).read(
            data, running=running, ended=ended
        )
    for numbers, code, what in (
        (hot.leaves, "record-missing", "A record is missing in the journals"),
        (hot.blocks, "content-missing", "Content is missing in the journals"),
    ):
        there = sorted(numbers)
        for before, after in pairwise(there):
            if after != before + 1:
                findings.problem(
                    code,
                    what,
                    writer=writer.name,
                    seq=before + 1 if numbers is hot.leaves else None,
                    found=f"{before} is followed by {after}",
                )
    return hot


class _Journal:
    """Reads one."""

    def __init__(self, writer: str, file: str, hot: Hot, findings: Findings) -> None:
        self._writer = writer
        self._file = file
        self._hot = hot
        self._findings = findings
        self._seq = self._n = -1

    def read(self, data: bytes, *, running: bool, ended: bool) -> None:
        """All lines; bad ones at the end were never acknowledged, as recovery has it."""
        offset, bad = 0, list[int]()
        for line in data.splitlines(keepends=True) if b"\r" not in data else _lines(data):
            if line.endswith(b"\n") and self._line(line[:-1], offset):
                for at in bad:
                    self._problem("line-unreadable", "A line of a journal cannot be read", at)
                bad = []
            else:
                bad.append(offset)
            offset += len(line)
        if ended:
            for at in bad:
                self._problem("line-unreadable", "A line of a journal cannot be read", at)
        elif bad and not running:
            self._findings.notice(
                "journal-torn",
                "A journal ends with what was never acknowledged",
                writer=self._writer,
                file=self._file,
                at=f"byte {bad[0]}",
            )

    def _line(self, line: bytes, offset: int) -> bool:
        match = ENVELOPE.match(line)
        if match and match[2].decode() == self._writer:
            self._record(int(match[3]), match[1], line, offset)
            return True
        if line.startswith(b'{"c":'):
            block = _content_of(line)
            number = block.get("n")
            if isinstance(number, int) and block.get("writer") == self._writer:
                self._block(number, block, offset)
                return True
        return False

    def _record(self, number: int, kind: bytes, line: bytes, offset: int) -> None:
        if number <= self._seq or number in self._hot.raws:
            twice = number in self._hot.raws
            self._problem(
                "record-twice" if twice else "record-reordered",
                "A record is there twice" if twice else "Records are not in their order",
                offset,
                seq=number,
            )
            if twice:
                return
        self._seq = max(self._seq, number)
        self._hot.raws[number] = line
        self._hot.leaves[number] = leaf_hash(line)
        self._hot.where[number] = (self._file, offset)
        if kind == b"event" and object_of(line).get("event_kind") in TELLING:
            self._hot.events.append(line)
        for found in REFERENCE.finditer(line):
            self._hot.references.setdefault(found[0], number)

    def _block(self, number: int, block: dict[str, Any], offset: int) -> None:
        if number <= self._n or number in self._hot.blocks:
            self._problem(
                "content-reordered", "Content is not in its order, or there twice", offset
            )
        self._n = max(self._n, number)
        self._hot.blocks.setdefault(number, block)
        self._hot.content_where.setdefault(number, (self._file, offset))

    def _problem(self, code: str, what: str, offset: int, **more: int) -> None:
        self._findings.problem(
            code, what, writer=self._writer, file=self._file, at=f"byte {offset}", **more
        )


def _content_of(line: bytes) -> dict[str, Any]:
    """What a line of content says; nothing where proctor would have written it otherwise."""
    start = line[: len(_BLOCK)]
    block = object_of(line)
    if tuple(block) not in _MEMBERS.get(start, set()) or str(block.get("b64", 1)) != "1":
        return {}
    try:
        made = json.dumps(block, separators=(",", ":"), ensure_ascii=start == _BIRTH).encode()
    except UnicodeEncodeError:
        return {}
    return block if made == line else {}


def object_of(raw: bytes) -> dict[str, Any]:
    """What a record says, as far as it can be read."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _lines(data: bytes) -> list[bytes]:
    """Lines that end with a newline and nothing else."""
    return [part + b"\n" for part in data.split(b"\n")[:-1]] + [
        part for part in data.rsplit(b"\n", 1)[-1:] if part
    ]
