"""Signing in and out, in a browser.

/login            what to do; where `cli` is asked for, on to /login/cli (`tokens`)
/login/start      to the issuer
/login/callback   back from it
/login/token      under --dev: a local issuer's token, pasted in
/logout           POST
"""

import asyncio
import hmac
import logging
import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Reviewer, Via
from proctor.console.bearers import Bearers
from proctor.console.cookies import Cookies, csrf_token
from proctor.console.guard import check_form, field
from proctor.console.house import House
from proctor.console.limits import Limiter
from proctor.console.oidc import SignIn
from proctor.console.problems import refused
from proctor.console.rendering import page
from proctor.console.security import local_path
from proctor.console.sessions import Sessions
from proctor.console.tokens import cli_path
from proctor.errors import AuthenticationError
from proctor.identity.refusals import refuse

_PATIENCE = 600
"""Seconds in which a person has to come back from the issuer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What signing in needs.

    Attributes:
        house: The console's.
        sessions: Who is signed in.
        cookies: Of this console.
        signin: The issuer's side; None where there is no issuer.
        bearers: Reads tokens that are pasted in.
        tries: How often an address may begin.
    """

    house: House
    sessions: Sessions
    cookies: Cookies
    signin: SignIn | None
    bearers: Bearers
    tries: Limiter

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route("/login", self.login),
            Route("/login/start", self.start),
            Route("/login/callback", self.callback),
            Route("/login/token", self.paste, methods=["POST"]),
            Route("/logout", self.leave, methods=["POST"]),
        ]

    async def login(self, request: Request) -> Response:
        """What to do to be signed in."""
        out = "out" in request.query_params
        after = local_path(request.query_params.get("next"))
        if "cli" in request.query_params:
            after = cli_path(request)
            # Behind it is the question; whose session is over is led back here.
            signed_in = self.cookies.read(request, self.cookies.session) is not None
            if signed_in or (self.signin is not None and not self.house.dev):
                return RedirectResponse(after, status_code=303)
        cookie = self.cookies.read(request, self.cookies.login) or secrets.token_urlsafe(32)
        request.state.csrf = csrf_token(cookie)
        response = await page(
            request,
            self.house,
            "signin.html",
            {
                "issuer": self.signin.issuer if self.signin else "",
                "start": f"/login/start?{urlencode({'next': after})}",
                "paste": "/login/token" if self.house.dev else "",
                "next": after,
                "error": None,
            },
        )
        self.cookies.put(response, self.cookies.login, cookie, seconds=_PATIENCE)
        farewell = (
            await self.signin.goodbye(f"{self.house.address}/login")
            if (out and self.signin)
            else None
        )
        if farewell is not None:
            # Not a redirect: the form that led here may not lead to another site.
            response.headers["refresh"] = f"0;url={farewell}"
        return response

    async def start(self, request: Request) -> Response:
        """To the issuer, if there is one."""
        own = urlsplit(self.house.address).netloc
        if self.signin is not None and request.headers.get("host", "").lower() != own.lower():
            # The issuer leads back to this name, and cookies belong to one name.
            asked = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{self.house.address}/login/start{asked}", status_code=303)
        after = local_path(request.query_params.get("next"))
        if self.signin is None:
            return RedirectResponse(f"/login?{urlencode({'next': after})}", status_code=303)
        self.tries.take(request.client.host if request.client else "")
        return await self._begin(request, self.signin, after, again=False)

    async def callback(self, request: Request) -> Response:
        """Back from the issuer."""
        answer = dict(request.query_params)
        signin = self.signin
        attempt = None
        if signin is not None and len(answer) == len(request.query_params.multi_items()):
            attempt = await asyncio.to_thread(self.sessions.take, "signin", answer.get("state", ""))
        cookie = self.cookies.read(request, self.cookies.login)
        if (
            signin is None
            or attempt is None
            or cookie is None
            or not hmac.compare_digest(str(attempt["browser"]), _digest(cookie))
        ):
            raise refuse(
                "signin-state",
                "This sign-in was not begun in this browser, or is over",
                got="an answer that nobody here waits for",
                expected="the answer to a sign-in of the last ten minutes, once",
                hint="Sign in again.",
            )
        try:
            reviewer = await signin.finish(answer, attempt["nonce"], attempt["verifier"])
        except AuthenticationError as error:
            if error.code != "signin-too-old" or attempt["again"]:
                raise
            # The issuer remembered this person from too long ago: have them prove it once more.
            return await self._begin(request, signin, attempt["next"], again=True)
        return await self._enter(request, reviewer, attempt["next"])

    async def paste(self, request: Request) -> Response:
        """Under --dev: sign in with a token of the local issuer."""
        if not self.house.dev:
            raise refused(
                403,
                "signin-local",
                "Tokens of the local issuer decide nothing here",
                expected="a sign-in at `console.issuer`",
                hint="For trying proctor out, `proctor run --dev` lets them.",
            )
        self.tries.take(request.client.host if request.client else "")
        body = await request.body()
        check_form(request, body, self.cookies, self.cookies.login)
        signed = await self.bearers.reviewer(field(body, "token").strip())
        reviewer = replace(signed.reviewer, via=Via.CONSOLE)
        return await self._enter(request, reviewer, local_path(field(body, "next")))

    async def leave(self, request: Request) -> Response:
        """End the session."""
        raw = self.cookies.read(request, self.cookies.session)
        if raw is not None:
            await asyncio.to_thread(self.sessions.end, raw)
        response = RedirectResponse("/login?out=1", status_code=303)
        self.cookies.drop(response, self.cookies.session)
        return response

    async def _begin(
        self, request: Request, signin: SignIn, after: str, *, again: bool
    ) -> Response:
        attempt = await signin.begin(again=again)
        cookie = self.cookies.read(request, self.cookies.login) or secrets.token_urlsafe(32)
        value = {
            "nonce": attempt.nonce,
            "verifier": attempt.verifier,
            "next": after,
            "browser": _digest(cookie),
            "again": again,
        }
        await asyncio.to_thread(
            self.sessions.put, "signin", value, seconds=_PATIENCE, raw=attempt.state
        )
        response = RedirectResponse(attempt.url, status_code=303)
        self.cookies.put(response, self.cookies.login, cookie, seconds=_PATIENCE)
        return response

    async def _enter(self, request: Request, reviewer: Reviewer, after: str) -> Response:
        # A new name for every sign-in, and the one that was there is over: nobody fixes it before.
        old = self.cookies.read(request, self.cookies.session)
        if old is not None:
            await asyncio.to_thread(self.sessions.end, old)
        raw = await asyncio.to_thread(self.sessions.open, reviewer)
        log.info(
            "Somebody signed in to the console",
            extra={"event": "console.signed_in", "principal": reviewer.key},
        )
        response = RedirectResponse(after, status_code=303)
        self.cookies.put(response, self.cookies.session, raw)
        self.cookies.drop(response, self.cookies.login)
        return response


def _digest(cookie: str) -> str:
    return sha256(cookie.encode()).hexdigest()
