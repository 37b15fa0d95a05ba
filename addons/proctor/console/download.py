"""One session out of the console, as a file: for auditors and admins, who may not reach the store.

    POST /api/v1/record/exports   {session, principal, format, content} → the file
    POST /sessions/export         the same from the session's page, with all that was typed and seen

It is on record before anybody gets the first byte. More at once is for `proctor export`.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import Any, BinaryIO, cast

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import has_role
from proctor.approval.model import Reviewer, Role
from proctor.audit import find
from proctor.audit.reader import Reader
from proctor.audit.recorder import Recorder
from proctor.console.bodies import invalid, read_object
from proctor.console.house import House
from proctor.console.readings import SECONDS, Readings
from proctor.console.recordapi import upkeep_of
from proctor.console.rendering import form, person
from proctor.errors import ClientError
from proctor.export.oneoff import Form, Work, chosen
from proctor.export.records import Choice, plan

MOST_BYTES = 256 * 2**20
"""Of one file."""

_CHUNK = 256 * 1024
_LONGEST = 512


class Kind(StrEnum):
    """What a file can be."""

    NDJSON = "ndjson"
    HAR = "har"


_TYPES = {Kind.NDJSON: "application/x-ndjson", Kind.HAR: "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants."""

    session: str
    principal: str
    kind: Kind
    content: bool


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """The paths above."""

    async def api(request: Request) -> Response:
        names = {"session": str, "principal": str, "format": str, "content": bool}
        asked = read_object(await request.body(), names)
        return await _given(house, readings, person(request), _wish(asked))

    async def button(request: Request) -> Response:
        asked = {**await form(request), "content": True}
        return await _given(house, readings, person(request), _wish(asked))

    return [
        Route("/api/v1/record/exports", api, methods=["POST"]),
        Route("/sessions/export", button, methods=["POST"]),
    ]


def _wish(asked: Mapping[str, Any]) -> Wish:
    session, principal = asked.get("session", ""), asked.get("principal", "")
    if not 0 < len(session) <= _LONGEST or len(principal) > _LONGEST:
        raise invalid("no session", "session and principal as they are on record")
    try:
        kind = Kind(asked.get("format", Kind.NDJSON))
    except ValueError:
        raise invalid("another format", " or ".join(Kind)) from None
    # HAR has bodies in any case.
    content = asked.get("content", False) or kind is Kind.HAR
    return Wish(session=session, principal=principal, kind=kind, content=content)


async def _given(house: House, readings: Readings, reviewer: Reviewer, wish: Wish) -> Response:
    if refusal := has_role(reviewer, Role.AUDITOR, Role.ADMIN):
        raise refusal
    recorder = upkeep_of(house).recorder
    store = recorder.store.id()
    file = await asyncio.to_thread(_draft, house.state)
    try:
        rows = await readings.ask(lambda reader: _written(reader, store, wish, file), 0)
        await _put_on_record(recorder, reviewer, wish, rows)
    except BaseException:
        file.close()
        raise
    name = "".join(mark for mark in wish.session[:40] if mark.isascii() and mark.isalnum())
    return StreamingResponse(
        _chunks(file),
        media_type=_TYPES[wish.kind],
        headers={
            "content-disposition": f'attachment; filename="session-{name}.{wish.kind}"',
            "content-length": str(file.tell()),
            "cache-control": "no-store",
        },
        background=BackgroundTask(file.close),
    )


def _draft(folder: Path) -> BinaryIO:
    """A file without a name: it is gone with the process, whatever becomes of that."""
    return cast("BinaryIO", TemporaryFile(dir=folder))


async def _put_on_record(recorder: Recorder, reviewer: Reviewer, wish: Wish, rows: int) -> None:
    if not rows:
        raise find.empty()
    detail = {
        "by": reviewer.key,
        "format": wish.kind.value,
        "content": wish.content,
        "session": wish.session,
        "principal": wish.principal or None,
        "rows": rows,
        "to": "console",
    }
    await recorder.event("export", detail)


def _written(reader: Reader, store: str, wish: Wish, file: BinaryIO) -> int:
    """Write it; how many rows it has."""
    end = monotonic() + SECONDS

    def bounded() -> None:
        if monotonic() > end or file.tell() > MOST_BYTES:
            raise ClientError(
                code="export-too-large",
                message="This session is too large to be had from the console",
                expected=f"at most {MOST_BYTES >> 20} MiB, made within {SECONDS:g} s",
                hint="`proctor export --session` takes its time, where the record is.",
                status=413,
            )

    choice = Choice(session=wish.session, principal=wish.principal or None)
    work = Work(
        reader=reader,
        store=store,
        form=Form(wish.kind),
        content=wish.content,
        only=(wish.principal, wish.session),
    )
    rows = work.write(plan(reader, chosen(choice, work.form)), file, bounded)
    bounded()
    file.flush()
    return rows


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while chunk := await asyncio.to_thread(file.read, _CHUNK):
        yield chunk
