"""Sessions as they are on record: the conversation, its tool calls, and who decided what, in order.

Auditors and admins see every session, reviewers those in which something is held that they may see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, ApprovalError, Reviewer, Role
from proctor.audit import find
from proctor.audit.conversation import conversation
from proctor.audit.find import Target
from proctor.audit.reader import Reader
from proctor.audit.turns import Totals, Turn
from proctor.audit.wording import handed_on, place, same, title, unread, words
from proctor.console.compare import layout
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import page, person
from proctor.errors import ClientError

SHOWN = 100
"""Sessions in the list."""
TURNS = 40
"""Turns on one page."""
_TEXT = 20_000
_PAGES = 500
_NAME = 512
_MAX_APPROVALS = 500
_ALL = frozenset({Role.AUDITOR, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One page of a session.

    Attributes:
        approvals: What the store still knows of what was held, by id.
        first: Number of its first turn.
        count: Turns of the whole session.
    """

    totals: Totals
    turns: tuple[Turn, ...]
    approvals: Mapping[str, Approval]
    first: int
    count: int


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/sessions` and `/sessions/one`."""

    async def listed(request: Request) -> Response:
        reviewer = person(request)
        principal = request.query_params.get("principal", "")[:_NAME] or None
        none: list[dict[str, Any]] = []
        rows = await readings.ask(lambda reader: newest(reader, principal), none)
        everything = bool(reviewer.roles & _ALL)
        if not everything:
            seen = await allowed(house, reviewer)
            rows = [row for row in rows if (row["principal"], row["session_id"]) in seen]
        return await page(
            request,
            house,
            "sessions.html",
            {"rows": rows, "everything": everything, "principal": principal, "limit": SHOWN},
        )

    async def one(request: Request) -> Response:
        target = await permitted(request, house)
        name = target.session_id or ""
        first = number(request.query_params.get("from", "1"))
        known = await house.desk.approvals(person(request), session=name, limit=_MAX_APPROVALS)
        story = await readings.ask(lambda reader: tell(reader, target, first, known), None)
        if story is None:
            raise find.empty()
        return await page(
            request,
            house,
            "session.html",
            {
                "story": story,
                "step": TURNS,
                "layout": layout,
                "session": name,
                "title": title,
                "place": place,
                "unread": unread,
                "words": words,
                "same": same,
                "handed_on": handed_on,
            },
        )

    return [Route("/sessions", listed), Route("/sessions/one", one)]


async def permitted(request: Request, house: House) -> Target:
    """The session that a request names by `id` and `principal`, if this person may see it.

    Raises:
        ApprovalError: `approval-role` (403): they may not.
    """
    query = request.query_params
    target = Target(principal=query.get("principal", ""), session_id=query.get("id", ""))
    await seen_by(house, person(request), target)
    return target


async def seen_by(house: House, reviewer: Reviewer, target: Target) -> None:
    """Refuse a session that this person may not see.

    Raises:
        ApprovalError: `approval-role` (403).
    """
    if reviewer.roles & _ALL:
        return
    if (target.principal, target.session_id) not in await allowed(house, reviewer):
        raise ApprovalError(
            code="approval-role",
            message="You may not see this session",
            got=", ".join(sorted(reviewer.roles)),
            expected="auditor or admin, or a held action in it that you may see",
            status=403,
        )


def newest(reader: Reader, principal: str | None) -> list[dict[str, Any]]:
    """The sessions that began last."""
    return list(find.sessions(reader, principal=principal, since=None, limit=SHOWN))


async def allowed(house: House, reviewer: Reviewer) -> set[tuple[str, str]]:
    """The sessions, by principal and name, in which something is held that this person may see."""
    found = await house.desk.approvals(reviewer)
    return {(each.asking.principal, each.asking.session) for each in found if each.asking.session}


def tell(reader: Reader, target: Target, first: int, known: Sequence[Approval]) -> Story:
    """One page of a session, from its turn `first` on.

    Args:
        reader: The record.
        target: The session.
        first: Number of the first turn shown, from 1.
        known: What the store knows of what was held in it.

    Raises:
        ClientError: `session-unknown`, `turn-unknown`.
    """
    talk = conversation(reader, target)
    if not 0 < first <= len(talk):
        raise ClientError(
            code="turn-unknown",
            message="The session has no such turn",
            expected=f"1 to {len(talk)}",
            status=404,
        )
    # Several short readings: what lies before the page is not read at all.
    numbers = range(first, min(len(talk), first + TURNS - 1) + 1)
    turns = (
        list(islice(talk.turns(limit=_TEXT), TURNS))
        if first == 1
        else [turn for n in numbers for turn in talk.turns(limit=_TEXT, only=n)]
    )
    return Story(
        totals=talk.totals,
        turns=tuple(turns),
        approvals={each.id: each for each in known if each.asking.principal == target.principal},
        first=first,
        count=len(talk),
    )


def number(text: str) -> int:
    """A turn's number out of an address; 1 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 1


_DIGITS = 9
