"""Sessions as they are on record: the conversation, its tool calls, and who decided what, in order.

Auditors and admins see every session, reviewers those in which something is held that they may see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, ApprovalError, Reviewer, Role
from proctor.audit import find
from proctor.audit.conversation import conversation
from proctor.audit.find import Target
from proctor.audit.reader import Content, Reader
from proctor.audit.results import left_out, padded, read_result, short
from proctor.audit.turns import Totals, Turn
from proctor.audit.wording import handed_on, parameters, place, same, title, unread, words
from proctor.console.compare import layout
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import page, person
from proctor.errors import ClientError

SHOWN = 100
"""Sessions in the list."""
TURNS = 40
"""Turns on one page."""
STATEMENTS = 50
"""Statements of one connection to a database, or messages of a WebSocket, on one page."""
ALL_STATEMENTS = 200
"""Of all connections on one page."""
_ROWS, _COLUMNS, _CELL = 50, 30, 300
_PARAMETERS = 50
_TEXT = 20_000
_PAGES = 500
_NAME = 512
_MAX_APPROVALS = 500
_ALL = frozenset({Role.AUDITOR, Role.ADMIN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a statement gave back, as it is shown.

    Attributes:
        text: Where it is no table.
        head: Names of columns.
        rows: Values, each on one line; None for null.
        notes: What is left out, in words.
    """

    text: str = ""
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One page of a session.

    Attributes:
        approvals: What the store still knows of what was held, by id.
        first: Number of its first turn.
        target: What it is of.
        count: Turns of the whole session.
    """

    totals: Totals
    turns: tuple[Turn, ...]
    approvals: Mapping[str, Approval]
    first: int
    target: Target
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
        after = number(request.query_params.get("statement", "1")) - 1
        known = await house.desk.approvals(person(request), session=name, limit=_MAX_APPROVALS)
        story = await readings.ask(
            lambda reader: tell(reader, target, first, known, after=max(0, after)), None
        )
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
                "chosen": chosen(target),
                "statements": STATEMENTS,
                "table": table,
                "parameters": lambda found: parameters(found, limit=_PARAMETERS, cell=_CELL),
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
    """What a request names by `id` and `principal`, if this person may see it.

    With `flow` it is an exchange of no session, such as a connection to a database.

    Raises:
        ApprovalError: `approval-role` (403): they may not.
    """
    query = request.query_params
    who = query.get("principal", "")
    target = Target(principal=who, session_id=query.get("id", ""))
    if "flow" in query:
        target = Target(principal=who, flow_id=query["flow"][:_NAME])
    await seen_by(house, person(request), target)
    return target


def chosen(target: Target) -> dict[str, str]:
    """What `permitted` takes, as it stands in an address."""
    named = {"id": target.session_id or ""}
    if target.session_id is None:
        named = {"flow": target.flow_id or ""}
    return {**named, "principal": target.principal or ""}


async def seen_by(house: House, reviewer: Reviewer, target: Target) -> None:
    """Refuse a session that this person may not see.

    Raises:
        ApprovalError: `approval-role` (403).
    """
    if reviewer.roles & _ALL:
        return
    if target.session_id is None:
        found = await house.desk.approvals(reviewer)
        flows = {(each.asking.principal, each.asking.flow_id) for each in found}
        seen = (target.principal, target.flow_id) in flows
    else:
        seen = (target.principal, target.session_id) in await allowed(house, reviewer)
    if not seen:
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


def tell(
    reader: Reader, target: Target, first: int, known: Sequence[Approval], *, after: int = 0
) -> Story:
    """One page of a session, from its turn `first` on.

    Args:
        reader: The record.
        target: The session.
        first: Number of the first turn shown, from 1.
        known: What the store knows of what was held in it.
        after: So many statements, or messages, of the first turn's are on earlier pages.

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
        list(islice(talk.turns(limit=_TEXT, statements=STATEMENTS, after=after), TURNS))
        if first == 1
        else [
            turn
            for n in numbers
            for turn in talk.turns(
                limit=_TEXT, only=n, statements=STATEMENTS, after=after if n == first else 0
            )
        ]
    )
    return Story(
        totals=talk.totals,
        turns=_fewer(turns),
        approvals={each.id: each for each in known if each.asking.principal == target.principal},
        first=first,
        target=target,
        count=len(talk),
    )


def _fewer(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns, with as many statements and messages as a page has room for."""
    left = ALL_STATEMENTS
    found: list[Turn] = []
    for turn in turns:
        shown, heard = turn.statements[:left], turn.messages[:left]
        found.append(replace(turn, statements=shown, messages=heard))
        left -= len(shown) + len(heard)
    return tuple(found)


def table(content: Content) -> Table | None:
    """A result laid out, or None where there is nothing of it to show."""
    found = read_result(content)
    if found is None or isinstance(found, str):
        return Table(text=found) if found else None
    width = min(found.width(), _COLUMNS)
    return Table(
        head=[short(name, _CELL) for name in padded(found.columns, width)],
        rows=[
            [None if each is None else short(each, _CELL) for each in padded(row, width)]
            for row in found.rows[:_ROWS]
        ],
        notes=left_out(found, rows=_ROWS, columns=_COLUMNS),
    )


def number(text: str) -> int:
    """A turn's number out of an address; 1 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 1


_DIGITS = 9
