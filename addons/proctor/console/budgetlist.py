"""Budgets: who has used how much, for auditors and admins."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Role
from proctor.budgets.file import NAME, BudgetFile
from proctor.budgets.listing import standings
from proctor.budgets.model import NAMES, Standing, amount
from proctor.console.house import House
from proctor.console.rendering import page, person
from proctor.errors import ProctorError

SHOWN: Final = 500
"""Lines in the table."""

_ALL: Final = frozenset({Role.AUDITOR, Role.ADMIN})


def routes(house: House) -> list[BaseRoute]:
    """`/budgets`."""

    async def listed(request: Request) -> Response:
        may = bool(person(request).roles & _ALL)
        found: Sequence[Standing] = ()
        problem: ProctorError | None = None
        if may and house.budgets:
            try:
                found = await asyncio.to_thread(_read, house)
            except ProctorError as error:
                problem = error
        return await page(
            request,
            house,
            "budgets.html",
            {
                "settings": house.budgets,
                "found": found[:SHOWN],
                "total": len(found),
                "may": may,
                "problem_": problem,
                "amount": amount,
                "names": NAMES,
            },
        )

    return [Route("/budgets", listed)]


def _read(house: House) -> list[Standing]:
    with contextlib.closing(BudgetFile(house.state / NAME)) as file:
        return standings(house.budgets, file, house.clock())
