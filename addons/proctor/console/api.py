"""The API under /api/v1, which the command line and the pages' scripts use.

    GET    /me                                  who asks
    GET    /approvals?state=&session=&limit=    {"approvals": […]}, the youngest first, or with
                                                `oldest=1` the oldest; and {"unreviewed": [ID…]}:
                                                broken glass that nobody has looked at
    GET    /approvals/ID
    POST   /approvals/ID/approve                {reason, grant_for, uses, pattern, break_glass}
    POST   /approvals/ID/deny                   {reason}
    POST   /approvals/ID/reveal                 {reason} → {"values": {…}}
    POST   /approvals/ID/reviewed               {reason}
    GET    /grants?all=1                        {"grants": […]}
    POST   /grants/requests                     {rule, kind, pattern, for, uses, reason, principal}
    DELETE /grants/ID                           {reason}
    GET    /kills?all=1                         {"kills": […]}
    POST   /kills                               {scope, target, reason}
    DELETE /kills/ID                            {reason}
    GET    /events                              changes, as server-sent events

Objects are those of `approval.views`; errors are problem+json with code, got, expected and hint;
durations are texts such as `1h`. Whoever asks is known to `guard`; what they may, the desk decides.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Approval, KillScope, Reviewer, State
from proctor.approval.views import approval_json, grant_json, kill_json
from proctor.console.access import Caller, Wish, asking
from proctor.console.bodies import invalid, read_duration, read_object
from proctor.console.guard import OPEN_API
from proctor.console.house import House
from proctor.console.limits import Limiter
from proctor.console.problems import Json, refused
from proctor.console.stream import Streams
from proctor.errors import AuthenticationError
from proctor.identity.bearer import bearer_token
from proctor.model import ActionKind, Principal

_V1 = "/api/v1"
_LIMIT = 500
_MAX_LIMIT = 5000
_MAX_ID = 64

type Admit = Callable[[str], Awaitable[Principal]]
"""Who an agent's token proves: the gateway's own `Authenticator.authenticate`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the API needs.

    Attributes:
        house: The console's.
        admit: Reads an agent's token, which may ask for a grant.
        failures: How many wrong tokens an address may show.
        wishes: How many grants somebody may ask for.
        streams: The event streams.
    """

    house: House
    admit: Admit
    failures: Limiter
    wishes: Limiter
    streams: Streams

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route(f"{_V1}/me", self.me),
            Route(f"{_V1}/approvals", self.approvals),
            Route(f"{_V1}/approvals/{{name}}", self.approval),
            Route(f"{_V1}/approvals/{{name}}/approve", self.approve, methods=["POST"]),
            Route(f"{_V1}/approvals/{{name}}/deny", self.deny, methods=["POST"]),
            Route(f"{_V1}/approvals/{{name}}/reveal", self.reveal, methods=["POST"]),
            Route(f"{_V1}/approvals/{{name}}/reviewed", self.reviewed, methods=["POST"]),
            Route(f"{_V1}/grants", self.grants),
            Route(OPEN_API, self.request_grant, methods=["POST"]),
            Route(f"{_V1}/grants/{{name}}", self.revoke, methods=["DELETE"]),
            Route(f"{_V1}/kills", self.kills, methods=["GET"]),
            Route(f"{_V1}/kills", self.kill, methods=["POST"]),
            Route(f"{_V1}/kills/{{name}}", self.lift, methods=["DELETE"]),
            Route(f"{_V1}/events", self.events),
        ]

    async def me(self, request: Request) -> Response:
        """Who asks."""
        reviewer = _person(request)
        return Json(
            {
                "issuer": reviewer.issuer,
                "subject": reviewer.subject,
                "human": reviewer.human,
                "name": reviewer.name,
                "groups": list(reviewer.groups),
                "roles": sorted(role.value for role in reviewer.roles),
                "signed_in_at": reviewer.signed_in_at.isoformat(timespec="seconds"),
                "expires_at": request.state.ends_at.isoformat(timespec="seconds"),
                "via": reviewer.via.value,
                "dev": self.house.dev,
            }
        )

    async def approvals(self, request: Request) -> Response:
        """What this person may see."""
        query, reviewer = request.query_params, _person(request)
        found = await self.house.desk.approvals(
            reviewer,
            states=_states(query.getlist("state")),
            session=query.get("session", "")[:_MAX_LIMIT],
            limit=_limit(query.get("limit", str(_LIMIT))),
            oldest_first=_is_set(request, "oldest"),
        )
        broken = await self.house.desk.unreviewed(reviewer)
        now = self.house.clock()
        return Json(
            {
                "approvals": [approval_json(each, now) for each in found],
                "unreviewed": [each.id for each in broken],
            }
        )

    async def approval(self, request: Request) -> Response:
        """One approval."""
        found = await self.house.desk.approval(_name(request), _person(request))
        return self._answer(found)

    async def approve(self, request: Request) -> Response:
        """Yes."""
        asked = await _body(
            request, reason=str, grant_for=str, uses=int, pattern=str, break_glass=bool
        )
        length = asked.get("grant_for")
        if length is None and ("uses" in asked or "pattern" in asked):
            raise invalid("uses or pattern without grant_for", "how long a grant is to hold")
        found = await self.house.desk.decide(
            _name(request),
            _person(request),
            approve=True,
            reason=asked.get("reason", ""),
            grant=None if length is None else read_duration(length, "grant_for"),
            uses=asked.get("uses"),
            pattern=asked.get("pattern", ""),
            break_glass=asked.get("break_glass", False),
        )
        return self._answer(found)

    async def deny(self, request: Request) -> Response:
        """No."""
        asked = await _body(request, reason=str)
        found = await self.house.desk.decide(
            _name(request), _person(request), approve=False, reason=asked.get("reason", "")
        )
        return self._answer(found)

    async def reveal(self, request: Request) -> Response:
        """The values a card hides."""
        asked = await _body(request, reason=str)
        found = await self.house.desk.reveal(
            _name(request), _person(request), asked.get("reason", "")
        )
        return Json({"values": found})

    async def reviewed(self, request: Request) -> Response:
        """A broken glass was looked at."""
        asked = await _body(request, reason=str)
        found = await self.house.desk.reviewed(
            _name(request), _person(request), asked.get("reason", "")
        )
        return self._answer(found)

    async def grants(self, request: Request) -> Response:
        """What lets something pass."""
        found = await self.house.desk.grants(
            _person(request), open_only=not _is_set(request, "all")
        )
        now = self.house.clock()
        return Json({"grants": [grant_json(each, now) for each in found]})

    async def request_grant(self, request: Request) -> Response:
        """Ask for access beforehand; whoever is known may."""
        caller = await self._caller(request)
        self.wishes.take(caller.key)
        asked = await _body(
            request,
            rule=str,
            kind=str,
            pattern=str,
            uses=int,
            reason=str,
            principal=str,
            **{"for": str},
        )
        try:
            kind = ActionKind(asked.get("kind", ActionKind.LLM_TOOL_USE))
        except ValueError:
            raise invalid("an unknown kind", " or ".join(ActionKind)) from None
        wish = Wish(
            rule=asked.get("rule", ""),
            kind=kind,
            pattern=asked.get("pattern", ""),
            length=read_duration(asked.get("for", ""), "for"),
            uses=asked.get("uses"),
            reason=asked.get("reason", ""),
            principal=asked.get("principal", ""),
        )
        found = await self.house.desk.request_grant(asking(wish, caller, self.house.policy()))
        return self._answer(found, 201)

    async def revoke(self, request: Request) -> Response:
        """Take a grant back."""
        asked = await _body(request, reason=str)
        found = await self.house.desk.revoke(
            _name(request), _person(request), asked.get("reason", "")
        )
        return Json(grant_json(found, self.house.clock()))

    async def kills(self, request: Request) -> Response:
        """What was ended, and is refused."""
        found = await self.house.desk.kills(_person(request), in_force=not _is_set(request, "all"))
        return Json({"kills": [kill_json(each) for each in found]})

    async def kill(self, request: Request) -> Response:
        """End what runs."""
        asked = await _body(request, scope=str, target=str, reason=str)
        try:
            scope = KillScope(asked.get("scope", ""))
        except ValueError:
            raise invalid("an unknown scope", " or ".join(KillScope)) from None
        found = await self.house.desk.kill(
            scope, asked.get("target", ""), _person(request), asked.get("reason", "")
        )
        return Json(kill_json(found), status_code=201)

    async def lift(self, request: Request) -> Response:
        """End a kill."""
        asked = await _body(request, reason=str)
        found = await self.house.desk.lift(
            _name(request), _person(request), asked.get("reason", "")
        )
        return Json(kill_json(found))

    async def events(self, request: Request) -> Response:
        """Changes that this person may see, as they happen."""
        return self.streams.open(_person(request), request.state.still)

    async def _caller(self, request: Request) -> Caller:
        reviewer: Reviewer | None = request.state.reviewer
        if reviewer is not None:
            return Caller(
                key=reviewer.key,
                subject=reviewer.subject,
                human=reviewer.human,
                groups=reviewer.groups,
                person=True,
            )
        address = request.client.host if request.client else ""
        self.failures.check(address)
        try:
            token = bearer_token(request.headers.get("authorization"), None)
            principal = await self.admit(token)
        except AuthenticationError:
            self.failures.count(address)
            raise
        return Caller(
            key=principal.key,
            subject=principal.subject,
            human=principal.human,
            groups=principal.groups,
            person=False,
        )

    def _answer(self, approval: Approval, status: int = 200) -> Response:
        return Json(approval_json(approval, self.house.clock()), status_code=status)


def _person(request: Request) -> Reviewer:
    reviewer: Reviewer | None = request.state.reviewer
    if reviewer is None:
        raise refused(401, "signin-missing", "You are not signed in", hint="Run `proctor login`.")
    return reviewer


def _name(request: Request) -> str:
    return str(request.path_params["name"])[:_MAX_ID]


async def _body(request: Request, **names: type) -> dict[str, Any]:
    return read_object(await request.body(), names)


def _is_set(request: Request, name: str) -> bool:
    return request.query_params.get(name, "") in {"1", "true"}


def _states(given: list[str]) -> tuple[State, ...]:
    try:
        return tuple(State(word) for text in given for word in text.split(",") if word)
    except ValueError:
        raise invalid("an unknown state", " or ".join(State)) from None


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 4 and 0 < int(text) <= _MAX_LIMIT:  # noqa: PLR2004 - digits of the limit
        return int(text)
    raise invalid("a limit that is none", f"1 to {_MAX_LIMIT}")
