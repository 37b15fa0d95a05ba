"""The tools of MCP servers: what waits for a human, with what it says, and all the rest."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Reviewer, Role
from proctor.console import toolapi
from proctor.console.house import House
from proctor.console.legible import ODD, Piece, pieces
from proctor.console.rendering import address, form, page, person
from proctor.errors import ClientError
from proctor.mcp.difference import difference, is_compared, is_cut
from proctor.mcp.model import Pin

SHOWN: Final = 500
"""Tools in the table."""

_CARDS: Final = 10  # of those that wait, shown with all they say
_WRITTEN: Final = re.compile(r"(<U\+[0-9A-F]{4,6}>)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a difference.

    Attributes:
        sign: `+`, `-`, " ", or `@` where lines in both are left out.
        pieces: The line, with everything in it made visible.
    """

    sign: str
    pieces: Sequence[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A tool with what it says.

    Attributes:
        pin: The tool.
        lines: The newest definition, against the accepted one where they are compared.
        compared: Whether they are.
        cut: Some of it is left out.
    """

    pin: Pin
    lines: Sequence[Line]
    compared: bool
    cut: bool


def routes(house: House) -> list[BaseRoute]:
    """`/tools`."""

    async def drawn(
        request: Request, reviewer: Reviewer, error: ClientError | None = None
    ) -> Response:
        server = request.query_params.get("server", "")
        everything = toolapi.listed(house)
        found = [pin for pin in everything if server in {"", pin.server}]
        waiting = [pin for pin in found if pin.open]
        cards = await asyncio.to_thread(lambda: [card(pin) for pin in waiting[:_CARDS]])
        return await page(
            request,
            house,
            "tools.html",
            {
                "cards": cards,
                "tools": found[:SHOWN],
                "waiting": len(waiting),
                "total": len(found),
                "servers": sorted({pin.server for pin in everything}),
                "server": server,
                "speaks": house.pins is not None,
                "error": error,
                **_may(reviewer),
            },
            status=error.status if error else 200,
        )

    async def listed(request: Request) -> Response:
        return await drawn(request, person(request))

    async def shown(request: Request) -> Response:
        reviewer = person(request)
        query = request.query_params
        pin = toolapi.one(house, query.get("server", ""), query.get("tool", ""))
        made = await asyncio.to_thread(card, pin)
        return await page(request, house, "tool.html", {"card": made, **_may(reviewer)})

    type Change = Callable[[Reviewer, dict[str, str]], Awaitable[object]]

    def changing(change: Change) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            reviewer = person(request)
            fields = await form(request)
            try:
                await change(reviewer, fields)
            except ClientError as error:
                return await drawn(request, reviewer, error)
            return RedirectResponse(address("/tools", server=fields.get("from", "")), 303)

        return endpoint

    async def accept(reviewer: Reviewer, fields: dict[str, str]) -> None:
        await toolapi.accept(
            house,
            reviewer,
            *_names(fields),
            digest=fields.get("digest", ""),
            reason=fields.get("reason", ""),
        )

    async def reject(reviewer: Reviewer, fields: dict[str, str]) -> None:
        await toolapi.reject(house, reviewer, *_names(fields), reason=fields.get("reason", ""))

    async def forget(reviewer: Reviewer, fields: dict[str, str]) -> None:
        await toolapi.forget(house, reviewer, *_names(fields), reason=fields.get("reason", ""))

    return [
        Route("/tools", listed),
        Route("/tools/one", shown),
        Route("/tools/accept", changing(accept), methods=["POST"]),
        Route("/tools/reject", changing(reject), methods=["POST"]),
        Route("/tools/forget", changing(forget), methods=["POST"]),
    ]


def card(pin: Pin) -> Card:
    """A tool with what it says; it takes a while."""
    diff = difference(pin)
    lines = diff.split("\n") if diff else []
    compared = is_compared(pin)
    # The first lines name the sides and the place; without another one to compare it with, the
    # empty one stands between.
    kept = lines[3 if compared else 4 :]
    return Card(pin=pin, lines=[_line(text) for text in kept], compared=compared, cut=is_cut(diff))


def _line(text: str) -> Line:
    if text.startswith("@@"):
        return Line("@", [Piece("")])
    sign, rest = text[:1], text[1:]
    if sign not in {"+", "-", " "}:
        sign, rest = "@", text
    found: list[Piece] = []
    for index, part in enumerate(_WRITTEN.split(rest)):
        if index % 2:
            found.append(Piece(part, ODD, "a character that would not be seen, written out"))
        else:
            found += pieces(part)
    return Line(sign, found)


def _names(fields: dict[str, str]) -> tuple[str, str]:
    return fields.get("server", ""), fields.get("tool", "")


def _may(reviewer: Reviewer) -> dict[str, object]:
    return {
        "may_accept": bool(reviewer.roles & {Role.REVIEWER, Role.ADMIN}),
        "may_forget": Role.ADMIN in reviewer.roles,
    }
