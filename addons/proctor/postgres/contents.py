"""The server's side where texts are looked at (the content tier): all that it says goes in line.

    server ─ pieces, in order ─ columns masked ─ looked at, in a thread ─ recorded ─ client

One task works the line off. The server is not read until it is through, so what waits is what came
in one read, and one row. What cannot be looked at ends the connection where texts are masked; where
they are only told of, it passes, and the record says of how many rows nothing is known.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proctor.errors import InternalError, ProctorError
from proctor.model import Finding
from proctor.postgres.back import Answering
from proctor.postgres.judge import copied_as
from proctor.postgres.masking.content import ContentRows, Looked
from proctor.postgres.masking.errors import strip, unmasked
from proctor.postgres.masking.rows import FieldDescription, read_row_description
from proctor.postgres.statements import Run
from proctor.postgres.wires import Wires
from proctor.protocols.postgres import fields
from proctor.protocols.postgres.fields import read_fields
from proctor.protocols.postgres.messages import HEAD, Back, Piece, message
from proctor.redaction.model import RedactionError
from proctor.runtime.tasks import spawn

logger = logging.getLogger(__name__)

MAX_ROWS: Final = 500
"""Rows that are looked at together."""

MAX_BYTES: Final = 2**20
"""Bytes of these; one row may have more."""

MAX_FOUND: Final = 200
"""Kinds of findings, by place, that the record of one statement names."""

_DATA: Final = frozenset({Back.DATA_ROW, Back.COPY_DATA})
_SAYING: Final = frozenset({Back.ERROR, Back.NOTICE, Back.NOTIFICATION, Back.PARAMETER_STATUS})
_BINARY: Final = 1


@dataclass(frozen=True, slots=True)
class _Look:
    """What the rows of one answer are looked at with."""

    description: bytes
    rows: ContentRows
    fields: Sequence[FieldDescription]


class Contents:
    """Looks at what the server says, and hands it on.

    Args:
        answering: Knows whose it is.
        looking: Makes what looks, for one answer.
        wires: To client and server.
        mask: What is found is taken out; else it is only told of.
        size: Bytes that may be looked at together.
        texts: OIDs of more types that are texts.
        put_out: Takes credentials of ours out of a piece.
        over: Told that the connection is to end, and why.
        sent: Told how many bytes went to the client.
    """

    def __init__(  # noqa: PLR0913 - what it stands between
        self,
        answering: Answering,
        looking: Callable[[], ContentRows],
        wires: Wires,
        *,
        mask: bool,
        size: int,
        texts: Callable[[], frozenset[int]],
        put_out: Callable[[Piece], Piece],
        over: Callable[[ProctorError], None],
        sent: Callable[[int], None],
    ) -> None:
        self._answering = answering
        self._looking = looking
        self._wires = wires
        self._mask = mask
        self._size = min(size, MAX_BYTES)
        self._texts = texts
        self._put_out = put_out
        self._over = over
        self._sent = sent
        self._line: deque[Piece] = deque()
        self._task: asyncio.Task[None] | None = None
        self._look: _Look | None = None
        self._ended = False

    @property
    def working(self) -> bool:
        """Whether something is being looked at."""
        return self._task is not None

    def take(self, pieces: Sequence[Piece]) -> None:
        """Take what came; what need not wait is handed on at once.

        Raises:
            ProctorError: It cannot be passed on, and nothing after it.
        """
        self._line.extend(pieces)
        if self._task is not None:
            return
        while self._line and not self._ended:
            if self._waits(self._line[0]):
                self._wires.pause_server()
                self._task = spawn(self._work(), name="looking at rows")
                return
            self._pass(self._put_out(self._line.popleft()))

    async def close(self) -> None:
        """Hand on nothing more; returns once nothing is looked at."""
        self._ended = True
        self._line.clear()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _waits(self, piece: Piece) -> bool:
        return piece.kind in _DATA or (self._mask and piece.kind in _SAYING)

    def _pass(self, piece: Piece) -> None:
        if piece.kind == Back.COPY_OUT and piece.body[:1] == bytes((_BINARY,)) and self._mask:
            copied_as("binary")
        self._tell(self._answering.take(piece))
        self._answering.wake()

    def _tell(self, data: bytes) -> None:
        if data and not self._ended:
            self._sent(len(data))
            self._wires.to_client(data)

    async def _work(self) -> None:
        try:
            while self._line and not self._ended:
                piece = self._put_out(self._line.popleft())
                if piece.kind in _DATA:
                    await self._rows(piece)
                elif piece.kind == Back.PARAMETER_STATUS:
                    # What stands in it for us is known as it came.
                    told = Piece(piece.kind, self._answering.take(piece), 1, starts=True)
                    self._tell((await self._said(told)).data)
                    self._answering.wake()
                else:
                    self._pass(await self._said(piece) if self._waits(piece) else piece)
        except ProctorError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("an answer could not be looked at", extra={"event": "pg.failed"})
            failure = InternalError("pg-failed", "An answer could not be looked at")
            self._fail(failure)
            raise failure from error
        finally:
            self._task = None
            self._wires.resume_server()

    def _fail(self, error: ProctorError) -> None:
        if not self._ended:
            self._ended = True
            self._line.clear()
            self._over(error)

    # Rows.

    async def _rows(self, piece: Piece) -> None:
        run = self._answering.whose(piece)
        if run is None:
            self._pass(piece)
            return
        for data, count in batches(self._answering.masked(run, piece), self._size):
            seen = await self._seen(run, piece.kind, data, count)
            if self._ended:
                return
            self._answering.saw(run, seen, count)
            self._tell(seen)

    async def _seen(self, run: Run, kind: int, data: bytes, count: int) -> bytes:
        """Rows as they go on.

        Raises:
            RedactionError: They could not be looked at, and nothing unseen may pass.
        """
        try:
            looked = await self._looked(run, kind, data)
        except RedactionError as error:
            if error.code == "redaction-hits" and count > 1:
                # Many rows with something in each are no attack on the detectors.
                parts = batches(data, 0, count // 2)
                return b"".join([await self._seen(run, kind, *each) for each in parts])
            if self._mask:
                raise
            if not run.unseen:
                logger.warning(
                    "Rows pass that were not looked at: %s",
                    error.code,
                    extra={"event": "postgres.unseen"},
                )
            run.unseen += count
            return data
        note(run, zip(looked.findings, looked.counts, strict=True))
        return looked.data

    async def _looked(self, run: Run, kind: int, data: bytes) -> Looked:
        if kind == Back.COPY_DATA:
            copies = run.judgement.statement.copies
            form = copies.format if copies is not None else ""
            if form not in {"text", "csv"}:
                raise RedactionError("redaction-decoder", "COPY in binary cannot be looked at")
            return await self._looking().copied(data, csv=form == "csv")
        look = self._look
        if look is None or look.description is not run.description:
            if not run.description:
                raise unmasked()
            found = read_row_description(run.description)
            look = self._look = _Look(run.description, self._looking(), found)
        return await look.rows.rows(data, look.fields, None, self._texts())

    # Errors, notices, notifications and settings.

    async def _said(self, piece: Piece) -> Piece:
        """The piece without what must not be seen."""
        looking = self._looking()
        try:
            if piece.kind == Back.NOTIFICATION:
                looked = await looking.notified(piece.body)
            elif piece.kind == Back.PARAMETER_STATUS:
                looked = await looking.parameter(piece.body)
            else:
                looked = await looking.said(piece.body)
        except RedactionError:
            if piece.kind in {Back.ERROR, Back.NOTICE}:
                return _wordless(piece)
            raise
        run = self._answering.running
        if run is not None:
            note(run, zip(looked.findings, looked.counts, strict=True))
        return piece if not looked.findings else _of(piece.kind, looked.data)


def batches(data: bytes, size: int, rows: int = MAX_ROWS) -> Iterator[tuple[bytes, int]]:
    """A run of messages in parts, and how many are in each.

    Args:
        data: Whole messages.
        size: Bytes of a part, if that is more than one message; 0 for any.
        rows: Messages of a part.
    """
    start = at = count = 0
    while at < len(data):
        end = at + 1 + HEAD.unpack_from(data, at)[1]
        if count and (count >= rows or (size and end - start > size)):
            yield data[start:at], count
            start, count = at, 0
        at = end
        count += 1
    if count:
        yield data[start:], count


def note(run: Run, found: Iterable[tuple[Finding, int]]) -> None:
    """Remember for the record what was found: by kind and place, and how often."""
    for finding, count in found:
        key = (finding.type, finding.location, finding.detector)
        known = run.found.get(key)
        if known is None:
            if len(run.found) < MAX_FOUND:
                run.found[key] = (finding, count)
            continue
        first, before = known
        if first.digest != finding.digest:
            first = replace(first, digest="")  # of several values
        run.found[key] = (first, before + count)


def _wordless(piece: Piece) -> Piece:
    hidden = strip(read_fields(piece.body))
    told = fields.error(hidden) if piece.kind == Back.ERROR else fields.notice(hidden)
    return Piece(piece.kind, told, 1, starts=True)


def _of(kind: int, body: bytes) -> Piece:
    return Piece(kind, message(kind, body), 1, starts=True)
