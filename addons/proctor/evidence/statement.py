"""What a checkpoint of ours says beyond size and root: when, by when the next, after which.

    time 2026-11-22T14:00:00.000000Z
    due 2026-11-22T14:02:00.000000Z
    after <hash of the text of the checkpoint before>
    ledger <lines> <head>

`due never` stands in the last one of a gateway that ended as it should. So a record whose newest
checkpoint promises another one that never came was cut off, or its gateway was.
"""

from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from proctor.errors import ClientError
from proctor.evidence.ledger import Stand
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.text import decimal_of, hash_of
from proctor.tlog.tree import HASH_SIZE

FIRST: Final = bytes(HASH_SIZE)
_NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A checkpoint of the record.

    Attributes:
        origin: Which writer's.
        size: Records.
        root: Over their leaves.
        time: When, UTC.
        due: By when the next one is promised, or None where the gateway ended.
        after: Hash of the text of the one before, or FIRST.
        ledger: How far the ledger had come.
    """

    origin: str
    size: int
    root: bytes
    time: datetime
    due: datetime | None
    after: bytes
    ledger: Stand

    def __str__(self) -> str:
        """The note's text."""
        extensions = (
            f"time {_moment(self.time)}",
            f"due {_moment(self.due) if self.due else _NEVER}",
            f"after {b64encode(self.after).decode()}",
            f"ledger {self.ledger.count} {b64encode(self.ledger.head).decode()}",
        )
        return str(Checkpoint(self.origin, self.size, self.root, extensions))

    @property
    def hash(self) -> bytes:
        """What the next one says in `after`."""
        return sha256(str(self).encode()).digest()

    @classmethod
    def parse(cls, text: str) -> "Statement":
        """Reads a note's text.

        Raises:
            ClientError: Code `checkpoint-malformed`.
        """
        checkpoint = Checkpoint.parse(text)
        try:
            time, due, after, ledger = checkpoint.extensions
            count, _, head = _member(ledger, "ledger").partition(" ")
            until = _member(due, "due")
            statement = cls(
                origin=checkpoint.origin,
                size=checkpoint.size,
                root=checkpoint.root,
                time=datetime.fromisoformat(_member(time, "time")),
                due=None if until == _NEVER else datetime.fromisoformat(until),
                after=_known(hash_of(_member(after, "after"))),
                ledger=Stand(_known(decimal_of(count)), _known(hash_of(head))),
            )
            if str(statement) == text:
                return statement
        except (ValueError, OverflowError):
            pass  # said below
        raise ClientError(
            "checkpoint-malformed",
            "This is no checkpoint of a record",
            expected="lines with origin, size, root, time, due, after and ledger",
        )


def _member(line: str, name: str) -> str:
    if not line.startswith(f"{name} "):
        raise ValueError(name)
    return line[len(name) + 1 :]


def _known[T](found: T | None) -> T:
    if found is None:
        raise ValueError("no count, or no hash")
    return found


def _moment(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
