"""Sends recorded requests to an upstream that is named by its URL, without a listener.

What a listener would see to is seen to here: the rules are asked, a kill counts, and a credential
goes only where proctor.yaml already sends it. The name is looked up once, before humans are asked;
the addresses are part of what they approve, and nothing else is dialled.
"""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import parse_qsl

import certifi
import httpx
from mitmproxy import http

from proctor import __version__
from proctor.approval.killed import ended
from proctor.approval.model import Kill
from proctor.credentials.injection import Injection
from proctor.egress.addresses import Network, parse_network, permitted
from proctor.egress.hosts import HostPattern, parse_authority
from proctor.egress.paths import ambiguous, normalized
from proctor.egress.resolver import Resolver
from proctor.egress.targets import Target
from proctor.errors import ClientError, ConfigurationError, RefusedError
from proctor.fields import secure_url
from proctor.model import (
    Action,
    ActionKind,
    Allow,
    ApprovalTerms,
    CredentialSource,
    Deny,
    Hold,
    HttpFields,
    LlmFields,
    Principal,
    Session,
)
from proctor.protocols.anthropic.request import parse_request
from proctor.protocols.said import joined, said
from proctor.record import Ruling
from proctor.replay.outcome import Outcome
from proctor.replay.plan import Direct, Plan, Request
from proctor.replay.posting import TIMEOUT, UNREACHED, posted
from proctor.units import is_loopback

LISTENER: Final = "replay"
"""What rules see as `action.listener`."""

_MAX_URL: Final = 512
_MAX_SHOWN: Final = 200
_VERSION: Final = "2023-06-01"
# Behind a name that a human has approved together with its addresses; nothing else that is closed.
_PRIVATE: Final = tuple(
    map(parse_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
                        "fc00::/7"))
)  # fmt: skip
_LOOPBACK: Final = tuple(map(parse_network, ("127.0.0.0/8", "::1/128")))
# No address is allowed for being written out: 169.254.169.254 is refused however it is spelled.
_NOBODY: Final = HostPattern.parse("*.nobody.invalid")


class Credentials(Protocol):
    """What is put in."""

    async def fetch(
        self, name: str, principal_key: str, token: str | None, expires_at: float
    ) -> Injection:
        """What is put in for a caller."""
        ...

    def certificate(self, name: str) -> tuple[Path, Path] | None:
        """Certificate and key for TLS, or None."""
        ...


class Judge(Protocol):
    """The rules and kills in force; the Gate."""

    def decide(
        self, principal: Principal, session: Session | None, actions: Sequence[Action]
    ) -> Ruling:
        """What the rules say."""
        ...

    def killed(self, principal: Principal, session: Session | None) -> Kill | None:
        """The kill in force."""
        ...


class Straight:
    """The way to upstreams that no listener leads to.

    Args:
        judge: Asked before humans are, and again before each request leaves.
        credentials: Puts in what is named.
        targets: All that proctor.yaml names, with the credentials that go there.
        resolver: Looks names up.
    """

    def __init__(
        self,
        *,
        judge: Judge,
        credentials: Credentials,
        targets: Iterable[Target],
        resolver: Resolver,
    ) -> None:
        self._judge = judge
        self._credentials = credentials
        self._targets = tuple(targets)
        self._resolver = resolver

    def close(self) -> None:
        """Look up no more names."""
        self._resolver.close()

    async def aim(self, url: str, credential: str, ca: str) -> Direct:
        """What a URL leads to now.

        Args:
            url: https, or http on this machine; a path stands before the recorded ones.
            credential: Put in for it; "" for none.
            ca: Certificates, PEM, by which it is trusted; "" for those the world trusts.

        Raises:
            ClientError: `replay-url`, `replay-address`, `replay-credential`, `replay-ca`.
            UpstreamError: `name-unresolved`.
        """
        host, port, base = _parsed(url)
        tls = url.startswith("https:")
        addresses = await self._resolver.resolve(host, port)
        nets = _LOOPBACK if is_loopback(host) else _PRIVATE
        for text in addresses:
            if kind := _closed(text, nets) or ("" if tls or _loopback(text) else "not loopback"):
                raise RefusedError(
                    "replay-address",
                    "Nothing is sent again to such an address",
                    got=kind,
                    expected="a public or private address, or a URL of this machine",
                    status=403,
                )
        if credential:
            self._known(credential, host, port, tls=tls)
        if ca:
            _context(ca)
        return Direct(
            url=url.rstrip("/"), host=host, port=port, tls=tls, base=base, addresses=addresses,
            credential=credential, ca=ca,
        )  # fmt: skip

    async def terms(self, plan: Plan, principal: Principal) -> tuple[ApprovalTerms, ...]:
        """What the rules ask of humans before this may leave; nothing where they let it pass.

        Raises:
            RefusedError: They say no, or a kill does, or a credential does not go there.
            ClientError: A request cannot be read without doubt.
        """
        if kill := self._judge.killed(principal, None):
            raise ended(kill)
        if plan.direct is None:
            raise ValueError("the plan goes through a listener")
        there = plan.direct
        if there.credential:
            for request in plan.requests:
                self._given(there, there.base + request.path.partition("?")[0])
        actions = await asyncio.to_thread(lambda: [_action(there, r) for r in plan.requests])
        found: dict[ApprovalTerms, None] = {}
        for decision in self._judge.decide(principal, None, actions).decisions:
            match decision.verdict:
                case Deny(rule_id=rule, reason=reason):
                    raise RefusedError("policy-denied", reason, rule_id=rule)
                case Hold(terms=terms):
                    found.update(dict.fromkeys(terms))
                case Allow():
                    pass
        return tuple(found)

    def wire(self, plan: Plan, principal: Principal) -> "Wire":
        """Sends the requests of a plan; nothing leaves before it is entered."""
        if plan.direct is None:
            raise ValueError("the plan goes through a listener")
        return Wire(plan.direct, plan.betas, principal, self._credentials)

    def _known(self, name: str, host: str, port: int, *, tls: bool) -> list[Target]:
        found = [
            each
            for each in self._targets
            if each.credential == name
            and (each.port, each.tls) == (port, tls)
            and each.host.matches(host)
        ]
        if not found:
            raise RefusedError(
                "replay-credential",
                "proctor.yaml does not send this credential there",
                got=name[:_MAX_SHOWN],
                expected="a credential of a listener or destination of this scheme, host and port",
                hint="Nothing is put in without --credential.",
                status=403,
            )
        return found

    def _given(self, there: Direct, path: str) -> None:
        """A destination may be given a credential for some of its paths only."""
        for each in self._known(there.credential, there.host, there.port, tls=there.tls):
            base = each.base.rstrip("/") if each.base is not None else None
            if each.path.matches(path) if base is None else f"{path}/".startswith(f"{base}/"):
                return
        raise RefusedError(
            "replay-credential",
            "proctor.yaml does not send this credential to one of the paths",
            got=there.credential,
            expected="the path of a listener's upstream, route or destination that has it",
            status=403,
        )


class Wire:
    """One replay's connections, to the addresses that were approved and no others."""

    def __init__(
        self, there: Direct, betas: str, principal: Principal, credentials: Credentials
    ) -> None:
        self._there = there
        self._betas = betas
        self._principal = principal
        self._credentials = credentials
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        """Read the certificates.

        Raises:
            ClientError: `replay-ca`.
            ConfigurationError: A credential's certificate cannot be used.
        """
        there = self._there
        shown = self._credentials.certificate(there.credential) if there.credential else None
        verify = await asyncio.to_thread(_context, there.ca, shown) if there.tls else False
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=TIMEOUT,
            trust_env=False,  # what was approved is an address, not a proxy
            headers={"user-agent": f"proctor-replay/{__version__}", "accept-encoding": "identity"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Hang up."""
        if self._client:
            await self._client.__aexit__(kind, error, at)

    async def send(self, request: Request) -> Outcome:
        """One request, and what came of it.

        Raises:
            ProctorError: There is no credential to put in.
        """
        if self._client is None:
            raise RuntimeError("not entered")
        ready = await self._ready(request)
        found = Outcome(status=0)
        for address in self._there.addresses:
            found = await posted(self._client, self._to(self._client, ready, address), request.kind)
            if found.error not in UNREACHED:
                break
        return found

    async def _ready(self, request: Request) -> http.Request:
        """The request as it leaves, with what is put in."""
        there = self._there
        ready = http.Request.make(
            request.method,
            f"{there.url}{request.path}",
            request.body,
            ((b"host", _authority(there).encode()),),
        )
        # As it was approved: make() would spell it anew.
        ready.data.path = f"{there.base}{request.path}".encode("utf-8", "surrogateescape")
        ready.headers.update(meant(request, self._betas))
        if there.credential:
            who = self._principal
            put = await self._credentials.fetch(there.credential, who.key, None, who.expires_at)
            put.apply(ready)
        return ready

    def _to(self, client: httpx.AsyncClient, ready: http.Request, address: str) -> httpx.Request:
        there = self._there
        host = f"[{address}]" if ":" in address else address
        url = httpx.URL(f"{'https' if there.tls else 'http'}://{host}:{there.port}")
        return client.build_request(
            ready.method,
            url.copy_with(raw_path=ready.data.path),
            headers=list(ready.headers.fields),
            content=ready.raw_content or b"",
            # The name that its certificate has to be for (RFC 9110, 4.3.4).
            extensions={"sni_hostname": there.host} if there.tls else {},
        )


def meant(request: Request, betas: str) -> dict[str, str]:
    """The headers that say what a request is.

    Args:
        request: As recorded.
        betas: `anthropic-beta`, for requests to the model; "" for none.
    """
    found = {"content-type": request.content_type} if request.content_type else {}
    if request.kind is ActionKind.LLM_REQUEST:
        found["anthropic-version"] = _VERSION
        if betas:
            found["anthropic-beta"] = betas
    return found


def _parsed(url: str) -> tuple[str, int, str]:
    """Host, port and path without a slash at its end."""
    try:
        secure_url(url)
        authority, _, path = url.partition("://")[2].partition("/")
        host, port = parse_authority(authority, 443 if url.startswith("https:") else 80)
        base = f"/{path}".rstrip("/")
        if len(url) <= _MAX_URL and not ambiguous(base or "/"):
            return host, port, base
    except (ValueError, ClientError):
        pass  # said below; a URL may hold what is nobody's business
    raise ClientError(
        "replay-url",
        "Nothing can be sent again to such a URL",
        expected="https://host, perhaps with port and path; http on this machine only; no user,"
        " query or fragment",
    )


def _closed(text: str, nets: Sequence[Network]) -> str:
    return permitted(ip_address(text), _NOBODY, nets)


def _loopback(text: str) -> bool:
    return ip_address(text).is_loopback


def _authority(there: Direct) -> str:
    """The Host header (RFC 9110, 7.2): without the port that the scheme means anyway."""
    host = f"[{there.host}]" if ":" in there.host else there.host
    return host if there.port == (443 if there.tls else 80) else f"{host}:{there.port}"


def _context(ca: str, shown: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    try:
        if ca:
            context = ssl.create_default_context(cadata=ca)
        else:
            context = ssl.create_default_context(cafile=certifi.where())
    except (ssl.SSLError, ValueError):
        raise ClientError(
            "replay-ca", "These are no certificates", expected="PEM, one or more certificates"
        ) from None
    if shown is None:
        return context
    try:
        context.load_cert_chain(*shown)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            "tls-files",
            "The credential's certificate cannot be used",
            expected="readable PEM files, the key fitting the certificate",
        ) from None
    return context


def _action(there: Direct, request: Request) -> Action:
    """What rules see of it."""
    path, _, query = f"{there.base}{request.path}".partition("?")
    if ambiguous(path):
        raise ClientError(
            "path-ambiguous",
            "The path could be read in two ways",
            expected="a path without dot segments (RFC 3986 3.3), also when it is decoded",
        )
    kind = request.content_type.partition(";")[0].strip().lower()
    llm, told = None, None
    if request.kind is ActionKind.LLM_REQUEST:
        message = parse_request(request.body)
        llm = LlmFields(
            model=message.model,
            stream=message.stream,
            max_tokens=message.max_tokens,
            tools=message.tools,
            features=message.features,
            request_class="messages",
        )
    elif request.body:
        told = said(request.body, kind, request.content_type)
    return Action(
        kind=request.kind,
        listener=LISTENER,
        target=f"{request.method} {there.url}{request.path}",
        content=(request.body,),
        size=len(request.body),
        http=HttpFields(
            method=request.method,
            scheme="https" if there.tls else "http",
            host=there.host,
            port=there.port,
            path=normalized(path),
            query=joined(parse_qsl(query, keep_blank_values=True)) if query else {},
            headers={"content-type": request.content_type} if request.content_type else {},
            content_type=kind,
            json=None if isinstance(told, str) else told,
            credential=CredentialSource.INJECTED if there.credential else CredentialSource.NONE,
        ),
        llm=llm,
    )
