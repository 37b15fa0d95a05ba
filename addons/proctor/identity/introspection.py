"""Opaque tokens: the issuer is asked what they say (RFC 7662)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from proctor.errors import AuthenticationError, ConfigurationError, UpstreamError
from proctor.fields import SecretSource
from proctor.identity.claims import check_claims
from proctor.identity.fetch import Fetch, FetchError, Form, Reply
from proctor.identity.jose import strict_object
from proctor.identity.metadata import discover
from proctor.identity.refreshed import Refreshed, Timing
from proctor.identity.refusals import refuse, shown, unreachable, unusable
from proctor.model import Principal
from proctor.runtime.tasks import spawn, stop
from proctor.settings import IssuerSettings

_MAX_ANSWER = 64 * 1024
_MAX_REFUSED = 4096
_MAX_ASKED = 16
_MAX_WAITING = 256
_OK = 200
_CLIENT_FAULT = (400, 401, 403)

type Secret = Callable[[SecretSource], Awaitable[str]]
"""Reads a secret from where it is kept; raises ConfigurationError."""

type _Outcome = Principal | AuthenticationError | UpstreamError


class Introspector:
    """Asks one issuer about opaque tokens.

    Every token is asked about once at a time, some tokens at once, and a refusal is remembered as
    long as an admission.
    """

    def __init__(  # noqa: PLR0913 - all by name, all handed through
        self,
        settings: IssuerSettings,
        *,
        fetch: Fetch,
        secret: Secret,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        timing: Timing,
    ) -> None:
        """Nothing is asked yet; `settings.introspection` is not None."""
        if settings.introspection is None:
            raise ValueError("no introspection configured")
        self._settings = settings
        self._introspection = settings.introspection
        self._fetch = fetch
        self._secret = secret
        self._clock = clock
        self._monotonic = monotonic
        self._endpoint = Refreshed(
            self._discover, name=settings.issuer, monotonic=monotonic, timing=timing
        )
        self._refused: OrderedDict[bytes, tuple[float, AuthenticationError]] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[_Outcome]] = {}
        self._places = asyncio.Semaphore(_MAX_ASKED)

    async def principal(self, token: str, digest: bytes) -> Principal:
        """Whose token it is.

        Args:
            token: The token.
            digest: Its SHA-256.

        Raises:
            AuthenticationError: The issuer says it is not active, or not for us.
            UpstreamError: The issuer cannot be asked.
        """
        known = self._refused.get(digest)
        if known is not None:
            until, error = known
            if self._monotonic() < until:
                raise replace(error)
            del self._refused[digest]
        asked = self._asked.get(digest)
        if asked is None:
            if len(self._asked) >= _MAX_WAITING:
                raise unreachable(self._settings.issuer, got="too many questions under way")
            asked = spawn(self._ask(token), name=f"introspection {self._settings.issuer}")
            self._asked[digest] = asked
            asked.add_done_callback(lambda _task: self._asked.pop(digest, None))
        await asyncio.wait([asked])
        outcome = (
            unreachable(self._settings.issuer, got="no answer")
            if asked.cancelled()
            else asked.result()
        )
        if isinstance(outcome, Principal):
            return outcome
        if isinstance(outcome, AuthenticationError):
            self._remember(digest, outcome)
        raise replace(outcome)

    async def close(self) -> None:
        """Stop what is under way."""
        await stop(*self._asked.values())
        await self._endpoint.close()

    def _remember(self, digest: bytes, error: AuthenticationError) -> None:
        self._refused[digest] = (self._monotonic() + self._introspection.cache, error)
        self._refused.move_to_end(digest)
        if len(self._refused) > _MAX_REFUSED:
            self._refused.popitem(last=False)

    async def _ask(self, token: str) -> _Outcome:
        """An outcome and no exception: several may wait for it, and none of it is our failure."""
        try:
            async with self._places:
                reply = await self._post(token)
            return self._read(reply)
        except (AuthenticationError, UpstreamError) as error:
            return error

    async def _post(self, token: str) -> Reply:
        issuer = self._settings.issuer
        endpoint = self._introspection.endpoint or await self._endpoint.get()
        try:
            secret = await self._secret(self._introspection.client_secret)
        except ConfigurationError as error:
            raise unusable(
                issuer,
                got="no client secret of ours to ask it with",
                expected="one",
                hint=error.hint,
            ) from None
        form = Form(
            fields={"token": token, "token_type_hint": "access_token"},  # RFC 7662, 2.1
            client_id=self._introspection.client_id,
            client_secret=secret,
        )
        try:
            return await self._fetch(endpoint, limit=_MAX_ANSWER, ca=self._settings.ca, form=form)
        except FetchError as error:
            raise unreachable(issuer, got=str(error)) from None

    def _read(self, reply: Reply) -> Principal:
        issuer = self._settings.issuer
        if reply.status in _CLIENT_FAULT:  # RFC 7662, 2.3
            raise unusable(
                issuer,
                got=f"status {reply.status} to a question about a token",
                expected="proctor's own client to be known",
                hint="Check `introspection` of this issuer: client_id and client_secret.",
            )
        if reply.status != _OK:
            raise unreachable(issuer, got=f"status {reply.status} to a question about a token")
        try:
            answer = strict_object(reply.body)
        except ValueError as error:
            raise unusable(issuer, got=f"an answer with {error}", expected="JSON") from None
        return check_answer(answer, self._settings, self._clock())

    async def _discover(self) -> str:
        issuer = self._settings.issuer
        found = (await discover(self._fetch, issuer, self._settings.ca)).introspection_endpoint
        if found is None:
            raise unusable(
                issuer,
                got="a description without introspection_endpoint",
                expected="introspection_endpoint",
                hint="Name it as `endpoint` under `introspection` in proctor.yaml.",
            )
        return found


def check_answer(answer: dict[str, Any], settings: IssuerSettings, now: float) -> Principal:
    """Turn an answer (RFC 7662, 2.2) into a principal.

    Raises:
        AuthenticationError: The token is not active, or does not prove who is asking.
    """
    if answer.get("active") is not True:
        raise refuse(
            "token-inactive",
            "The issuer says the token is not active",
            got="an opaque token that is unknown, expired or revoked",
            expected="an active one",
            hint="Get a fresh token.",
        )
    # The endpoint is this issuer's own, so it need not say who it is; if it does, it must be true.
    if answer.get("iss", settings.issuer) != settings.issuer:
        raise refuse(
            "token-issuer",
            "The token is another issuer's",
            got=shown(answer["iss"]),
            expected=shown(settings.issuer),
        )
    kind = answer.get("token_type", "Bearer")  # RFC 6749, 7.1: letter case does not matter
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise refuse(
            "token-type",
            "The token is of another kind",
            got=f"token_type {shown(kind)}",
            expected="a bearer access token",
        )
    # iat is optional (RFC 7662, 2.2); without it, what counts is how long the token still lives.
    return check_claims({"iat": now, **answer}, settings, now)
