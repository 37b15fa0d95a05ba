"""A console on a stand-in desk."""

import asyncio
import contextlib
import functools
import html
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from proctor.approval.desk import Desk
from proctor.approval.model import (
    Origin,
    Reviewer,
)
from proctor.approval.settings import RolesSettings
from proctor.budgets.settings import BudgetSettings
from proctor.console.house import House
from proctor.console.pages import routes
from proctor.console.rendering import page
from proctor.errors import ClientError
from proctor.mcp.pins import Pins
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import Features
from proctor.runtime.health import listen
from proctor.settings import ConsoleSettings
from proctor.units import Address
from tests.console.samples import (
    BOB,
    NOW,
    approval,
    asking,
    samples,
)
from tests.console.standin import StandIn

CSRF = "the-page-s-own-token"


RULES = r"""
rules:
  - id: anthropic
    on: llm.request
    then: allow
    reason: The Messages API, for everybody.
  - id: no-remote-features
    on: llm.request
    when: llm.features.size() > 0
    then: deny
    reason: The model is not to search the web.
  - id: destructive-shell
    on: llm.tool_use
    match: ["Bash(rm -rf *)", "Bash(git push --force *)"]
    then: hold
    approval: {from: [platform], grant: 1h}
    reason: Deleting many files at once needs a second pair of eyes.
  - id: mail-tool
    on: llm.tool_use
    match: mcp__mail__send
    then: allow
    restore: [EMAIL_ADDRESS]
  - id: quiet-workflow
    on: llm.request
    when: '"ci" in principal.groups'
    then: allow
    record: metadata
    mode: observe
"""


class _Signed:
    """Signs everybody in as one person, and wants the page's token with what changes anything."""

    def __init__(self, app: ASGIApp, stand: "Stand") -> None:
        self.app = app
        self.stand = stand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        if not request.url.path.startswith("/static/"):
            request.state.reviewer = self.stand.reviewer
            request.state.csrf = CSRF
            request.state.still = self.stand.still

        async def headed(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [
                    (b"content-security-policy", CSP),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        if request.method == "POST":
            body = await request.body()
            token = request.headers.get("x-csrf-token", "")
            if token != CSRF and f"csrf={CSRF}".encode() not in body:
                await Response("csrf", status_code=403)(scope, receive, send)
                return

            given = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def again() -> Any:
                return next(given, None) or await receive()

            await self.app(scope, again, headed)
            return
        await self.app(scope, receive, headed)


CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@functools.cache
def rules_in(folder: Path) -> Policy:
    """The rules above, read as they would be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corp.yaml").write_text(RULES)
    return load_policy(folder, features=Features())


@dataclass
class Stand:
    """The parts a test may change while pages are open."""

    folder: Path
    desk: StandIn = field(default_factory=lambda: StandIn(samples()))
    reviewer: Reviewer = BOB
    dev: bool = False
    now: Callable[[], datetime] = lambda: NOW
    signed_in: bool = True
    pins: Pins | None = None
    upkeep: Any = None
    rules: Path | None = None
    budgets: Sequence[BudgetSettings] = ()

    async def still(self) -> bool:
        return self.signed_in

    @property
    def house(self) -> House:
        return House(
            desk=cast("Desk", self.desk),
            policy=lambda: rules_in(self.folder / "rules"),
            record=self.folder / "recordings",
            settings=ConsoleSettings(),
            issuer=None,
            roles=RolesSettings(),
            state=self.folder / "state",
            address="http://127.0.0.1:9090",
            clock=self.now,
            dev=self.dev,
            lacking=lambda: (),
            pins=self.pins,
            upkeep=self.upkeep,
            rules=self.rules,
            budgets=self.budgets,
        )

    def app(self) -> Starlette:
        """The pages behind somebody's sign-in."""
        house = self.house

        async def refused(request: Request, error: Exception) -> Response:
            assert isinstance(error, ClientError)
            given = {"error": error, "status": error.status}
            return await page(request, house, "error.html", given, status=error.status)

        async def requested(request: Request) -> Response:
            fields = await request.json()
            if not fields.get("reason"):
                return JSONResponse({"detail": "A reason is needed"}, status_code=400)
            asked = asking("Bash", fields["pattern"], number=77, origin=Origin.GRANT)
            self.desk.put(approval(asked, 77))
            return JSONResponse({"id": approval(asked, 77).id}, status_code=201)

        return Starlette(
            routes=[
                *routes(house),
                Route("/api/v1/grants/requests", requested, methods=["POST"]),
            ],
            middleware=[Middleware(_Signed, stand=self)],
            exception_handlers={ClientError: refused},
        )


@contextlib.contextmanager
def served(stand: Stand) -> Iterator[str]:
    """The console on loopback, in a thread; its address."""
    opened = listen(Address(host="127.0.0.1", port=0))
    config = uvicorn.Config(
        stand.app(),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        opened.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page answered."""

    status: int
    text: str
    headers: httpx.Headers


def asked(
    stand: Stand,
    path: str,
    *,
    fields: dict[str, str] | None = None,
    part: bool = False,
    csrf: str = CSRF,
) -> Answer:
    """One request of the person who is signed in: a GET, or a POST where there are fields."""

    async def main() -> Answer:
        transport = httpx.ASGITransport(app=stand.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            headers = {"hx-request": "true"} if part else {}
            if fields is None:
                answer = await client.get(path, headers=headers)
            else:
                answer = await client.post(path, headers=headers, data={"csrf": csrf, **fields})
            return Answer(answer.status_code, answer.text, answer.headers)

    return asyncio.run(main())


def words(markup: str) -> str:
    """The text of a page, as somebody reads it."""
    without = re.sub(r"<(script|title)\b.*?</\1>|<[^>]*>", " ", markup, flags=re.DOTALL)
    return " ".join(html.unescape(without).split())
