"""The kill switch: ends what runs, refuses what is new, until it is lifted."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import KillScope, Reviewer, Role
from proctor.console.house import House
from proctor.console.rendering import form, page, person
from proctor.errors import ClientError

SHOWN = 200


def routes(house: House) -> list[BaseRoute]:
    """`/kills`."""

    async def drawn(
        request: Request,
        reviewer: Reviewer,
        error: ClientError | None = None,
        typed: dict[str, str] | None = None,
    ) -> Response:
        found = await house.desk.kills(reviewer, in_force=False)
        if typed is None:
            typed = {name: request.query_params.get(name, "") for name in ("scope", "target")}
        return await page(
            request,
            house,
            "kills.html",
            {
                "in_force": [each for each in found if each.lifted_at is None],
                "lifted": [each for each in found if each.lifted_at is not None][:SHOWN],
                "scopes": list(KillScope),
                "may_kill": Role.ADMIN in reviewer.roles,
                "typed": typed,
                "error": error,
            },
            status=error.status if error else 200,
        )

    async def listed(request: Request) -> Response:
        return await drawn(request, person(request))

    async def kill(request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        try:
            scope = _scope(fields.get("scope", ""), sure=fields.get("sure") == "yes")
            target = "" if scope is KillScope.ALL else fields.get("target", "")
            await house.desk.kill(scope, target, reviewer, fields.get("reason", ""))
        except ClientError as error:
            return await drawn(request, reviewer, error, fields)
        return RedirectResponse("/kills", status_code=303)

    async def lift(request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        name = request.path_params["name"]
        try:
            await house.desk.lift(name, reviewer, fields.get("reason", ""))
        except ClientError as error:
            return await drawn(request, reviewer, error, {})
        return RedirectResponse("/kills", status_code=303)

    return [
        Route("/kills", listed),
        Route("/kills", kill, methods=["POST"]),
        Route("/kills/{name}/lift", lift, methods=["POST"]),
    ]


def _scope(text: str, *, sure: bool) -> KillScope:
    try:
        scope = KillScope(text)
    except ValueError:
        raise ClientError(
            code="form-invalid", message="What is to be ended?", expected=", ".join(KillScope)
        ) from None
    if scope is KillScope.ALL and not sure:
        raise ClientError(
            code="form-invalid",
            message="Nothing was ended",
            hint="To end everything for everybody, tick the box, too.",
        )
    return scope
