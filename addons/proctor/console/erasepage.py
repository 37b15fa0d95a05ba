"""Erasing a session from its page: admins, who tick a box and say why."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.console.house import House
from proctor.console.recordapi import erase, subject_of
from proctor.console.rendering import form, page, person
from proctor.errors import ClientError
from proctor.evidence.holds import Subject


def routes(house: House) -> list[BaseRoute]:
    """`/sessions/erase`."""

    async def erased(request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        try:
            subject = _sure(fields)
            order, scopes = await erase(house, reviewer, subject, fields.get("reason", ""))
        except ClientError as error:
            return await page(request, house, "erased.html", {"error": error}, status=error.status)
        given = {"error": None, "order": order, "scopes": scopes}
        return await page(request, house, "erased.html", given)

    return [Route("/sessions/erase", erased, methods=["POST"])]


def _sure(fields: Mapping[str, str]) -> Subject:
    if fields.get("sure") != "yes":
        raise ClientError(
            code="form-invalid",
            message="Nothing was erased",
            hint="Nothing brings it back: tick the box, too.",
        )
    return subject_of(fields)
