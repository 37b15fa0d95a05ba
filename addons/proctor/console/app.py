"""The console put together: sign-in, API and pages behind one guard, and one shell around all."""

import html
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from proctor.console.api import Admit, Api
from proctor.console.bearers import Bearers
from proctor.console.cookies import Cookies
from proctor.console.guard import Guard
from proctor.console.house import House
from proctor.console.limits import Limiter
from proctor.console.oidc import Asks, SignIn
from proctor.console.problems import for_program, problem_json, refused, status_of
from proctor.console.readings import Readings
from proctor.console.recordapi import RecordApi
from proctor.console.rendering import page
from proctor.console.replayapi import ReplayApi
from proctor.console.security import Shell
from proctor.console.sessions import Sessions
from proctor.console.signin import Door
from proctor.console.stream import Streams
from proctor.console.tokens import Tokens
from proctor.console.toolapi import ToolApi
from proctor.errors import ProctorError
from proctor.identity.introspection import Secret
from proctor.identity.local import LOCAL

_SIGN_INS = 30
_WRONG_TOKENS = 30
_WISHES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The console of one gateway.

    Attributes:
        app: To be mounted at `/`.
        sessions: Who is signed in; Slack's buttons ask it, too.
        close: Lets go of everything.
    """

    app: Starlette
    sessions: Sessions
    close: Callable[[], Awaitable[None]]


def make_console(  # noqa: PLR0913 - all by name, each a thing of its own
    house: House,
    extra_routes: Callable[[Sessions], Sequence[BaseRoute]] = lambda _: (),
    *,
    admit: Admit,
    fetch: Asks,
    secret: Secret,
    monotonic: Callable[[], float] = time.monotonic,
) -> Console:
    """Build the console; nothing is asked of anyone yet.

    Args:
        house: What it stands on.
        extra_routes: The pages and whatever else stands behind the guard, given the sessions.
        admit: Who an agent's token proves: an agent may ask for a grant.
        fetch: Asks the issuer; whoever made it closes it.
        secret: Reads `console.client_secret`.
        monotonic: Seconds that never step.

    Raises:
        ConfigurationError: An agent's token would be one for the console, or others can read the
            file of sessions.
        ApprovalError: That file cannot be used.
    """
    cookies = Cookies(house.address)
    bearers = Bearers(house, fetch=fetch)
    sessions = Sessions(
        house.state,
        house.settings,
        house.roles,
        issuer=house.issuer.issuer if house.issuer else None,
        clock=house.clock,
        dev=house.dev,
    )
    signin = None
    if house.issuer is not None and house.issuer.issuer != LOCAL:
        signin = SignIn(house, house.issuer, fetch=fetch, secret=secret, monotonic=monotonic)

    def limiter(number: int, what: str) -> Limiter:
        return Limiter(burst=number, per_minute=number, monotonic=monotonic, what=what)

    tries, failures = limiter(_SIGN_INS, "sign-ins"), limiter(_WRONG_TOKENS, "wrong tokens")
    door = Door(
        house=house,
        sessions=sessions,
        cookies=cookies,
        signin=signin,
        bearers=bearers,
        tries=tries,
    )
    api = Api(
        house=house,
        admit=admit,
        failures=failures,
        wishes=limiter(_WISHES, "requests for grants"),
        streams=Streams(desk=house.desk),
    )

    async def show(request: Request, error: ProctorError) -> Response:
        if for_program(request):
            return problem_json(error)
        return await _error_page(request, house, error)

    async def show_http(request: Request, error: Exception) -> Response:
        return await show(request, _http(error))

    app = Starlette(
        routes=[
            *door.routes(),
            *Tokens(house=house, sessions=sessions, tries=tries).routes(),
            *api.routes(),
            *ToolApi(house=house).routes(),
            *RecordApi(house=house).routes(),
            *ReplayApi(house=house, readings=Readings(house.record)).routes(),
            *extra_routes(sessions),
        ],
        middleware=[
            Middleware(Shell, address=house.address, listen=house.settings.listen, show=show),
            Middleware(
                Guard, sessions=sessions, bearers=bearers, cookies=cookies, failures=failures
            ),
        ],
        exception_handlers={HTTPException: show_http},
    )

    async def close() -> None:
        if signin is not None:
            await signin.close()
        await bearers.close()
        sessions.close()

    return Console(app=app, sessions=sessions, close=close)


def _http(error: Exception) -> ProctorError:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:  # noqa: PLR2004 - HTTP's own number
        return refused(404, "not-found", "There is nothing here")
    return refused(status, "request-wrong", "The console does not take this request")


async def _error_page(request: Request, house: House, error: ProctorError) -> Response:
    status = status_of(error)
    given = {"error": error, "status": status}
    try:
        return await page(request, house, "error.html", given, status=status)
    except (ProctorError, TemplateError):
        # The frame of the page needs what may be just what does not work.
        words = html.escape(str(error))
        return HTMLResponse(
            f"<!doctype html><html lang=en><meta charset=utf-8><title>proctor</title><p>{words}",
            status_code=status,
        )
