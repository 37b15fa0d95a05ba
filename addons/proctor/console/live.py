"""What happens now: decisions and changes as they come, and the newest exchanges."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, Grant, Kill, Reviewer, Role, State
from proctor.audit.reader import Reader
from proctor.console import databases
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import fragment, page, person, who
from proctor.errors import ProctorError

SHOWN = 60
_AGE = 2.0
_ALL = frozenset({Role.AUDITOR, Role.ADMIN})
# The bound lets DuckDB read the newest files only.
_FLOWS = f"""
    SELECT flow_id, started_at, ended_at, subject, principal, session_id, method, host, path,
        status, verdict, rule_id FROM flows ORDER BY ts DESC LIMIT {SHOWN}
"""  # noqa: S608 - made of the constant above


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened.

    Attributes:
        at: When.
        word: Such as `held`, `approved`, `killed`.
        by: Who did it.
        what: To what.
        reason: In their words.
        link: Where more is said.
    """

    at: datetime
    word: str
    by: str
    what: str
    reason: str = ""
    link: str = ""


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/live` and what it shows."""

    async def happenings(reviewer: Reviewer) -> list[Happening]:
        return happened(
            await house.desk.approvals(reviewer, limit=SHOWN),
            await house.desk.grants(reviewer, open_only=False),
            await house.desk.kills(reviewer, in_force=False),
        )

    async def flows(reviewer: Reviewer) -> tuple[list[dict[str, Any]] | None, ProctorError | None]:
        if not reviewer.roles & _ALL:
            return None, None
        try:
            return await readings.lately("flows", _AGE, newest, []), None
        except ProctorError as error:
            return [], error

    async def live(request: Request) -> Response:
        reviewer = person(request)
        found, problem = await flows(reviewer)
        return await page(
            request,
            house,
            "live.html",
            {
                "happened": await happenings(reviewer),
                "flows": found,
                "problem": problem,
                "databases": await databases.lately(readings, reviewer),
            },
        )

    async def changes(request: Request) -> Response:
        reviewer = person(request)
        given = {"happened": await happenings(reviewer)}
        return await fragment(request, house, "_happenings.html", given)

    async def exchanges(request: Request) -> Response:
        found, problem = await flows(person(request))
        return await fragment(request, house, "_flows.html", {"flows": found, "problem": problem})

    return [
        Route("/live", live),
        Route("/live/changes", changes),
        Route("/live/exchanges", exchanges),
    ]


def newest(reader: Reader) -> list[dict[str, Any]]:
    """The newest exchanges."""
    return [
        {
            **row,
            "path": row["path"].partition("?")[0],
            "started_at": row["started_at"].replace(tzinfo=UTC),
            "ended_at": row["ended_at"].replace(tzinfo=UTC) if row["ended_at"] else None,
        }
        for row in reader.rows(_FLOWS, {})
    ]


def happened(
    approvals: Iterable[Approval], grants: Iterable[Grant], kills: Iterable[Kill]
) -> list[Happening]:
    """What these say has happened, the newest first."""
    found: list[Happening] = []
    for approval in approvals:
        found += _of_approval(approval)
    for grant in grants:
        what, until = f"{who(grant.principal)}: {grant.pattern}", f"until {grant.expires_at:%H:%M}"
        given = Happening(
            at=grant.created_at,
            word="granted",
            by=who(grant.by),
            what=f"{what}, {until}",
            reason=grant.reason,
            link="/grants",
        )
        found.append(given)
        if grant.revoked_at:
            found.append(
                Happening(
                    at=grant.revoked_at,
                    word="revoked",
                    by=who(grant.revoked_by),
                    what=what,
                    link="/grants?show=all",
                )
            )
    for kill in kills:
        what = f"{kill.scope.value} {kill.target}".strip()
        ended = Happening(
            at=kill.at,
            word="killed",
            by=who(kill.by),
            what=what,
            reason=kill.reason,
            link="/kills",
        )
        found.append(ended)
        if kill.lifted_at:
            found.append(
                Happening(
                    at=kill.lifted_at,
                    word="lifted",
                    by=who(kill.lifted_by),
                    what=what,
                    link="/kills",
                )
            )
    return sorted(found, key=lambda each: each.at, reverse=True)[:SHOWN]


def _of_approval(approval: Approval) -> list[Happening]:
    asking = approval.asking
    link = f"/approvals/{approval.id}"
    what = f"{asking.card.title}: {asking.card.summary}"
    found = [
        Happening(at=approval.requested_at, word="held", by=asking.subject, what=what, link=link)
    ]
    found += [
        Happening(
            at=vote.at,
            word=_word(vote.approve, glass=vote.break_glass),
            by=vote.name or who(vote.reviewer),
            what=what,
            reason=vote.reason,
            link=link,
        )
        for vote in approval.votes
    ]
    if approval.state in {State.EXPIRED, State.CANCELLED} and approval.decided_at:
        at = approval.decided_at
        reason = approval.reason
        found.append(
            Happening(at=at, word=approval.state.value, by="", what=what, reason=reason, link=link)
        )
    return found


def _word(approve: bool, *, glass: bool) -> str:  # noqa: FBT001 - a vote is one or the other
    if glass:
        return "glass broken"
    return "approved" if approve else "denied"
