"""The real credentials, kept ready for the moment of sending and fresh behind it.

    env       read once: a process's environment does not change
    file      read again when it has changed
    command   run again before its value expires, or every five minutes if it does not say when

A refresh that fails is logged, and the old value stays until it expires; an expired value is never
sent. Only `headers_for` and `secret` hand values out.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from proctor.errors import ConfigurationError, InternalError
from proctor.fields import SecretSource
from proctor.runtime.secrets import Secret, file_version, read_secret
from proctor.runtime.tasks import spawn, stop
from proctor.settings import CredentialSettings

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at files and times."""

RERUN = 300.0
"""Seconds between two runs of a command that gives no expiry."""

_EARLY = 0.2  # of what is left, before the expiry …
_EARLIEST = 300.0  # … but no more seconds than this
_RETRY = 5.0
_RETRY_MAX = 60.0

type Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True, kw_only=True)
class _Held:
    """A secret and when to look at it again."""

    source: SecretSource
    name: str
    secret: Secret | None = field(default=None, repr=False)
    due: float = 0.0
    failures: int = 0
    seen: tuple[int, ...] = ()
    """Version of the file at the last attempt: a file that is wrong is reported once."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def usable(self, now: float) -> Secret | None:
        secret = self.secret
        if secret is None or (secret.expires_at is not None and secret.expires_at <= now):
            return None
        return secret


class Credentials:
    """All the secrets of one process."""

    def __init__(
        self,
        credentials: Sequence[CredentialSettings],
        *,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is read before `start`.

        Args:
            credentials: What listeners put in.
            clock: Seconds since the epoch.
            environment: Instead of the process's own.
        """
        self._clock = clock
        self._environment = environment
        self._settings = {item.name: item for item in credentials}
        self._held: dict[SecretSource, _Held] = {}
        self._headers: dict[str, tuple[Secret, Headers]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read every credential, and keep them fresh from now on.

        Raises:
            ConfigurationError: One has no value, or one that cannot be used.
        """
        for item in self._settings.values():
            await self.secret(item.value, f"the credential {item.name!r}")
        self._task = spawn(self._keep(), name="credentials")

    async def close(self) -> None:
        """Stop refreshing."""
        await stop(self._task)

    def headers_for(self, name: str) -> Headers:
        """The headers that carry a credential, ready made; does not wait.

        Raises:
            InternalError: There is no value that holds now.
        """
        item = self._settings[name]
        held = self._held.get(item.value)
        secret = held.usable(self._clock()) if held else None
        if secret is None:
            raise InternalError(
                code="credential-unavailable",
                message=f"There is no valid value for the credential {name!r}",
                hint="The operator finds the cause in proctor's log, or with `proctor doctor`.",
            )
        made = self._headers.get(name)
        if made is None or made[0] is not secret:
            value = f"{item.prefix}{secret.value}".encode("ascii")
            made = self._headers[name] = (secret, ((item.header.encode("ascii"), value),))
        return made[1]

    async def secret(self, source: SecretSource, name: str = "a client secret") -> str:
        """A secret for proctor's own use; read the first time, kept fresh afterwards.

        Raises:
            ConfigurationError: There is no value, or none that can be used.
        """
        held = self._held.get(source)
        if held is None:
            held = self._held[source] = _Held(source=source, name=name)
        secret = held.usable(self._clock())
        if secret is None:
            async with held.lock:
                secret = held.usable(self._clock()) or await self._read(held)
        return secret.value

    async def refresh(self) -> None:
        """Read again what has changed or will soon expire. Called every `TICK` once started."""
        now = self._clock()
        due = [held for held in self._held.values() if await _is_due(held, now)]
        await asyncio.gather(*(self._renew(held) for held in due))

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            await self.refresh()

    async def _renew(self, held: _Held) -> None:
        async with held.lock:
            try:
                await self._read(held)
            except ConfigurationError as error:
                log.error(  # noqa: TRY400 - the message says it all, a traceback adds nothing
                    "%s",
                    error,
                    extra={"event": "credential.stale", "credential": held.name},
                )
                return
        log.info(
            "Read again: %s",
            held.name,
            extra={"event": "credential.refreshed", "credential": held.name},
        )

    async def _read(self, held: _Held) -> Secret:
        if held.source.file is not None:
            held.seen = await asyncio.to_thread(file_version, held.source.file)
        try:
            secret = await read_secret(
                held.source, held.name, environment=self._environment, clock=self._clock
            )
        except ConfigurationError:
            held.failures += 1
            wait = min(_RETRY * 2 ** min(held.failures - 1, 8), _RETRY_MAX)
            held.due = self._clock() + wait
            raise
        held.failures = 0
        held.secret = secret
        held.due = self._next(secret)
        return secret

    def _next(self, secret: Secret) -> float:
        now = self._clock()
        if secret.expires_at is None:
            return now + RERUN
        left = secret.expires_at - now
        return secret.expires_at - min(left * _EARLY, _EARLIEST)


async def _is_due(held: _Held, now: float) -> bool:
    if held.source.file is not None:
        version = await asyncio.to_thread(file_version, held.source.file)
        return version != held.seen
    return held.source.command is not None and now >= held.due
