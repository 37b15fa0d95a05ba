"""Proves who is asking: the token's issuer is found, its signature verified, its claims checked."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from proctor.errors import AuthenticationError, ConfigurationError
from proctor.identity.claims import check_claims, check_header, expired
from proctor.identity.fetch import Fetch
from proctor.identity.introspection import Introspector, Secret
from proctor.identity.jose import MAX_TOKEN, Jws, check_size, is_jws, load_object, parse_jws
from proctor.identity.jwks import KeySource, RemoteKeys
from proctor.identity.local import LOCAL, local_settings
from proctor.identity.localkeys import LocalKeys
from proctor.identity.refreshed import Timing
from proctor.identity.refusals import refuse, shown
from proctor.model import Principal
from proctor.runtime.tasks import spawn, stop
from proctor.settings import IssuerSettings

log = logging.getLogger(__name__)

_MAX_SEEN = 4096
_TICKS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerStatus:
    """How an issuer's keys are, for metrics and readiness.

    Attributes:
        issuer: Its name.
        age: Seconds since it last confirmed its keys; None if there are none.
        failures: Attempts in a row that failed.
    """

    issuer: str
    age: float | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issuer:
    settings: IssuerSettings
    keys: KeySource


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A token that was verified, and by what: `keys` in their `generation`, or until `until`."""

    principal: Principal
    ends_at: float
    keys: KeySource | None = None
    generation: int | None = None
    until: float = 0.0


class Authenticator:
    """Turns tokens into principals."""

    def __init__(  # noqa: PLR0913 - all by name, each a thing of its own
        self,
        issuers: Sequence[IssuerSettings],
        *,
        fetch: Fetch,
        clock: Callable[[], float],
        local_keys: Path | None,
        secret: Secret | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        timing: Timing | None = None,
    ) -> None:
        """Nothing is asked of anyone before `start` or the first token.

        Args:
            issuers: Whose tokens are believed.
            fetch: Asks them; whoever made it closes it.
            clock: Seconds since the epoch.
            local_keys: The local issuer's key file; needed if `local` is among the issuers.
            secret: Reads the client secret; needed if an issuer has `introspection`.
            monotonic: Seconds that never step, for the ages of answers.
            timing: When answers are asked for again.

        Raises:
            ConfigurationError: The issuers cannot be told apart, or something needed is missing.
        """
        self._clock = clock
        self._monotonic = monotonic
        self._timing = timing or Timing()
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._ticker: asyncio.Task[None] | None = None
        self._issuers: dict[str, _Issuer] = {}
        self._introspector: Introspector | None = None
        self._opaque: IssuerSettings | None = None
        for settings in issuers:
            if settings.issuer in self._issuers:
                raise _wrong("Two issuers have the same name", settings, "each once")
            self._issuers[settings.issuer] = self._trust(settings, fetch, local_keys)
            if settings.introspection is not None:
                self._add_introspection(settings, fetch, secret)

    def recall(self, token: str) -> Principal | None:
        """What `authenticate` would say at once of a token that was verified before, or None."""
        if len(token) > MAX_TOKEN:
            return None
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        seen = self._seen.get(digest)
        if seen is None or self._clock() >= seen.ends_at or not self._still_trusted(seen):
            return None
        self._seen.move_to_end(digest)
        return seen.principal

    async def authenticate(self, token: str) -> Principal:
        """The principal that a token proves.

        A token that was verified before costs a look-up, and then this does not suspend. Its
        expiry is checked every time, and a change of its issuer's keys has it verified again.

        Raises:
            AuthenticationError: It proves nothing; `code` says why.
            UpstreamError: Its issuer's keys, or the issuer's word on it, cannot be had.
        """
        check_size(token)
        digest = sha256(token.encode()).digest()
        seen = self._seen.get(digest)
        if seen is not None:
            now = self._clock()
            if now >= seen.ends_at:
                del self._seen[digest]
                raise expired(now - seen.principal.expires_at)
            if self._still_trusted(seen):
                self._seen.move_to_end(digest)
                return seen.principal
        if is_jws(token) or self._introspector is None:
            fresh = await self._verify(token)
        else:
            fresh = await self._ask(token, digest, known=seen is not None)
        self._seen[digest] = fresh
        self._seen.move_to_end(digest)
        if len(self._seen) > _MAX_SEEN:
            self._seen.popitem(last=False)
        return fresh.principal

    async def start(self) -> None:
        """Ask all issuers for their keys, and keep them fresh from now on.

        An issuer that does not answer is reported in the log, and to who brings its token.

        Raises:
            ConfigurationError: The local issuer's key file is open to others or unusable.
        """
        if LOCAL in self._issuers:
            log.warning(
                "The local issuer is trusted: whoever can read its key file can be anyone",
                extra={"event": "issuer.local"},
            )
        await asyncio.gather(*(issuer.keys.warm() for issuer in self._issuers.values()))
        self._ticker = spawn(self._tick(), name="issuers")

    async def close(self) -> None:
        """Stop what is under way."""
        await stop(self._ticker)
        for issuer in self._issuers.values():
            await issuer.keys.close()
        if self._introspector is not None:
            await self._introspector.close()

    def status(self) -> tuple[IssuerStatus, ...]:
        """How the keys of each issuer that has to be asked are."""
        return tuple(
            IssuerStatus(issuer=name, age=issuer.keys.age, failures=issuer.keys.failures)
            for name, issuer in self._issuers.items()
            if isinstance(issuer.keys, RemoteKeys)
        )

    def _trust(self, settings: IssuerSettings, fetch: Fetch, local_keys: Path | None) -> _Issuer:
        if settings.issuer == LOCAL:
            if local_keys is None:
                raise _wrong("There is no place for the local issuer's keys", settings, "a file")
            return _Issuer(settings=local_settings(settings), keys=LocalKeys(local_keys))
        keys = RemoteKeys(settings, fetch=fetch, monotonic=self._monotonic, timing=self._timing)
        return _Issuer(settings=settings, keys=keys)

    def _add_introspection(
        self, settings: IssuerSettings, fetch: Fetch, secret: Secret | None
    ) -> None:
        if self._opaque is not None:
            # An opaque token does not say whose it is, and showing it to both would leak it.
            raise _wrong("Two issuers have `introspection`", settings, "at most one")
        if secret is None:
            raise _wrong("Nobody reads the secret for `introspection`", settings, "a reader")
        self._opaque = settings
        self._introspector = Introspector(
            settings,
            fetch=fetch,
            secret=secret,
            clock=self._clock,
            monotonic=self._monotonic,
            timing=self._timing,
        )

    def _still_trusted(self, seen: _Seen) -> bool:
        if seen.keys is None:
            return self._monotonic() < seen.until
        return seen.generation is not None and seen.keys.generation() == seen.generation

    async def _verify(self, token: str) -> _Seen:
        jws = parse_jws(token)
        claims = load_object(jws.payload, "payload")
        issuer = self._issuer(claims.get("iss"))
        check_header(jws, issuer.settings)
        found = await issuer.keys.find(jws)
        if not found.keys:
            raise _unknown_key(jws, issuer.settings.issuer)
        if not any(key.verifies(jws) for key in found.keys):
            raise refuse(
                "token-signature",
                "The token's signature is not its issuer's",
                got=f"a signature that no key of {issuer.settings.issuer} made",
                expected="the token exactly as it was issued",
                hint="Check that it was copied whole, and that it is this environment's issuer.",
            )
        principal = check_claims(claims, issuer.settings, self._clock())
        return _Seen(
            principal=principal,
            ends_at=principal.expires_at + issuer.settings.leeway,
            keys=issuer.keys,
            generation=found.generation,
        )

    async def _ask(self, token: str, digest: bytes, *, known: bool) -> _Seen:
        settings, introspector = self._opaque, self._introspector
        if settings is None or settings.introspection is None or introspector is None:
            raise refuse("token-malformed", "No issuer of opaque tokens is configured")
        try:
            principal = await introspector.principal(token, digest)
        except AuthenticationError as error:
            # A token that was active a moment ago has most likely expired, so a fresh one helps.
            error.retry = error.retry or (known and error.code == "token-inactive")
            raise
        return _Seen(
            principal=principal,
            ends_at=principal.expires_at + settings.leeway,
            until=self._monotonic() + settings.introspection.cache,
        )

    def _issuer(self, name: object) -> _Issuer:
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise refuse(
                "token-issuer",
                "The token is from an issuer that proctor does not trust",
                got=f"iss {shown(name)}",
                expected=" or ".join(shown(known) for known in self._issuers),
                hint="Get the token from one of these, or add the issuer to proctor.yaml.",
            )
        return issuer

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._timing.refresh / _TICKS)
            for issuer in self._issuers.values():
                issuer.keys.generation()


def _unknown_key(jws: Jws, issuer: str) -> AuthenticationError:
    return refuse(
        "token-key-unknown",
        "The token is signed with a key that its issuer does not publish",
        got=f"kid {shown(jws.kid)}, alg {shown(jws.algorithm)}",
        expected=f"a key of {issuer}",
        hint="Make a new token with `proctor token --local`."
        if issuer == LOCAL
        else "Get a fresh token; if the issuer has just changed its keys, try again in a minute.",
    )


def _wrong(message: str, settings: IssuerSettings, expected: str) -> ConfigurationError:
    return ConfigurationError(
        code="identity-invalid", message=message, got=settings.issuer, expected=expected
    )
