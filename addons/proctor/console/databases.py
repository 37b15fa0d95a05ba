"""What goes on at databases: connections that are open, and statements as they come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Reviewer, Role
from proctor.audit.reader import Content, Reader
from proctor.audit.statements import POSTGRES, Spoke, newest
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import fragment, person
from proctor.errors import ProctorError

SHOWN = 60
_AGE = 2.0
_TEXT = 400
_ALL = frozenset({Role.AUDITOR, Role.ADMIN})
# Of what is open, only the begin is there.
_OPEN = f"""
    SELECT flow_id, started_at, subject, principal, session_id, client, listener, path
    FROM _flows WHERE kind = 'flow.begin' AND protocol = '{POSTGRES}'
    ORDER BY started_at DESC LIMIT {SHOWN}
"""  # noqa: S608 - made of the constants above


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """What goes on.

    Attributes:
        connections: Those that are open, the newest first.
        statements: The newest, each with the beginning of its text.
        problem: Why the record cannot be read, or None.
    """

    connections: Sequence[dict[str, Any]] = ()
    statements: Sequence[tuple[Spoke, Content | None]] = ()
    problem: ProctorError | None = None


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/live/statements`."""

    async def shown(request: Request) -> Response:
        reviewer = person(request)
        given = {"databases": await lately(readings, reviewer), "roles": reviewer.roles}
        return await fragment(request, house, "_statements.html", given)

    return [Route("/live/statements", shown)]


async def lately(readings: Readings, reviewer: Reviewer) -> Databases:
    """What goes on, as far as this person may see it: auditors and admins all, others nothing."""
    if not reviewer.roles & _ALL:
        return Databases()
    try:
        return await readings.lately("databases", _AGE, _read, Databases())
    except ProctorError as error:
        return Databases(problem=error)


def _read(reader: Reader) -> Databases:
    connections = [
        {**row, "started_at": row["started_at"].replace(tzinfo=UTC)}
        for row in reader.rows(_OPEN, {})
    ]
    found = newest(reader, most=SHOWN)
    texts = reader.contents({each.entry.sql: _TEXT for each in found if each.entry.sql})
    return Databases(
        connections=connections,
        statements=[(each, texts[each.entry.sql] if each.entry.sql else None) for each in found],
    )
