"""Sessions as they are on record: the conversation, its tool calls, and who decided what, in order.

Auditors and admins see every session, reviewers those in which something is held that they may see.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, ApprovalError, Reviewer, Role
from proctor.audit import find
from proctor.audit.conversation import Totals, Turn, conversation
from proctor.audit.find import Target
from proctor.audit.reader import Reader
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
_CHANGES = f"""
    SELECT raw FROM _records WHERE kind = 'approval'
    AND session_id = $session AND principal = $principal
    ORDER BY ts, writer, seq LIMIT {20 * _MAX_APPROVALS}
"""  # noqa: S608 - made of the constant above


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of an approval, as it is on record."""

    at: datetime
    state: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One held action, as the record tells it.

    Attributes:
        id: Of the approval.
        flow_id: The exchange in which it was asked.
        tool_use_id: The model's name for the call that was held; "" if it was none.
        steps: Its changes in order.
        approval: What the store still knows of it; None where that is over.
    """

    id: str
    flow_id: str
    tool_use_id: str
    rule_id: str
    steps: tuple[Step, ...]
    approval: Approval | None = None

    @property
    def at(self) -> datetime:
        """When it was asked."""
        return self.steps[0].at

    @property
    def state(self) -> str:
        """What became of it."""
        return next((s.state for s in reversed(self.steps) if s.state in _STATES), "pending")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One turn, with what was held in it, and what was held after it in no turn of its own."""

    turn: Turn
    held: tuple[Held, ...] = ()
    after: tuple[Held, ...] = ()

    def of_call(self, tool_use_id: str) -> Held | None:
        """What was held of one tool call."""
        return next((each for each in self.held if each.tool_use_id == tool_use_id), None)

    @property
    def loose(self) -> tuple[Held, ...]:
        """What was held in it and belongs to none of the calls that are shown."""
        shown = {getattr(part, "id", "") for part in self.turn.parts}
        return tuple(each for each in self.held if each.tool_use_id not in shown - {""})


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One page of a session."""

    totals: Totals
    entries: tuple[Entry, ...]
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
        reviewer = person(request)
        name = request.query_params.get("id", "")
        principal = request.query_params.get("principal", "")
        if not reviewer.roles & _ALL and (principal, name) not in await allowed(house, reviewer):
            raise ApprovalError(
                code="approval-role",
                message="You may not see this session",
                got=", ".join(sorted(reviewer.roles)),
                expected="auditor or admin, or a held action in it that you may see",
                status=403,
            )
        first = _number(request.query_params.get("from", "1"))
        known = await house.desk.approvals(reviewer, session=name, limit=_MAX_APPROVALS)
        target = Target(principal=principal, session_id=name)
        story = await readings.ask(lambda reader: tell(reader, target, first, known), None)
        if story is None:
            raise find.empty()
        return await page(
            request,
            house,
            "session.html",
            {"story": story, "step": TURNS, "layout": layout, "session": name},
        )

    return [Route("/sessions", listed), Route("/sessions/one", one)]


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
    store = {each.id: each for each in known if each.asking.principal == target.principal}
    held = read_held(reader, target, store)
    # Several short readings: what lies before the page is not read at all.
    numbers = range(first, min(len(talk), first + TURNS - 1) + 1)
    turns = (
        list(islice(talk.turns(limit=_TEXT), TURNS))
        if first == 1
        else [turn for n in numbers for turn in talk.turns(limit=_TEXT, only=n)]
    )
    flows = {turn.exchange.flow_id: turn.number for turn in turns}
    inside: dict[int, list[Held]] = {}
    after: dict[int, list[Held]] = {}
    for each in held:
        if (number := flows.get(each.flow_id)) is not None:
            inside.setdefault(number, []).append(each)
        elif _within(each, turns, len(talk)):
            began = [turn.number for turn in turns if turn.exchange.started_at <= each.at]
            after.setdefault(max(began, default=first), []).append(each)
    return Story(
        totals=talk.totals,
        entries=tuple(
            Entry(
                turn=turn,
                held=tuple(inside.get(turn.number, ())),
                after=tuple(after.get(turn.number, ())),
            )
            for turn in turns
        ),
        first=first,
        count=len(talk),
    )


def read_held(reader: Reader, target: Target, store: Mapping[str, Approval]) -> list[Held]:
    """What was held in a session, in order of time."""
    given = {"session": target.session_id, "principal": target.principal}
    envelopes: dict[str, list[dict[str, Any]]] = {}
    for row in reader.rows(_CHANGES, given):
        envelope: dict[str, Any] = json.loads(row["raw"])
        envelopes.setdefault(envelope["approval_id"], []).append(envelope)
    return [
        Held(
            id=name,
            flow_id=told[0]["flow_id"] or "",
            tool_use_id=told[0].get("tool_use_id") or "",
            rule_id=told[0]["rule_id"] or "",
            steps=tuple(_step(envelope) for envelope in told),
            approval=store.get(name),
        )
        for name, told in envelopes.items()
    ]


def _step(envelope: Mapping[str, Any]) -> Step:
    return Step(
        at=datetime.fromisoformat(envelope.get("at") or envelope["ts"]),
        state=envelope["state"],
        by=envelope["by"] or "",
        reason=envelope["reason"] or "",
    )


def _within(held: Held, turns: Iterable[Turn], count: int) -> bool:
    """Whether its time is that of these turns, so that it is told once, on one page."""
    shown = list(turns)
    after = shown[0].number == 1 or held.at >= shown[0].exchange.started_at
    return after and (shown[-1].number == count or held.at <= shown[-1].exchange.ended)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS else 1


_DIGITS = 9
_STATES = frozenset({"pending", "approved", "denied", "expired", "cancelled", "used"})
