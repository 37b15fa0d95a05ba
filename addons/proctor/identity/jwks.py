"""Key sets of issuers, at hand when a token comes."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from proctor.identity.fetch import Fetch
from proctor.identity.jose import Jws
from proctor.identity.keys import MAX_SET, Key, KeySet, parse_key_set
from proctor.identity.metadata import ask, discover
from proctor.identity.refreshed import Refreshed, Timing
from proctor.identity.refusals import unreachable, unusable
from proctor.settings import IssuerSettings

_MAX_UNKNOWN = 1000
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Keys that may have signed a token, none if the issuer has no such key.

    Attributes:
        keys: The keys.
        generation: Number of the key set that they are from.
    """

    keys: tuple[Key, ...]
    generation: int


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    def generation(self) -> int | None:
        """Number of the key set in force; None if none is to be believed. Never waits."""
        ...

    async def find(self, jws: Jws) -> Found:
        """Keys that may have signed the token; waits only for what is not at hand.

        Raises:
            UpstreamError: There is no key set to be believed.
        """
        ...

    async def warm(self) -> None:
        """Ask for the keys before anyone needs them; failure is reported when someone does."""
        ...

    async def close(self) -> None:
        """Stop what is under way."""
        ...


async def load_keys(settings: IssuerSettings, fetch: Fetch) -> KeySet:
    """Ask an issuer for its key set, now.

    Raises:
        UpstreamError: `issuer-unreachable` or `issuer-invalid`.
    """
    issuer, ca = settings.issuer, settings.ca
    url = settings.jwks_uri or (await discover(fetch, issuer, ca)).jwks_uri
    if url is None:
        raise unusable(issuer, got="a description without jwks_uri", expected="jwks_uri")
    status, body = await ask(fetch, url, issuer=issuer, ca=ca, limit=MAX_SET)
    if status != _OK:
        raise unreachable(issuer, got=f"status {status} for its keys")
    try:
        return parse_key_set(body)
    except ValueError as error:
        raise unusable(
            issuer, got=str(error), expected="a JWK set with public keys for signatures"
        ) from None


class RemoteKeys:
    """An issuer's published key set (RFC 7517), found by discovery or under `jwks_uri`."""

    def __init__(
        self,
        settings: IssuerSettings,
        *,
        fetch: Fetch,
        monotonic: Callable[[], float],
        timing: Timing,
    ) -> None:
        """Nothing is asked for yet; see Refreshed for the arguments."""
        self._settings = settings
        self._fetch = fetch
        self._monotonic = monotonic
        self._timing = timing
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._set = Refreshed(self._load, name=settings.issuer, monotonic=monotonic, timing=timing)

    @property
    def age(self) -> float | None:
        """Seconds since the issuer last confirmed the key set; None if there is none."""
        return self._set.age

    @property
    def failures(self) -> int:
        """Attempts that failed since the last that did not."""
        return self._set.failures

    def generation(self) -> int | None:
        """See KeySource."""
        return None if self._set.current() is None else self._set.generation

    async def find(self, jws: Jws) -> Found:
        """See KeySource.

        A `kid` that is not in the set may be that of a new key, so the set is asked for again:
        once a cool-down, and not for one that was missing in a fresh set a moment ago.
        """
        found = await self._look(jws)
        kid = jws.kid
        if found.keys or kid is None or self._is_unknown(kid):
            return found
        asked = await self._set.renew()
        found = await self._look(jws)
        if not found.keys:
            # It may be new, and the issuer cannot be asked: unknown to us is not unknown to it.
            self._set.check()
            if asked:
                self._remember_unknown(kid)
        return found

    async def warm(self) -> None:
        """See KeySource."""
        if self._set.current() is None:
            await self._set.renew()

    async def close(self) -> None:
        """See KeySource."""
        await self._set.close()

    async def _look(self, jws: Jws) -> Found:
        keys = (await self._set.get()).find(jws)
        return Found(keys=keys, generation=self._set.generation)

    def _is_unknown(self, kid: str) -> bool:
        until = self._unknown.get(kid)
        return until is not None and self._monotonic() < until

    def _remember_unknown(self, kid: str) -> None:
        self._unknown[kid] = self._monotonic() + self._timing.unknown
        self._unknown.move_to_end(kid)
        if len(self._unknown) > _MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    async def _load(self) -> KeySet:
        return await load_keys(self._settings, self._fetch)
