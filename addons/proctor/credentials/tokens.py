"""The tokens of one OAuth credential: got once, kept while they hold, got again before they end.

Client credentials: one token. An exchange: one for each caller's token, which it never outlives.

    nothing ──got──▶ good ──near its end──▶ due ──end──▶ nothing
       │              │                      │
       └─failed: the  └─401 of the upstream  └─asked for behind the caller; failed: stays due
         error holds    ▶ nothing
         for a second
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256

from proctor.credentials.injection import Injection, bearer
from proctor.credentials.oauth import Token, TokenEndpoint
from proctor.credentials.settings import Grant
from proctor.errors import ConfigurationError, InternalError, UpstreamError
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)

MAX_TOKENS = 1024
"""Callers whose tokens are kept, the latest ones."""

ERROR_SECONDS = 1.0
"""How long a failure is the answer to everyone."""

RETRY = 5.0
"""Seconds after a failure before a token that still holds is asked for again."""

YOUNG = 10.0
"""Seconds in which an upstream's 401 is not taken for the token's fault."""

_MAX_ASKED = 16
_MAX_WAITING = 256
_EARLY = 0.2  # of its life, before its end …
_EARLIEST = 300.0  # … but no more seconds than this


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A token, ready to be put in."""

    injection: Injection = field(repr=False)
    got_at: float
    refresh_at: float
    ends_at: float
    subject_ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    error: UpstreamError | InternalError
    at: float


class Tokens:
    """The tokens of one credential."""

    def __init__(self, endpoint: TokenEndpoint, *, clock: Callable[[], float]) -> None:
        """Nothing is asked yet.

        Args:
            endpoint: Gives them.
            clock: Seconds since the epoch.
        """
        self._endpoint = endpoint
        self._clock = clock
        self._exchange = endpoint.settings.grant is Grant.TOKEN_EXCHANGE
        self._kept: OrderedDict[bytes, _Entry] = OrderedDict()
        self._failed: OrderedDict[bytes, _Failure] = OrderedDict()
        self._asked: dict[bytes, asyncio.Task[_Entry | _Failure]] = {}
        self._places = asyncio.Semaphore(_MAX_ASKED)

    def ready(self, principal_key: str, token: str | None) -> Injection | None:
        """What is put in for a caller, or None where it has to be fetched; does not wait.

        Args:
            principal_key: `Principal.key`.
            token: The caller's own, which is exchanged.
        """
        key = self._key(principal_key, token)
        entry = self._kept.get(key) if key is not None else None
        now = self._clock()
        if key is None or entry is None or now >= entry.ends_at:
            return None
        self._kept.move_to_end(key)
        if now >= entry.refresh_at and self._may_retry(key, now):
            self._start(key, token, entry.subject_ends)
        return entry.injection

    async def fetch(self, principal_key: str, token: str | None, expires_at: float) -> Injection:
        """What is put in for a caller; all who wait for the same wait for one question.

        Args:
            principal_key: `Principal.key`.
            token: The caller's own, which is exchanged.
            expires_at: Its end, seconds since the epoch.

        Raises:
            UpstreamError: The server gives none.
            InternalError: Proctor has nothing to ask with.
        """
        found = self.ready(principal_key, token)
        if found is not None:
            return found
        key = self._key(principal_key, token)
        if key is None:
            raise _unavailable(
                self._endpoint.name, "It is got on a caller's behalf, and this one has no token"
            )
        failure = self._failed.get(key)
        if failure is not None and 0 <= self._clock() - failure.at < ERROR_SECONDS:
            raise replace(failure.error)
        task = self._start(key, token, expires_at)
        if task is None:
            raise _unavailable(self._endpoint.name, "Too many wait for the server's answer")
        await asyncio.wait([task])
        if task.cancelled():
            raise _unavailable(self._endpoint.name, "The question was broken off")
        outcome = task.result()
        if isinstance(outcome, _Failure):
            raise replace(outcome.error)
        return outcome.injection

    def rejected(self, principal_key: str, token: str | None) -> None:
        """The upstream did not take the token: the next caller gets a new one.

        One that is young stays, or an upstream that takes none would have one asked for each time.
        """
        key = self._key(principal_key, token)
        entry = self._kept.get(key) if key is not None else None
        if key is not None and entry is not None and self._clock() - entry.got_at >= YOUNG:
            del self._kept[key]

    def keep(self) -> None:
        """Forget what has ended, and ask ahead for what needs no caller; called every second."""
        now = self._clock()
        for key in [key for key, entry in self._kept.items() if now >= entry.ends_at]:
            del self._kept[key]
        if self._exchange:
            return
        entry = self._kept.get(b"")
        if (entry is None or now >= entry.refresh_at) and self._may_retry(b"", now):
            self._start(b"", None, float("inf"))

    async def close(self) -> None:
        """Stop what is under way, and forget all."""
        await stop(*self._asked.values())
        self._kept.clear()

    def _key(self, principal_key: str, token: str | None) -> bytes | None:
        if not self._exchange:
            return b""
        if not token:
            return None
        # No key holds a token; and an issuer and subject hold no NUL (identity.claims).
        return sha256(f"{principal_key}\0{token}".encode("utf-8", "surrogatepass")).digest()

    def _may_retry(self, key: bytes, now: float) -> bool:
        failure = self._failed.get(key)
        return failure is None or not 0 <= now - failure.at < RETRY

    def _start(
        self, key: bytes, token: str | None, subject_ends: float
    ) -> asyncio.Task[_Entry | _Failure] | None:
        task = self._asked.get(key)
        if task is None and len(self._asked) < _MAX_WAITING:
            task = spawn(self._ask(key, token, subject_ends), name=f"token {self._endpoint.name}")
            self._asked[key] = task
            task.add_done_callback(lambda _task: self._asked.pop(key, None))
        return task

    async def _ask(self, key: bytes, token: str | None, subject_ends: float) -> _Entry | _Failure:
        """An outcome and no exception: several may wait for it, or nobody."""
        try:
            async with self._places:
                found = await self._endpoint.ask(token if self._exchange else None)
        except (UpstreamError, ConfigurationError) as error:
            return self._fail(key, error)
        if not self._exchange:
            subject_ends = float("inf")
        self._failed.pop(key, None)
        entry = _entry(found, subject_ends)
        self._kept[key] = entry
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_TOKENS:
            self._kept.popitem(last=False)
        return entry

    def _fail(self, key: bytes, error: UpstreamError | ConfigurationError) -> _Failure:
        log.warning(
            "There is no token: %s",
            error,
            extra={"event": "token.failed", "credential": self._endpoint.name},
        )
        failure = _Failure(
            error=error
            if isinstance(error, UpstreamError)
            else _unavailable(self._endpoint.name, error.message),
            at=self._clock(),
        )
        self._failed[key] = failure
        self._failed.move_to_end(key)
        if len(self._failed) > MAX_TOKENS:
            self._failed.popitem(last=False)
        return failure


def _entry(token: Token, subject_ends: float) -> _Entry:
    life = token.expires_at - token.got_at
    return _Entry(
        injection=bearer(token.value),
        got_at=token.got_at,
        refresh_at=token.expires_at - min(life * _EARLY, _EARLIEST),
        ends_at=min(token.expires_at, subject_ends),
        subject_ends=subject_ends,
    )


def _unavailable(name: str, got: str) -> InternalError:
    return InternalError(
        code="credential-unavailable",
        message=f"There is no valid value for the credential {name!r}",
        got=got,
        hint="The operator finds the cause in proctor's log, or with `proctor doctor`.",
    )
