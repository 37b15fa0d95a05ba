"""The API's part under /api/v1/record: what is erased on request, and what must be kept.

    GET    /record/erasures               {"erasures": […]}: orders that are under way
    POST   /record/erasures               {session, principal, reason} → {id, scopes}
    GET    /record/holds                  {"holds": […]}
    POST   /record/holds                  {name, session, principal, all, reason}
    POST   /record/holds/release          {name, reason}

Admins only, and auditors may look.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import enough_said, has_role
from proctor.approval.model import Reviewer, Role
from proctor.console.bodies import invalid, read_object
from proctor.console.house import House
from proctor.console.problems import Json, refused
from proctor.console.rendering import person
from proctor.evidence import erasure
from proctor.evidence.holds import Subject
from proctor.evidence.upkeep import Upkeep

_V1 = "/api/v1/record"
_LONGEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordApi:
    """What the API's part needs: the console's `house`."""

    house: House

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route(f"{_V1}/erasures", self.erasures, methods=["GET"]),
            Route(f"{_V1}/erasures", self.erase, methods=["POST"]),
            Route(f"{_V1}/holds", self.holds, methods=["GET"]),
            Route(f"{_V1}/holds", self.hold, methods=["POST"]),
            Route(f"{_V1}/holds/release", self.release, methods=["POST"]),
        ]

    async def erasures(self, request: Request) -> Response:
        """Orders that are under way."""
        may_look(person(request))
        found = await asyncio.to_thread(erasure.orders, upkeep_of(self.house).store)
        return Json({"erasures": [order.as_json() for order in found]})

    async def erase(self, request: Request) -> Response:
        """Erase what somebody typed and saw."""
        asked = await _asked(request)
        order, scopes = await erase(self.house, person(request), subject_of(asked), asked["reason"])
        return Json({**order.as_json(), "scopes": scopes}, status_code=202)

    async def holds(self, request: Request) -> Response:
        """The holds in force."""
        may_look(person(request))
        found = await upkeep_of(self.house).holds()
        return Json({"holds": [hold.as_json() for hold in found]})

    async def hold(self, request: Request) -> Response:
        """Keep something."""
        asked = await _asked(request, all=bool, name=str)
        reviewer = person(request)
        reason = allowed(reviewer, asked["reason"])
        subject = subject_of(asked, everything=asked.get("all", False))
        found = await upkeep_of(self.house).hold(
            asked.get("name", ""), subject, reason, reviewer.key
        )
        return Json(found.as_json(), status_code=201)

    async def release(self, request: Request) -> Response:
        """Keep it no longer."""
        asked = await _asked(request, name=str)
        reviewer = person(request)
        reason = allowed(reviewer, asked["reason"])
        found = await upkeep_of(self.house).release(asked.get("name", ""), reason, reviewer.key)
        return Json(found.as_json())


async def erase(
    house: House, reviewer: Reviewer, subject: Subject, reason: str
) -> tuple[erasure.Order, int]:
    """Orders an erasure: admins, with a reason.

    Raises:
        ClientError: `approval-role`, `approval-reason`, and those of `Upkeep.erase`.
        InternalError: As there.
    """
    words = allowed(reviewer, reason)
    return await upkeep_of(house).erase(subject, words, reviewer.key)


def allowed(reviewer: Reviewer, reason: str) -> str:
    """The reason, of somebody who may.

    Raises:
        ClientError: `approval-role`, `approval-reason`.
    """
    words = reason.strip()
    if refusal := has_role(reviewer, Role.ADMIN) or enough_said(words, needed=True):
        raise refusal
    return words


def may_look(reviewer: Reviewer) -> None:
    """Admins and auditors.

    Raises:
        ClientError: `approval-role`.
    """
    if refusal := has_role(reviewer, Role.ADMIN, Role.AUDITOR):
        raise refusal


def upkeep_of(house: House) -> Upkeep:
    """Who looks after the record.

    Raises:
        ProctorError: `record-not-kept`: nobody does, here.
    """
    if house.upkeep is None:
        raise refused(503, "record-not-kept", "Nobody looks after the record here")
    return house.upkeep


def subject_of(asked: Mapping[str, Any], *, everything: bool = False) -> Subject:
    """Whose content is meant.

    Raises:
        ProctorError: It is not said, or not so that it could mean one.
    """
    session, principal = asked.get("session") or None, asked.get("principal") or None
    if ((session or principal) is None) is not everything:
        raise invalid("whose content is not said, or twice", "session, principal, or both")
    if any(len(each) > _LONGEST for each in (session, principal) if each):
        raise invalid("a name that is too long", f"at most {_LONGEST} characters")
    if principal and "#" not in principal:
        raise invalid("a principal that names no issuer", "issuer#subject")
    return Subject(principal=principal, session=session)


async def _asked(request: Request, **names: type) -> dict[str, Any]:
    known = {"session": str, "principal": str, "reason": str, **names}
    return {"reason": "", **read_object(await request.body(), known)}
