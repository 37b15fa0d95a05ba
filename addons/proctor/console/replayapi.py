"""The API's part under /api/v1/replays: recorded requests, sent again once somebody has agreed.

    POST   /replays       {session, principal, to, from, first, last, betas, credential, ca, reason}
                          → the replay, waiting
    GET    /replays/ID    how far it has come, and what differs
    DELETE /replays/ID    ends it

Whoever may see a session may ask; another human decides, in the inbox like everything else.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import enough_said
from proctor.approval.model import Reviewer
from proctor.audit import find
from proctor.audit.conversation import conversation
from proctor.audit.reader import Reader
from proctor.console.bodies import invalid, read_object
from proctor.console.house import House
from proctor.console.problems import Json, refused
from proctor.console.readings import Readings
from proctor.console.rendering import person
from proctor.console.timeline import seen_by
from proctor.replay.direct import LISTENER
from proctor.replay.plan import Plan, checked
from proctor.replay.recorded import to_send
from proctor.replay.sending import Replayer

_V1 = "/api/v1/replays"
_MAX_NAME = 512
_MAX_TURN = 10**6
_MAX_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayApi:
    """What the API's part needs.

    Attributes:
        house: The console's.
        readings: Reads the record.
    """

    house: House
    readings: Readings

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route(_V1, self.start, methods=["POST"]),
            Route(f"{_V1}/{{name}}", self.job, methods=["GET"]),
            Route(f"{_V1}/{{name}}", self.cancel, methods=["DELETE"]),
        ]

    async def start(self, request: Request) -> Response:
        """Ask for a replay."""
        reviewer, replayer = person(request), self._replayer()
        asked = read_object(
            await request.body(),
            {"session": str, "principal": str, "to": str, "from": str, "first": int, "last": int,
             "betas": str, "credential": str, "ca": str, "reason": str},
        )  # fmt: skip
        session, to = asked.get("session", ""), asked.get("to", "")
        if not 0 < len(session) <= _MAX_NAME or not 0 < len(to) <= _MAX_NAME:
            raise invalid("no session or no listener", "both by their names, or a URL")
        reason = asked.get("reason", "").strip()
        if refusal := enough_said(reason):
            raise refusal
        direct = "://" in to
        credential, ca = asked.get("credential", ""), asked.get("ca", "")
        if not direct and (credential or ca):
            raise invalid("a credential or CA without a URL", "a listener has its own")
        place = replayer.places.get(to)
        of_api = to if place and place.speaks == "http" else ""
        listener = asked.get("from", of_api)
        first, last = asked.get("first", 1), asked.get("last", _MAX_TURN)
        target = await self.readings.ask(
            lambda reader: find.find(reader, session, asked.get("principal")), None
        )
        if target is None:
            raise find.empty()
        await seen_by(self.house, reviewer, target)
        aimed = await replayer.straight.aim(to, credential, ca) if direct else None
        upstream = aimed.url if aimed else place.upstream if place else ""

        def planned(reader: Reader) -> Plan:
            talk = conversation(reader, target)
            return checked(
                Plan(
                    session=target.session_id or target.flow_id or "",
                    principal=target.principal or "",
                    listener=LISTENER if aimed else to,
                    upstream=upstream,
                    betas=asked.get("betas", ""),
                    requests=tuple(to_send(talk, first, last, listener)),
                    direct=aimed,
                )
            )

        plan = await self.readings.ask(planned, None)
        if plan is None:
            raise find.empty()
        job = await replayer.start(plan, reviewer, reason, self.house.policy().version)
        return Json(job.as_json(), status_code=201)

    async def job(self, request: Request) -> Response:
        """How far it has come."""
        return Json(self._replayer().job(*_named(request)).as_json())

    async def cancel(self, request: Request) -> Response:
        """End it."""
        job = await self._replayer().cancel(*_named(request))
        return Json(job.as_json())

    def _replayer(self) -> Replayer:
        if self.house.replayer is None:
            raise refused(404, "replay-listener", "Nothing can be sent again from here")
        return self.house.replayer


def _named(request: Request) -> tuple[str, Reviewer]:
    return str(request.path_params["name"])[:_MAX_ID], person(request)
