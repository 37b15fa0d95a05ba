"""Secrets, read where they are kept and kept fresh behind whoever uses them.

    env       read once: a process's environment does not change
    file      read again when it has changed
    command   run again before its value expires, or every five minutes if it does not say when

A refresh that fails is logged, and the old value stays until it expires; an expired value is never
handed out.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proctor.credentials.secrets import Secret, file_version, read_secret
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at files and times."""

RERUN = 300.0
"""Seconds between two runs of a command that gives no expiry."""

_EARLY = 0.2  # of what is left, before the expiry …
_EARLIEST = 300.0  # … but no more seconds than this
_RETRY = 5.0
_RETRY_MAX = 60.0


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


class FreshSecrets:
    """All the secrets of one process."""

    def __init__(
        self, *, clock: Callable[[], float], environment: Mapping[str, str] | None = None
    ) -> None:
        """Nothing is read yet.

        Args:
            clock: Seconds since the epoch.
            environment: Instead of the process's own.
        """
        self._clock = clock
        self._environment = environment
        self._held: dict[SecretSource, _Held] = {}

    def current(self, source: SecretSource) -> Secret | None:
        """A secret that was read before, the same object while it is the same; does not wait."""
        held = self._held.get(source)
        return held.usable(self._clock()) if held else None

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
        """Read again what has changed or will soon expire, or wait for whoever does already.

        Called every `TICK`.
        """
        await asyncio.gather(*(self._renew(held) for held in self._held.values()))

    async def _renew(self, held: _Held) -> None:
        async with held.lock:
            if not await _is_due(held, self._clock()):
                return
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
