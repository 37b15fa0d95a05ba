"""A console with an OpenID provider of its own, and browsers that walk through both."""

import asyncio
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self, override
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from proctor.approval.model import Change, Reviewer
from proctor.approval.settings import RolesSettings
from proctor.console.app import Console, make_console
from proctor.console.house import House
from proctor.fields import SecretSource
from proctor.identity.fetch import HttpFetch
from proctor.identity.refusals import refuse
from proctor.model import Principal
from proctor.settings import ConsoleSettings, IssuerSettings
from proctor.testing.issuer import StandInIssuer

ADDRESS = "http://127.0.0.1:9090"
CLIENT = "console-client"
SECRET = "s3cret of the console's client"
AGENTS = "proctor"
HTML = {"accept": "text/html"}
ROLES = RolesSettings.model_validate(
    {"reviewer": {"groups": ("dba",)}, "admin": {"groups": ("root",)}}
)


@dataclass(slots=True)
class Clock:
    """The time it is, and what was added to it."""

    ahead: float = 0.0

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.ahead, UTC)


class Provider(StandInIssuer):
    """It signs in whoever it is told to, and checks PKCE as RFC 7636, 4.6 has it.

    Attributes:
        person: `sub` and claims of who sits before the browser.
        said: What ID tokens say differently; None takes a claim out.
        userinfo: What userinfo says.
        forms: What was posted to the token endpoint.
        authorizations: The Authorization headers of those posts.
    """

    def __init__(self) -> None:
        super().__init__(path="/realms/corp")
        self.subject = "alice"
        self.groups: list[str] | None = ["dba"]
        self.said: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.forms: list[dict[str, str]] = []
        self.authorizations: list[str] = []
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.document = {}

    @override
    def __enter__(self) -> Self:
        super().__enter__()
        self.document["userinfo_endpoint"] = f"{self.url}/userinfo"
        self.document["end_session_endpoint"] = f"{self.url}/logout"
        return self

    def authorize(self, url: str) -> str:
        """The person proves who they are; where the browser goes next."""
        asked = dict(parse_qsl(urlsplit(url).query))
        self.asked.append(asked)
        code = f"code{len(self.asked)}"
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    @override
    def answer(self, method: str, path: str, body: bytes, authorization: str) -> tuple[int, bytes]:
        if path == "/realms/corp/token":
            self.authorizations.append(authorization)
            form = {name: value[0] for name, value in parse_qs(body.decode()).items()}
            self.forms.append(form)
            return self._redeem(form)
        if path == "/realms/corp/userinfo":
            if authorization != "Bearer the-access-token":
                return 401, b"{}"
            return 200, json.dumps({"sub": self.subject, **self.userinfo}).encode()
        return super().answer(method, path, body, authorization)

    def _redeem(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        asked = self._codes.pop(form.get("code", ""), None)
        made = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or made.rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, b'{"error":"invalid_grant"}'
        token = self.id_token(nonce=asked["nonce"])
        return 200, json.dumps(
            {"id_token": token, "access_token": "the-access-token", "token_type": "Bearer"}
        ).encode()

    def id_token(self, **claims: Any) -> str:
        """An ID token of the person."""
        said: dict[str, Any] = {
            "audience": CLIENT,
            "auth_time": int(time.time()) - 5,
            **claims,
            **self.said,
        }
        audience, subject = said.pop("audience"), said.pop("subject", self.subject)
        made = self.claims(subject, audience=audience, groups=self.groups or (), **_from_now(said))
        if self.groups is None:
            del made["groups"]
        signer = self.signers[-1]
        header = {"alg": signer.algorithm, "kid": signer.kid, "typ": "JWT"}
        return signer.sign(header, json.dumps(made).encode())

    def bearer(self, subject: str = "alice", **changed: Any) -> str:
        """An access token for the console's own audience."""
        said: dict[str, Any] = {
            "audience": "proctor-console",
            "groups": ["dba"],
            "auth_time": int(time.time()) - 5,
            **changed,
        }
        return self.token(subject, **_from_now(said))


def _from_now(said: Mapping[str, Any]) -> dict[str, Any]:
    """Claims with each time that is said as a distance from now."""
    return {
        name: int(time.time() + value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in said.items()
    }


class Changes:
    """A subscription."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self.closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        found = await self.queue.get()
        if found is None:
            raise StopAsyncIteration
        return found


@dataclass(slots=True)
class FakeDesk:
    """It notes what it was asked and by whom, and answers what it was given.

    Attributes:
        calls: Method, and what it got.
        answers: By method; an exception is raised.
        followers: Open subscriptions.
    """

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Any] = field(default_factory=dict)
    followers: list[Changes] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        async def call(*given: Any, **named: Any) -> Any:
            self.calls.append((name, given, named))
            found = self.answers.get(name, [])
            if isinstance(found, Exception):
                raise found
            return found

        return call

    def follow(self) -> Changes:
        self.followers.append(Changes())
        return self.followers[-1]

    @property
    def reviewers(self) -> list[Reviewer]:
        """Who acted, in order."""
        return [
            value for _, given, _ in self.calls for value in given if isinstance(value, Reviewer)
        ]


@dataclass(slots=True, kw_only=True)
class Rig:
    """The console and all around it."""

    provider: Provider
    house: House
    console: Console
    desk: FakeDesk
    clock: Clock
    fetch: HttpFetch

    def browser(self, address: str = ADDRESS) -> httpx.AsyncClient:
        """A new browser; it keeps cookies and follows no redirect by itself."""
        transport = httpx.ASGITransport(app=self.console.app, raise_app_exceptions=True)
        return httpx.AsyncClient(
            transport=transport, base_url=address, headers=HTML, trust_env=False
        )

    async def sign_in(self, browser: httpx.AsyncClient, after: str = "/") -> httpx.Response:
        """All the way through the provider; the last answer of the console."""
        begun = await browser.get("/login/start", params={"next": after})
        assert begun.status_code == 303, begun.text
        return await self.back(browser, begun)

    async def back(self, browser: httpx.AsyncClient, begun: httpx.Response) -> httpx.Response:
        """From a redirect to the provider back to the console."""
        path = self.provider.authorize(begun.headers["location"]).removeprefix(ADDRESS)
        return await browser.get(path)

    async def api(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask the API as a program."""
        headers = {"authorization": f"Bearer {token}", "accept": "*/*"}
        async with self.browser() as client:
            return await client.request(method, f"/api/v1/{path}", headers=headers, **more)


async def _page(request: Request) -> Response:
    reviewer = request.state.reviewer
    return HTMLResponse(f"hello {reviewer.subject}; csrf {request.state.csrf}")


async def _break(_: Request) -> Response:
    raise RuntimeError("the words of an accident, with a sk-secret")


def agents(token: str) -> Principal:
    """What the gateways' own Authenticator would say."""
    if token != "agent-token":
        raise refuse("token-malformed", "The token cannot be read")
    return Principal(
        issuer="https://agents.example",
        subject="bot",
        human="carol",
        groups=("dev",),
        issued_at=0,
        expires_at=2**40,
    )


@asynccontextmanager
async def rig(
    provider: Provider,
    folder: Path,
    *,
    dev: bool = False,
    issuer: bool = True,
    address: str = ADDRESS,
    policy: Any = None,
    pins: Any = None,
    upkeep: Any = None,
    **console: Any,
) -> AsyncIterator[Rig]:
    """A console for a test."""
    clock, desk, fetch = Clock(), FakeDesk(), HttpFetch()
    settings = ConsoleSettings.model_validate(
        {
            **(
                {"issuer": provider.url, "client_id": CLIENT, "client_secret": {"env": "S"}}
                if issuer
                else {}
            ),
            **console,
        }
    )
    house = House(
        desk=desk,  # type: ignore[arg-type]  # a stand-in
        policy=lambda: policy,
        record=folder,
        settings=settings,
        issuer=IssuerSettings(
            issuer=provider.url, audience=AGENTS, groups="groups", human="human", leeway=0
        )
        if issuer
        else None,
        roles=ROLES,
        state=folder / "state",
        address=address,
        clock=clock,
        dev=dev,
        lacking=list,
        pins=pins,
        upkeep=upkeep,
    )

    async def secret(_: SecretSource) -> str:
        return SECRET

    async def admit(token: str) -> Principal:
        return agents(token)

    pages = [Route("/", _page, methods=["GET", "POST"]), Route("/break", _break)]
    made = make_console(house, lambda _: pages, admit=admit, fetch=fetch, secret=secret)
    try:
        yield Rig(provider=provider, house=house, console=made, desk=desk, clock=clock, fetch=fetch)
    finally:
        await made.close()
        await fetch.close()


def csrf_of(page: httpx.Response) -> str:
    """The token on a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"|csrf ([0-9a-f]+)', page.text)
    assert found, page.text
    return found[1] or found[2]
