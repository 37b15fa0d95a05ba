"""Whether witnesses have seen all of a record: its newest tree, cosigned by as many as were asked.

A gateway signs more often than it asks witnesses, and goes on signing while nothing is recorded. So
what counts is the newest tree: a cosignature of any checkpoint of that size and root is one of it.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from proctor.errors import ClientError
from proctor.evidence import cosigned, sealer
from proctor.evidence.statement import Statement
from proctor.tlog.cosignature import CosignerKey, Policy, parse_lines
from proctor.tlog.note import parse_note

_TAIL: Final = 1 << 20
"""Bytes of checkpoints that are looked through from the end: some two thousand of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """A writer whose newest tree too few have cosigned.

    Attributes:
        writer: Its name.
        records: In that tree.
        got: Who has, or what is wrong.
        expected: Who was to.
        seen: Records in the largest tree that enough have cosigned, as far as was looked back.
    """

    writer: str
    records: int
    got: str
    expected: str
    seen: int


def lacking(record: Path, policy: Policy) -> Iterator[Lack]:
    """The writers whose newest tree lacks cosignatures.

    Args:
        record: Its folder. That its checkpoints are the record's own is for `verify` to say.
        policy: How many of which witnesses it takes.
    """
    for folder in sorted((record / "writers").glob("w*")):
        try:
            found = _lack(folder, policy)
        except (OSError, ValueError, ClientError) as error:
            got = error.code if isinstance(error, ClientError) else "files that cannot be read"
            found = Lack(writer=folder.name, records=0, got=got, expected=_expected(policy), seen=0)
        if found:
            yield found


def _lack(folder: Path, policy: Policy) -> Lack | None:
    texts = list(_texts(folder / sealer.NAME))
    if not texts:
        return None  # nothing is signed, which `verify` says
    lines: dict[str, list[cosigned.Cosigned]] = {}
    for each in cosigned.read(folder):
        lines.setdefault(each.checkpoint, []).append(each)
    newest = texts[-1][0]
    by: dict[tuple[int, bytes], set[CosignerKey]] = {}
    for said, text in texts:
        # Later ones are looked at last, so that the newest tree's are all there in the end.
        known = by.setdefault((said.size, said.root), set())
        known.update(_signers(text, lines.get(cosigned.text_hash(text), ()), policy))
    have = by[newest.size, newest.root]
    if _count(have) >= policy.needed:
        return None
    return Lack(
        writer=folder.name,
        records=newest.size,
        got=", ".join(sorted(key.name for key in have)) or "none",
        expected=_expected(policy),
        seen=max((size for (size, _), keys in by.items() if _count(keys) >= policy.needed),
                 default=0),
    )  # fmt: skip


def _texts(path: Path) -> Iterator[tuple[Statement, str]]:
    """The last checkpoints, the newest at the end."""
    if not path.exists():
        return
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
        file.seek(start)
        lines = file.read().split(b"\n")[1 if start else 0 : -1]
    for line in lines:
        note = json.loads(line)
        if not isinstance(note, str):
            raise ValueError("a line of checkpoints is a JSON string")  # noqa: TRY004 - of the file
        text = parse_note(note).text
        yield Statement.parse(text), text


def _signers(
    text: str, lines: Iterable[cosigned.Cosigned], policy: Policy
) -> Iterator[CosignerKey]:
    """Whose cosignatures hold."""
    for each in lines:
        note = parse_lines(each.line, text)
        yield from (key for key in policy.keys if key.times(note))


def _count(keys: Iterable[CosignerKey]) -> int:
    return len({key.public for key in keys})


def _expected(policy: Policy) -> str:
    names = ", ".join(sorted({key.name for key in policy.keys}))
    return f"{policy.needed} of {names}"
