"""What the gateway's key signs of a copy: when it was made, of what, and how far that had come.

    proctor/<id>/copy
    time 2026-11-22T14:00:00.000000Z
    of <SHA-256 of bundle.json or backup.json>
    w0 <SHA-256 of the text of the writer's newest checkpoint; 32 zero bytes if there is none>
       <SHA-256 of the SHA-256 of its ledger and of each journal>, on the same line

Without it anybody could cut a record short and say that it is an older copy.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.envelope import timestamp
from proctor.audit.store import Store
from proctor.errors import ClientError
from proctor.evidence import ledger, sealer
from proctor.evidence.copying import write
from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.statement import FIRST
from proctor.tlog.note import Signer, signed
from proctor.tlog.text import hash_of

NAME: Final = "copy.note"
JOURNAL: Final = re.compile(r"\d{1,9}\.jsonl", re.ASCII)
_WRITER = re.compile(r"w\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyNote:
    """What is signed of a copy.

    Attributes:
        origin: Under which name.
        time: When it was made, UTC.
        of: SHA-256 of the file that says what it is.
        writers: Of each, the hash of its newest checkpoint's text, or FIRST, and `hash_of_files`.
    """

    origin: str
    time: datetime
    of: bytes
    writers: dict[str, tuple[bytes, bytes]]

    def __str__(self) -> str:
        """The note's text."""
        lines = [self.origin, f"time {timestamp(self.time.timestamp())}", f"of {_text(self.of)}"]
        lines += [
            f"{name} {_text(newest)} {_text(head)}"
            for name, (newest, head) in sorted(self.writers.items())
        ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "CopyNote":
        """Reads a note's text.

        Raises:
            ClientError: Code `copy-malformed`.
        """
        try:
            origin, time, of, *rest = text.split("\n")[:-1]
            triples = [line.split(" ") for line in rest]
            found = cls(
                origin=origin,
                time=datetime.fromisoformat(time.removeprefix("time ")),
                of=hash_of(of.removeprefix("of ")) or b"",
                writers={
                    name: (hash_of(newest) or b"", hash_of(head) or b"")
                    for name, newest, head in triples
                },
            )
            if all(map(_WRITER.fullmatch, found.writers)) and str(found) == text:
                return found
        except (ValueError, OverflowError, OSError):
            pass  # said below
        raise ClientError(
            "copy-malformed",
            "This is no statement about a copy",
            expected="lines with origin, time, of, and each writer's newest checkpoint",
        )


def origin_of_copies(store_id: str) -> str:
    """The name under which a record's key speaks of copies."""
    return f"proctor/{store_id}/copy"


def hash_of_files(book: bytes, journals: Iterable[bytes]) -> bytes:
    """One hash over a writer's ledger and its journals, the latter in the order of their names."""
    parts = (sha256(data).digest() for data in (book, *journals))
    return sha256(b"".join(parts)).digest()


def key_at_hand(state: Path) -> Ed25519PrivateKey | None:
    """The record's key, where there is one.

    Raises:
        ConfigurationError: Codes `store-open-to-others`, `record-key-unreadable`.
    """
    try:
        return read_key(state / KEY_FILE)
    except FileNotFoundError:
        return None


def sign(root: Path, name: str, key: Ed25519PrivateKey, now: float) -> None:
    """Signs a copy that is whole but for this.

    Args:
        root: Its folder.
        name: Of the file in it that says what it is.
        key: The one in force.
        now: Seconds since the epoch.

    Raises:
        ClientError: A newest checkpoint is none.
        OSError: The disk does not give or take it.
    """
    store = Store.at(root)
    origin = origin_of_copies(store.id())
    note = CopyNote(
        origin=origin,
        time=datetime.fromtimestamp(now, UTC),
        of=sha256((root / name).read_bytes()).digest(),
        writers={path.name: _stand(path) for path in store.writers.iterdir()},
    )
    write(root / NAME, str(signed(str(note), [Signer(origin, key)])).encode())


def _stand(folder: Path) -> tuple[bytes, bytes]:
    last = sealer.newest(folder)
    book = folder / ledger.NAME
    journals = sorted(path for path in folder.iterdir() if JOURNAL.fullmatch(path.name))
    return last.hash if last else FIRST, hash_of_files(
        book.read_bytes() if book.exists() else b"", (path.read_bytes() for path in journals)
    )


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()
