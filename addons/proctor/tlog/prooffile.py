"""Proofs as files that need nothing else but a public key.

Inclusion is a C2SP tlog-proof, whose extra data is the record itself as it is stored:

    c2sp.org/tlog-proof@v1
    extra <base64 of the record>
    index <seq>
    <base64 hash> …
    (empty line)
    <checkpoint, with its signatures>

Consistency is what a witness is sent (C2SP tlog-witness, add-checkpoint):

    old <size>
    <base64 hash> …
    (empty line)
    <checkpoint, with its signatures>
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import ClientError
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.note import MAX_NOTE, Note, VerifierKey, parse_note
from proctor.tlog.proof import MAX_HASHES, check_consistency, check_inclusion
from proctor.tlog.text import base64_bytes, decimal_of, hash_of
from proctor.tlog.tree import leaf_hash

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
MAX_EXTRA: Final = 16 * 2**20
"""Bytes of a record in a proof."""

MAX_INCLUSION: Final = MAX_EXTRA * 4 // 3 + MAX_NOTE + 64 * 1024
"""Characters of a file."""

MAX_CONSISTENCY: Final = MAX_NOTE + 8 * 1024
"""Characters of a file, or of what a witness is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionFile:
    """That a record is in a log.

    Attributes:
        index: Its place, from 0.
        proof: Hashes from the leaf's sibling upwards.
        note: The checkpoint it leads to, with its signatures; not verified yet.
        extra: The record; None if the file does not hold it.
    """

    index: int
    proof: tuple[bytes, ...]
    note: Note
    extra: bytes | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """The file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {b64encode(self.extra).decode()}")
        lines += [f"index {self.index}", *_written(self.proof)]
        return "".join(f"{line}\n" for line in lines) + f"\n{self.note}"

    def check(self, key: VerifierKey, record: bytes | None = None) -> Checkpoint:
        """Refuses a file that proves nothing to whoever trusts `key`.

        Args:
            key: Of the log; its name is the origin.
            record: What is to be in the log; None for what the file holds.

        Returns:
            The checkpoint that the record is under.

        Raises:
            ClientError: Codes `checkpoint-malformed`, `checkpoint-unsigned`, `proof-wrong`,
                `proof-empty`.
        """
        found = checked(self.note, key)
        data = self.extra if record is None else record
        if data is None:
            raise ClientError(
                "proof-empty",
                "The proof does not hold the record that it is about",
                expected="the record, given beside it",
            )
        check_inclusion(leaf_hash(data), self.index, found.size, self.proof, found.root)
        return found

    @classmethod
    def parse(cls, text: str) -> "InclusionFile":
        """Reads a file; verifies nothing.

        Raises:
            ClientError: Codes `proof-malformed`, `note-malformed`.
        """
        head, note = _parted(text, MAX_INCLUSION, "a file")
        lines = iter(head)
        if next(lines) != HEADER:
            raise _malformed("another first line", HEADER)
        line = next(lines, "")
        extra = None
        if line.startswith("extra "):
            extra = base64_bytes(line.removeprefix("extra "))
            if extra is None or len(extra) > MAX_EXTRA:
                raise _malformed("extra data that cannot be read", "base64 of at most 16 MiB")
            line = next(lines, "")
        index = _number(line, "index ")
        return cls(index=index, proof=_hashes(list(lines)), note=note, extra=extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyFile:
    """That a log only grew since it had `old` leaves.

    Attributes:
        old: Leaves before.
        proof: Hashes.
        note: The checkpoint now, with its signatures; not verified yet.
    """

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        """The file, and what a witness is sent."""
        lines = [f"old {self.old}", *_written(self.proof)]
        return "".join(f"{line}\n" for line in lines) + f"\n{self.note}"

    def check(self, key: VerifierKey, older: Note) -> Checkpoint:
        """Refuses a file that does not lead from an older checkpoint to this one.

        Args:
            key: Of the log; its name is the origin.
            older: The checkpoint that was kept, with its signatures.

        Returns:
            The newer checkpoint.

        Raises:
            ClientError: Codes `checkpoint-malformed`, `checkpoint-unsigned`, `proof-wrong`.
        """
        before, now = checked(older, key), checked(self.note, key)
        if before.size != self.old:
            raise ClientError(
                "proof-wrong",
                "The proof begins elsewhere",
                got=f"old {self.old}",
                expected=f"old {before.size}, the size of the older checkpoint",
                status=422,
            )
        check_consistency(before.size, before.root, now.size, now.root, self.proof)
        return now

    @classmethod
    def parse(cls, text: str) -> "ConsistencyFile":
        """Reads a file; verifies nothing.

        Raises:
            ClientError: Codes `proof-malformed`, `note-malformed`.
        """
        head, note = _parted(text, MAX_CONSISTENCY, "a request")
        return cls(old=_number(head[0], "old "), proof=_hashes(head[1:]), note=note)


def checked(note: Note, key: VerifierKey) -> Checkpoint:
    """The checkpoint of a note that `key` signed, the name of the key being the origin.

    Raises:
        ClientError: Codes `checkpoint-malformed`, `checkpoint-unsigned`.
    """
    found = Checkpoint.parse(note.text)
    if found.origin != key.name or not note.signed_by(key):
        raise ClientError(
            "checkpoint-unsigned",
            "The checkpoint is not signed by the key that is trusted",
            expected=f"a signature by {key.name}",
            status=403,
        )
    return found


def _parted(text: str, most: int, what: str) -> tuple[list[str], Note]:
    if len(text) > most:
        raise _malformed(f"{what} that is too large", f"at most {most} characters")
    head, parting, note = text.partition("\n\n")
    if not parting:
        raise _malformed("no empty line before the checkpoint", "lines, an empty one, a checkpoint")
    return head.split("\n"), parse_note(note)


def _number(line: str, begins: str) -> int:
    found = decimal_of(line.removeprefix(begins)) if line.startswith(begins) else None
    if found is None:
        raise _malformed("another line", f"`{begins}` and a number")
    return found


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MAX_HASHES:
        raise _malformed(f"{len(lines)} hashes", f"at most {MAX_HASHES}")
    found = []
    for line in lines:
        raw = hash_of(line)
        if raw is None:
            raise _malformed("a line that is no hash", "32 bytes in base64")
        found.append(raw)
    return tuple(found)


def _written(proof: Sequence[bytes]) -> list[str]:
    return [b64encode(each).decode() for each in proof]


def _malformed(got: str, expected: str) -> ClientError:
    return ClientError("proof-malformed", "This is no proof", got=got, expected=expected)
