"""A token for the command line: what `proctor login` gets (RFC 8252, with PKCE, RFC 7636).

GET  /login/cli      asks whether the command line on this computer may act
POST /login/cli      yes: leads to http://127.0.0.1:PORT/?code=…&state=…
POST /api/v1/token   {code, verifier} → {token, expires_at, name, subject}; once, within 60 s
DELETE /api/v1/token ends the token that asks
"""

import asyncio
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import Reviewer, Via
from proctor.console.bodies import read_object
from proctor.console.guard import TOKEN, field
from proctor.console.house import House
from proctor.console.limits import Limiter
from proctor.console.problems import Json, refused
from proctor.console.rendering import page
from proctor.console.security import csp
from proctor.console.sessions import PREFIX, Sessions
from proctor.errors import ClientError

_SECONDS = 60
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # SHA-256 in base64url
_STATE = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The command line that waits on this computer."""

    port: str
    challenge: str
    state: str

    @property
    def origin(self) -> str:
        """Where it listens: loopback, and nowhere else."""
        return f"http://127.0.0.1:{self.port}"


def read_caller(port: str, challenge: str, state: str) -> Caller:
    """What `proctor login` has put into the address it opened.

    Raises:
        ClientError: `login-request`.
    """
    if (
        not _PORT.fullmatch(port)
        or int(port) > _MAX_PORT
        or not _CHALLENGE.fullmatch(challenge)
        or not _STATE.fullmatch(state)
    ):
        raise refused(
            400,
            "login-request",
            "This is not an address that `proctor login` opens",
            expected="cli=PORT, challenge and state",
            hint="Run `proctor login` again.",
        )
    return Caller(port=port, challenge=challenge, state=state)


def cli_path(request: Request) -> str:
    """Where a sign-in for the command line goes on.

    Raises:
        ClientError: `login-request`.
    """
    caller = _from_query(request.query_params)
    asked = {"cli": caller.port, "challenge": caller.challenge, "state": caller.state}
    return f"/login/cli?{urlencode(asked)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What giving tokens needs.

    Attributes:
        house: The console's.
        sessions: Who is signed in.
        tries: How often an address may ask.
    """

    house: House
    sessions: Sessions
    tries: Limiter

    def routes(self) -> list[BaseRoute]:
        """The paths above."""
        return [
            Route("/login/cli", self.ask, methods=["GET"]),
            Route("/login/cli", self.answer, methods=["POST"]),
            Route(TOKEN, self.give, methods=["POST"]),
            Route(TOKEN, self.end, methods=["DELETE"]),
        ]

    async def ask(self, request: Request) -> Response:
        """May the command line act for you?"""
        caller = _from_query(request.query_params)
        response = await page(
            request,
            self.house,
            "clilogin.html",
            {
                "port": caller.port,
                "action": "/login/cli",
                "fields": {
                    "cli": caller.port,
                    "challenge": caller.challenge,
                    "state": caller.state,
                    "answer": "yes",
                },
            },
        )
        response.headers["content-security-policy"] = csp(caller.origin)
        return response

    async def answer(self, request: Request) -> Response:
        """Yes: a code; anything else: no."""
        body = await request.body()
        caller = read_caller(field(body, "cli"), field(body, "challenge"), field(body, "state"))
        if field(body, "answer") != "yes":
            asked = {"error": "access_denied", "state": caller.state}
            return RedirectResponse(f"{caller.origin}/?{urlencode(asked)}", status_code=303)
        reviewer: Reviewer = request.state.reviewer
        value = {
            "challenge": caller.challenge,
            "issuer": reviewer.issuer,
            "subject": reviewer.subject,
            "human": reviewer.human,
            "name": reviewer.name,
            "groups": list(reviewer.groups),
            "signed_in_at": reviewer.signed_in_at.isoformat(),
        }
        code = await asyncio.to_thread(self.sessions.put, "cli", value, seconds=_SECONDS)
        asked = {"code": code, "state": caller.state}
        return RedirectResponse(f"{caller.origin}/?{urlencode(asked)}", status_code=303)

    async def give(self, request: Request) -> Response:
        """A token for a code."""
        self.tries.take(request.client.host if request.client else "")
        asked = read_object(await request.body(), {"code": str, "verifier": str})
        kept = await asyncio.to_thread(self.sessions.take, "cli", asked.get("code", ""))
        # Gone whatever comes now: who guesses the verifier has one guess.
        if kept is None or not _answers(asked.get("verifier", ""), str(kept["challenge"])):
            raise ClientError(
                code="login-code",
                message="This code is not good for a token",
                got="an unknown, used or old code, or another's",
                expected=f"the code of `proctor login`, once, within {_SECONDS} s",
                hint="Run `proctor login` again.",
            )
        reviewer = Reviewer(
            issuer=kept["issuer"],
            subject=kept["subject"],
            human=kept["human"],
            name=kept["name"],
            groups=tuple(kept["groups"]),
            signed_in_at=datetime.fromisoformat(kept["signed_in_at"]),
            via=Via.CLI,
        )
        token = await asyncio.to_thread(self.sessions.open, reviewer)
        found = await asyncio.to_thread(self.sessions.find, token, Via.CLI)
        if found is None:
            raise ClientError(
                code="signin-ended", message="This sign-in has ended", hint="Sign in again."
            )
        return Json(
            {
                "token": token,
                "expires_at": found.ends_at.isoformat(timespec="seconds"),
                "name": reviewer.name,
                "subject": reviewer.subject,
            }
        )

    async def end(self, request: Request) -> Response:
        """Sign the command line out."""
        token = request.headers.get("authorization", "").partition(" ")[2].strip()
        if not token.startswith(PREFIX):
            raise refused(
                400,
                "login-request",
                "Only the token of `proctor login` can be ended here",
                expected="that token as Bearer",
            )
        await asyncio.to_thread(self.sessions.end, token)
        return Response(status_code=204)


def _answers(verifier: str, challenge: str) -> bool:
    # RFC 7636, 4.1 and 4.6.
    if not 43 <= len(verifier) <= 128 or not verifier.isascii():  # noqa: PLR2004 - RFC 7636, 4.1
        return False
    made = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _from_query(query: QueryParams) -> Caller:
    return read_caller(query.get("cli", ""), query.get("challenge", ""), query.get("state", ""))
