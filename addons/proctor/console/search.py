"""Searching the record: what was typed, said, called and given back, the newest first.

Auditors and admins find everything, reviewers what is in sessions in which something is held that
they may see.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import ApprovalError, Role
from proctor.audit.conversation import conversation
from proctor.audit.find import Target
from proctor.audit.reader import Reader
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import address, page, person
from proctor.console.timeline import allowed
from proctor.errors import ClientError
from proctor.search.documents import Part
from proctor.search.finding import MAX_SKIP, Filters, Result, search
from proctor.search.query import parse
from proctor.search.shelf import Shelf

SHOWN = 20
"""Results on one page."""
_FIELD = 512
_DIGITS = 6
_ALL = frozenset({Role.AUDITOR, Role.ADMIN})
_NAMES = (
    "q", "principal", "session", "in", "tool", "verdict", "entity", "since", "until",
)  # fmt: skip
_VERDICTS = ("allow", "hold", "deny")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the page shows."""

    results: Sequence[Result] = ()
    more: bool = False
    problem: ClientError | None = None
    asked: Mapping[str, str] = field(default_factory=dict[str, str])


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/search`, and `/search/open`, which leads to where a result stands."""
    shelf = Shelf()

    async def listed(request: Request) -> Response:
        reviewer = person(request)
        everything = bool(reviewer.roles & _ALL)
        asked = {name: request.query_params.get(name, "")[:_FIELD].strip() for name in _NAMES}
        skip = _number(request.query_params.get("skip", ""))
        found = Found(asked=asked)
        if asked["q"]:
            within = None if everything else frozenset(await allowed(house, reviewer))
            found = await _found(house, asked, within, skip, shelf)
        return await page(
            request,
            house,
            "search.html",
            {
                "found": found,
                "everything": everything,
                "skip": skip,
                "step": SHOWN,
                "parts": list(Part),
                "verdicts": _VERDICTS,
                "oneline": lambda text: _BLANKS.sub(" ", text),
            },
        )

    async def opened(request: Request) -> Response:
        reviewer = person(request)
        given = {name: request.query_params.get(name, "") for name in ("id", "principal", "flow")}
        one = (given["principal"], given["id"])
        if not reviewer.roles & _ALL and one not in await allowed(house, reviewer):
            raise ApprovalError(
                code="approval-role",
                message="You may not see this session",
                got=", ".join(sorted(reviewer.roles)),
                expected="auditor or admin, or a held action in it that you may see",
                status=403,
            )
        target = Target(principal=given["principal"], session_id=given["id"])
        number = await readings.ask(lambda reader: _turn(reader, target, given["flow"]), None)
        turn = str(number or 1)
        there = address(
            "/sessions/one", id=given["id"], principal=given["principal"], **{"from": turn}
        )
        return RedirectResponse(f"{there}#turn-{turn}", status_code=303)

    return [Route("/search", listed), Route("/search/open", opened)]


async def _found(
    house: House,
    asked: Mapping[str, str],
    within: frozenset[tuple[str, str]] | None,
    skip: int,
    shelf: Shelf,
) -> Found:
    try:
        query = parse(asked["q"])
        filters = Filters(
            principal=asked["principal"] or None,
            session=asked["session"] or None,
            tool=asked["tool"] or None,
            verdict=_one_of(asked["verdict"], _VERDICTS),
            entity=asked["entity"] or None,
            part=Part(part) if (part := _one_of(asked["in"], tuple(Part))) else None,
            since=_moment(asked["since"]),
            until=_moment(asked["until"]),
            within=within,
        )
    except ClientError as error:
        return Found(asked=asked, problem=error)

    try:
        results = await asyncio.to_thread(
            search, house.record, query, filters, limit=SHOWN + 1, skip=skip, shelf=shelf
        )
    except ClientError as error:  # it took too long
        return Found(asked=asked, problem=error)
    more = len(results) > SHOWN and skip + SHOWN <= MAX_SKIP
    return Found(asked=asked, results=results[:SHOWN], more=more)


def _turn(reader: Reader, target: Target, flow_id: str) -> int | None:
    """The number of the turn that is this exchange."""
    talk = conversation(reader, target)
    try:
        return talk.number(flow_id)
    except StopIteration:
        return None


def _one_of(text: str, known: Sequence[str]) -> str | None:
    if text and text not in known:
        raise _wrong("A filter has a value that it cannot have", " or ".join(known))
    return text or None


def _moment(text: str) -> datetime | None:
    """A time as the browser's own field gives it, in UTC."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise _wrong("A time cannot be read", "such as 2026-01-31T08:00") from None


def _wrong(message: str, expected: str) -> ClientError:
    return ClientError(code="search-malformed", message=message, expected=expected)


def _number(text: str) -> int:
    known = text.isascii() and text.isdecimal() and len(text) < _DIGITS
    return min(int(text), MAX_SKIP) if known else 0
