"""The API's part under /api/v1/tools: what MCP servers' tools say, and whether that is accepted.

    GET    /tools?open=1&server=           {"tools": […]}, what waits for a human first
    GET    /tools/SERVER/TOOL              with the definitions and their difference
    POST   /tools/SERVER/TOOL/accept       {digest, reason}: exactly this definition may be used
    POST   /tools/SERVER/TOOL/reject       {reason}: nothing of it is accepted any more
    POST   /tools/SERVER/TOOL/forget       {reason}: what it shows next counts as its first sight
    POST   /tools/SERVER/forget            {reason}: the same for all of a server's tools

Whoever has a role may look; reviewers and admins accept and reject. Only admins forget, since what
is seen after that is trusted. Objects are those of `mcp.views`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import enough_said, has_role
from proctor.approval.model import Reviewer, Role
from proctor.console.bodies import read_object
from proctor.console.house import House
from proctor.console.problems import Json
from proctor.console.rendering import person
from proctor.mcp.model import Pin, unknown_pin
from proctor.mcp.pins import Pins
from proctor.mcp.views import pin_detail, pin_json

_V1 = "/api/v1/tools"
_ONE = f"{_V1}/{{server}}/{{tool:path}}"  # a tool's name may have slashes


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolApi:
    """What the API's part needs: the console's `house`."""

    house: House

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route(_V1, self.tools),
            Route(f"{_V1}/{{server}}/forget", self.forget_all, methods=["POST"]),
            Route(f"{_ONE}/accept", self.accept, methods=["POST"]),
            Route(f"{_ONE}/reject", self.reject, methods=["POST"]),
            Route(f"{_ONE}/forget", self.forget, methods=["POST"]),
            Route(_ONE, self.tool),
        ]

    async def tools(self, request: Request) -> Response:
        """All of them, or those that wait for a human."""
        person(request)
        query = request.query_params
        found = listed(
            self.house,
            open_only=query.get("open", "") in {"1", "true"},
            server=query.get("server", ""),
        )
        return Json({"tools": [pin_json(pin) for pin in found]})

    async def tool(self, request: Request) -> Response:
        """One of them, with what it says."""
        person(request)
        found = one(self.house, *_names(request))
        return Json(await asyncio.to_thread(pin_detail, found))

    async def accept(self, request: Request) -> Response:
        """Yes, to exactly what was shown."""
        asked = read_object(await request.body(), {"digest": str, "reason": str})
        found = await accept(
            self.house,
            person(request),
            *_names(request),
            digest=asked.get("digest", ""),
            reason=asked.get("reason", ""),
        )
        return Json(pin_json(found))

    async def reject(self, request: Request) -> Response:
        """No, to all of it."""
        reason = await _reason(request)
        found = await reject(self.house, person(request), *_names(request), reason=reason)
        return Json(pin_json(found))

    async def forget(self, request: Request) -> Response:
        """As if it had never been seen."""
        server, tool = _names(request)
        reason = await _reason(request)
        names = await forget(self.house, person(request), server, tool, reason=reason)
        return Json({"server": server, "forgotten": list(names)})

    async def forget_all(self, request: Request) -> Response:
        """The same, for a server."""
        server = str(request.path_params["server"])
        reason = await _reason(request)
        names = await forget(self.house, person(request), server, None, reason=reason)
        return Json({"server": server, "forgotten": list(names)})


def listed(house: House, *, open_only: bool = False, server: str = "") -> list[Pin]:
    """What is known, what waits for a human first.

    Raises:
        InternalError: `pins-unavailable`.
    """
    return [
        pin
        for pin in (house.pins.all() if house.pins else ())
        if (pin.open or not open_only) and server in {"", pin.server}
    ]


def one(house: House, server: str, tool: str) -> Pin:
    """One tool.

    Raises:
        ClientError: `pin-unknown`.
        InternalError: `pins-unavailable`.
    """
    found = _pins(house).standing(server, tool)
    if found is None:
        raise unknown_pin()
    return found


async def accept(  # noqa: PLR0913 - what is accepted, by whom, and why
    house: House, reviewer: Reviewer, server: str, tool: str, *, digest: str, reason: str
) -> Pin:
    """Let a tool be used with exactly this definition.

    Raises:
        ClientError: `approval-role`, `approval-reason`, and those of `Pins.accept`.
        InternalError: `pins-unavailable`.
    """
    reason = _allowed(reviewer, reason, Role.REVIEWER, Role.ADMIN)
    return await _pins(house).accept(server, tool, digest, reviewer.key, reason)


async def reject(house: House, reviewer: Reviewer, server: str, tool: str, *, reason: str) -> Pin:
    """Take back all that was accepted of a tool.

    Raises:
        ClientError: `approval-role`, `approval-reason`, or `pin-unknown`.
        InternalError: `pins-unavailable`.
    """
    reason = _allowed(reviewer, reason, Role.REVIEWER, Role.ADMIN)
    return await _pins(house).reject(server, tool, reviewer.key, reason)


async def forget(
    house: House, reviewer: Reviewer, server: str, tool: str | None, *, reason: str
) -> Sequence[str]:
    """Have a tool, or all of a server's, count as never seen.

    Raises:
        ClientError: `approval-role`, `approval-reason`, or `pin-unknown`.
        InternalError: `pins-unavailable`.
    """
    reason = _allowed(reviewer, reason, Role.ADMIN)
    return await _pins(house).forget(server, tool, by=reviewer.key, reason=reason)


def _allowed(reviewer: Reviewer, reason: str, *roles: Role) -> str:
    said = reason.strip()
    if refusal := has_role(reviewer, *roles) or enough_said(said):
        raise refusal
    return said


def _pins(house: House) -> Pins:
    if house.pins is None:
        raise unknown_pin()
    return house.pins


def _names(request: Request) -> tuple[str, str]:
    return str(request.path_params["server"]), str(request.path_params["tool"])


async def _reason(request: Request) -> str:
    found: dict[str, Any] = read_object(await request.body(), {"reason": str})
    return str(found.get("reason", ""))
