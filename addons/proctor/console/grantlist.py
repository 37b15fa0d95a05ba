"""Grants: what passes without asking for a while. They are taken back here.

Asking for one goes through the API, as from the command line: the page's script sends the form
there.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Reviewer, Role
from proctor.console.house import House
from proctor.console.rendering import form, page, person
from proctor.errors import ClientError

SHOWN = 200


def routes(house: House) -> list[BaseRoute]:
    """`/grants`."""

    async def drawn(
        request: Request, reviewer: Reviewer, error: ClientError | None = None
    ) -> Response:
        everything = request.query_params.get("show") == "all"
        found = await house.desk.grants(reviewer, open_only=not everything)
        grantable = [
            rule
            for rule in house.policy().rules
            if rule.then == "hold" and rule.terms is not None and rule.terms.grant is not None
        ]
        return await page(
            request,
            house,
            "grants.html",
            {
                "grants": found[:SHOWN],
                "more": max(0, len(found) - SHOWN),
                "everything": everything,
                "rules": grantable,
                "error": error,
                "may_revoke_some": bool(reviewer.roles & {Role.REVIEWER, Role.ADMIN}),
            },
            status=error.status if error else 200,
        )

    async def listed(request: Request) -> Response:
        return await drawn(request, person(request))

    async def revoke(request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        name = request.path_params["name"]
        try:
            await house.desk.revoke(name, reviewer, fields.get("reason", ""))
        except ClientError as error:
            return await drawn(request, reviewer, error)
        return RedirectResponse("/grants", status_code=303)

    return [
        Route("/grants", listed),
        Route("/grants/{name}/revoke", revoke, methods=["POST"]),
    ]
