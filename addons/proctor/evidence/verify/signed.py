"""A writer's checkpoints: signed, in order, each after the one before, and none left out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from proctor.audit.envelope import timestamp
from proctor.errors import ClientError
from proctor.evidence import sealer
from proctor.evidence.keys import origin_of
from proctor.evidence.statement import FIRST, Statement
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.snapshot import WriterFiles
from proctor.evidence.verify.trust import TrustedKey
from proctor.tlog.note import Note, VerifierKey, parse_note

SLACK: Final = timedelta(seconds=10)
"""So much later than promised a checkpoint may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One checkpoint.

    Attributes:
        statement: What it says.
        where: A line of the file, or the name of what was kept elsewhere.
        good: Whether its signature holds, and it follows the one before.
    """

    statement: Statement
    where: str
    good: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A checkpoint that came later than promised.

    Attributes:
        before: The last one before it.
        after: The first one after it.
    """

    before: Statement
    after: Statement


@dataclass(slots=True, kw_only=True)
class SealedLog:
    """A writer's checkpoints.

    Attributes:
        sealed: In order.
        gaps: Times without any; what the record says of them is looked up later.
        key: Number of the key that signed the newest, or None.
    """

    sealed: list[Sealed]
    gaps: list[Gap]
    key: int | None = None

    @property
    def last(self) -> Statement | None:
        """The newest that is good."""
        return next((each.statement for each in reversed(self.sealed) if each.good), None)


def moment(when: datetime) -> str:
    """As records write it."""
    return timestamp(when.timestamp())


def read_log(
    writer: WriterFiles,
    *,
    store_id: str,
    keys: Sequence[TrustedKey],
    now: datetime,
    findings: Findings,
) -> SealedLog:
    """Reads and checks a writer's checkpoints.

    Args:
        writer: Whose.
        store_id: The record's name.
        keys: Who may sign.
        now: As of when the newest one's promise is judged.
        findings: Takes what is wrong.
    """
    reader = _Reader(writer, store_id, keys, findings)
    data = writer.checkpoints
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    notes = [reader.read(number, line) for number, line in enumerate(lines, 1)]
    log = reader.link(notes)
    last = log.last
    running = last is not None and last.due is not None and now <= last.due + SLACK
    if whole < len(data) and not running:
        findings.notice(
            "checkpoint-torn",
            "The last checkpoint was cut short while it was written",
            writer=writer.name,
            file=reader.file,
            at=f"byte {whole}",
        )
    if last is None:
        findings.problem(
            "not-signed",
            "No checkpoint of this writer can be relied on: its records prove nothing",
            writer=writer.name,
            file=reader.file,
        )
    elif last.due is not None and not running:
        findings.problem(
            "ended-unannounced",
            "The record ends without saying so: it was cut off, or copied, or its gateway killed",
            writer=writer.name,
            seq=last.size,
            time=moment(last.time),
            file=reader.file,
            expected=f"another checkpoint by {moment(last.due)}",
            found="none",
        )
    return log


class _Reader:
    """Reads one file."""

    def __init__(
        self, writer: WriterFiles, store_id: str, keys: Sequence[TrustedKey], findings: Findings
    ) -> None:
        self.file = f"writers/{writer.name}/{sealer.NAME}"
        self._writer = writer.name
        self._origin = origin_of(store_id, writer.name) if store_id else ""
        self._keys = [(VerifierKey(self._origin or "?", key.public), key) for key in keys]
        self._findings = findings

    def read(self, number: int, line: bytes) -> tuple[Note, Statement] | None:
        """One line."""
        try:
            text = json.loads(line)
            if not isinstance(text, str) or json.dumps(text).encode() != line:
                raise ValueError("not as it was written")  # noqa: TRY301 - said once, below
            note = parse_note(text)
            return note, Statement.parse(note.text)
        except (ClientError, ValueError, RecursionError):
            self._problem("checkpoint-unreadable", "A checkpoint cannot be read", number)
            return None

    def link(self, notes: Sequence[tuple[Note, Statement] | None]) -> SealedLog:
        """Checks what each says of the one before, and who signed it."""
        log = SealedLog(sealed=[], gaps=[])
        before: Statement | None = None
        after, highest = FIRST, 0
        for number, each in enumerate(notes, 1):
            if each is None:
                before = None
                continue
            note, said = each
            good = said.origin == self._origin
            if not good:
                self._problem(
                    "checkpoint-foreign",
                    "A checkpoint is another record's",
                    number,
                    expected=self._origin,
                    found=said.origin,
                )
            if said.after != after and (before or number == 1):
                good = False
                self._problem(
                    "checkpoint-chain",
                    "A checkpoint does not follow the one before: one was taken out, put in or"
                    " changed",
                    number,
                    time=moment(said.time),
                )
            if before:
                good &= self._order(number, before, said, log)
            key = self._signer(number, note, said, highest)
            good &= key is not None
            highest = max(highest, key or 0)
            log.sealed.append(Sealed(statement=said, where=f"line {number}", good=good))
            before, after = said, sha256(note.text.encode()).digest()
        log.key = highest if log.last else None
        return log

    def _order(self, number: int, before: Statement, said: Statement, log: SealedLog) -> bool:
        """Whether a checkpoint can come after another."""
        if said.size < before.size or said.ledger.count < before.ledger.count:
            self._problem(
                "checkpoint-backwards",
                "A checkpoint covers less than the one before",
                number,
                seq=said.size,
                expected=f"at least {before.size} records",
                found=str(said.size),
            )
            return False
        if said.size == before.size and said.root != before.root:
            self._problem(
                "forked",
                "Two checkpoints of one size have different roots: two histories were signed",
                number,
                seq=said.size,
            )
            return False
        if said.time < before.time:
            self._findings.notice(
                "clock-back",
                "The clock went back between two checkpoints",
                writer=self._writer,
                file=self.file,
                at=f"line {number}",
                time=moment(said.time),
                expected=f"not before {moment(before.time)}",
            )
        if before.due is not None and said.time > before.due + SLACK:
            log.gaps.append(Gap(before=before, after=said))
        return True

    def _signer(self, number: int, note: Note, said: Statement, highest: int) -> int | None:
        """Number of the key that signed it."""
        key = next(
            (key for own, key in self._keys if len(note.signatures) == 1 and note.signed_by(own)),
            None,
        )
        if key is None:
            self._problem(
                "signature-wrong",
                "A checkpoint is not signed by a key of the record",
                number,
                time=moment(said.time),
            )
            return None
        if key.number < highest or not key.covers(said.time):
            self._problem(
                "key-out-of-time",
                "A checkpoint is signed by a key that was not in force",
                number,
                time=moment(said.time),
                expected=f"the key in force at that time, or number {highest} or later",
                found=f"key number {key.number}",
            )
            return None
        return key.number

    def _problem(self, code: str, what: str, number: int, **more: str | int | None) -> None:
        self._findings.problem(
            code, what, writer=self._writer, file=self.file, at=f"line {number}", **more
        )
