"""What a witness answers (C2SP tlog-witness): bytes in, status and bytes out."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from proctor.console.limits import Limiter
from proctor.errors import ClientError, InternalError
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import Cosigner
from proctor.tlog.note import Note, VerifierKey
from proctor.tlog.proof import check_consistency
from proctor.tlog.prooffile import ConsistencyFile
from proctor.tlog.tree import EMPTY_ROOT
from proctor.witness.kept import Head, Kept

log = logging.getLogger(__name__)

MAX_TEXT: Final = 4096
"""Characters of a checkpoint; all that was ever signed is kept."""

PER_MINUTE: Final = 120
"""Checkpoints of one log; gateways send at most one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: Its status.
        body: Its text.
        kind: Its content type.
    """

    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


class Witness:
    """One witness. Its methods may be called by several threads."""

    def __init__(
        self,
        kept: Kept,
        cosigner: Cosigner,
        *,
        keys_for: Callable[[str], tuple[VerifierKey, ...]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read or written yet.

        Args:
            kept: What was signed before.
            cosigner: Who signs.
            keys_for: The keys of a log, by its origin; none for a log that is not known.
            clock: The time, UTC.
            monotonic: Seconds that never step.
        """
        self._kept = kept
        self._cosigner = cosigner
        self._keys_for = keys_for
        self._clock = clock
        # The size is looked at and replaced by one request at a time (add-checkpoint, the race).
        self._turn = threading.Lock()
        # Each is written and kept for good, so one log cannot take the disk from all others.
        self._often = Limiter(
            burst=PER_MINUTE, per_minute=PER_MINUTE, monotonic=monotonic, what="checkpoints"
        )

    def add(self, body: bytes) -> Answer:
        """POST /add-checkpoint."""
        origin = ""
        try:
            request = ConsistencyFile.parse(body.decode())
            origin = request.note.text.partition("\n")[0]
            with self._turn:
                return self._add(request, origin)
        except UnicodeDecodeError:
            return Answer(status=400, body="[proof-malformed] This is not UTF-8.\n")
        except (ClientError, InternalError) as error:
            level = logging.ERROR if error.status in {422, 503} else logging.WARNING
            log.log(
                level,
                "A checkpoint was not signed: %s",
                error,
                extra={"event": "witness.refused", "origin": origin[:256], "code": error.code},
            )
            return Answer(status=error.status, body=f"[{error.code}] {error}\n")

    def latest(self, name: str) -> str | None:
        """The latest note of a log, by the SHA-256 of its origin; None if nothing was signed."""
        with self._turn:
            head = self._kept.head_named(name)
        return None if head is None else head.note

    def heads(self) -> list[Head]:
        """Where all logs are."""
        with self._turn:
            return self._kept.heads()

    def history(self, origin: str) -> Iterator[bytes] | None:
        """All notes of a log, a JSON string a line, in parts; None if nothing was signed."""
        with self._turn:
            head = self._kept.head(origin)
        return None if head is None else self._kept.history(head)

    def _add(self, request: ConsistencyFile, origin: str) -> Answer:
        # In the order of the specification: who (404, 403), then what (400, 409, 422).
        keys = self._keys_for(origin)
        if not keys:
            raise ClientError(
                "log-unknown",
                "This witness does not know the log",
                hint="Its operator adds it with `proctor witness log add`.",
                status=404,
            )
        by = _signed(request.note, keys)
        if len(request.note.text) > MAX_TEXT:
            raise ClientError(
                "body-too-large",
                "The checkpoint is too large",
                got=f"{len(request.note.text)} characters",
                expected=f"at most {MAX_TEXT}",
                status=413,
            )
        self._often.take(origin)
        found = Checkpoint.parse(request.note.text)
        head = self._kept.head(origin)
        size, root = (
            (0, EMPTY_ROOT) if head is None else (head.checkpoint.size, head.checkpoint.root)
        )
        if request.old > found.size:
            raise ClientError(
                "old-size-wrong",
                "The old size is larger than the checkpoint",
                got=str(request.old),
                expected=f"at most {found.size}",
            )
        if request.old != size:
            return Answer(status=409, body=f"{size}\n", kind="text/x.tlog.size")
        check_consistency(size, root, found.size, found.root, request.proof)
        signature = self._cosigner.sign(request.note.text, int(self._clock().timestamp()))
        # The log's own signatures only: whatever else came along is nothing we looked at.
        own = tuple(each for each in request.note.signatures if (each.name, each.key_id) in by)
        if head is None or not head.note.startswith(f"{request.note.text}\n"):
            self._kept.append(str(Note(request.note.text, (*own, signature))))
        log.info(
            "A checkpoint was signed",
            extra={"event": "witness.signed", "origin": origin, "size": found.size},
        )
        return Answer(status=200, body=signature.line())


def _signed(note: Note, keys: tuple[VerifierKey, ...]) -> set[tuple[str, bytes]]:
    """Who of these signed a note.

    Raises:
        ClientError: Code `checkpoint-unsigned`: nobody, or a line of theirs does not verify.
    """
    named = {(each.name, each.key_id) for each in note.signatures}
    found = [key for key in keys if (key.name, key.id) in named]
    if not found or not all(note.signed_by(key) for key in found):
        raise ClientError(
            "checkpoint-unsigned",
            "The checkpoint is not signed by the key that is trusted",
            expected=f"a signature by {keys[0].name}",
            status=403,
        )
    return {(key.name, key.id) for key in found}
