"""Every credential of one process, ready for the moment of sending.

Only `ready`, `fetch`, `login` and `secret` hand anything out, and `certificate` names files.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from proctor.credentials.echo import Values, values_of
from proctor.credentials.fresh import TICK, FreshSecrets
from proctor.credentials.injection import (
    Injection,
    Nothing,
    PutHeader,
    PutQuery,
    PutSignature,
    basic,
)
from proctor.credentials.oauth import TokenEndpoint, read_key
from proctor.credentials.secrets import Secret
from proctor.credentials.settings import CredentialSettings, Kind
from proctor.credentials.sigv4 import Keys, Scope
from proctor.credentials.tokens import Tokens
from proctor.errors import ConfigurationError, InternalError
from proctor.fields import SecretSource
from proctor.identity.fetch import Fetch
from proctor.runtime.tasks import spawn, stop
from proctor.runtime.tls import Contexts, Trusted

log = logging.getLogger(__name__)


class Credentials:
    """All the credentials of one process, and the secrets it needs for itself."""

    def __init__(
        self,
        credentials: Sequence[CredentialSettings],
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.time,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is read or asked before `start`.

        Args:
            credentials: What is put in for clients.
            fetch: Asks authorization servers; needed where a credential has `oauth`. Whoever made
                it closes it, after this.
            clock: Seconds since the epoch.
            environment: Instead of the process's own.
        """
        self._clock = clock
        self._settings = {item.name: item for item in credentials}
        self._sources = {item.name: item.sources for item in credentials}
        self._secrets = FreshSecrets(clock=clock, environment=environment)
        self._made: dict[str, tuple[tuple[Secret, ...], Injection]] = {}
        self._tokens: dict[str, Tokens] = {}
        self._read: dict[str, tuple[str, ...]] = {}
        self._values: tuple[Values, ...] = ()
        self._task: asyncio.Task[None] | None = None
        for item in credentials:
            if item.oauth is None:
                continue
            if fetch is None:
                raise ValueError("a credential with `oauth` needs a fetch")
            endpoint = TokenEndpoint(
                item.name, item.oauth, fetch=fetch, secret=self.secret, clock=clock
            )
            self._tokens[item.name] = Tokens(endpoint, clock=clock)

    async def start(self) -> None:
        """Read every credential, ask for tokens, and keep all of them fresh from now on.

        A server that gives no token is reported in the log, and to whoever needs it.

        Raises:
            ConfigurationError: One has no value, or one that cannot be used.
        """
        for item in self._settings.values():
            for source in item.sources:
                await self.secret(source, f"the credential {item.name!r}")
            await asyncio.to_thread(check_files, item)
        self._note()
        self._task = spawn(self._keep(), name="credentials")

    async def close(self) -> None:
        """Stop refreshing."""
        await stop(self._task)
        for tokens in self._tokens.values():
            await tokens.close()

    def ready(self, name: str, principal_key: str, token: str | None) -> Injection | None:
        """What is put in for a caller, or None where it has to be fetched; does not wait.

        Args:
            name: The credential's.
            principal_key: `Principal.key` of the caller.
            token: The caller's own; only an exchange looks at it.
        """
        tokens = self._tokens.get(name)
        if tokens is not None:
            return tokens.ready(principal_key, token)
        secrets: list[Secret] = []
        for source in self._sources[name]:
            secret = self._secrets.current(source)
            if secret is None:
                return None
            secrets.append(secret)
        made = self._made.get(name)
        if made is None or any(old is not new for old, new in zip(made[0], secrets, strict=True)):
            self._note()
            injection = _injection(self._settings[name], secrets, self._clock)
            made = self._made[name] = (tuple(secrets), injection)
        return made[1]

    async def fetch(
        self, name: str, principal_key: str, token: str | None, expires_at: float
    ) -> Injection:
        """What is put in for a caller; waits for a token where one has to be got.

        Args:
            name: The credential's.
            principal_key: `Principal.key` of the caller.
            token: The caller's own; only an exchange looks at it.
            expires_at: The end of that, seconds since the epoch.

        Raises:
            UpstreamError: `token-refused`, `token-unavailable` or `token-unusable`.
            InternalError: `credential-unavailable`: there is no value that holds now.
        """
        tokens = self._tokens.get(name)
        if tokens is not None:
            return await tokens.fetch(principal_key, token, expires_at)
        found = self.ready(name, principal_key, token)
        if found is None:
            raise _unavailable(name)
        return found

    def rejected(self, name: str, principal_key: str, token: str | None) -> None:
        """The upstream answered 401 to what was put in: a token that is not young is dropped."""
        tokens = self._tokens.get(name)
        if tokens is not None:
            tokens.rejected(principal_key, token)

    def known(self, name: str | None, put: Injection | None) -> tuple[Values, ...]:
        """What no agent may read in an answer: all that was read, and what was put in.

        Args:
            name: The credential that was put in.
            put: As it was put in.
        """
        if put and name and name in self._tokens:
            own = values_of(tuple((value, name) for value in put.secrets))
            return (*self._values, own) if own else self._values
        return self._values

    def certificate(self, name: str) -> tuple[Path, Path] | None:
        """Certificate and key to show in TLS, or None where the credential is another."""
        item = self._settings[name]
        return (item.cert, item.key) if item.cert and item.key else None

    async def login(self, name: str) -> tuple[str, Secret]:
        """User and password of a credential with `user`, which hold now.

        Raises:
            InternalError: `credential-unavailable`.
        """
        item = self._settings[name]
        if item.user is None or item.password is None:
            raise ValueError(f"{name} is no credential with a user")
        try:
            await self._secrets.secret(item.password, f"the credential {name!r}")
        except ConfigurationError as error:
            log.error("%s", error, extra={"event": "credential.stale", "credential": name})  # noqa: TRY400 - said in full
            raise _unavailable(name) from None
        secret = self._secrets.current(item.password)
        if secret is None:
            raise _unavailable(name)
        self._note()
        return item.user, secret

    async def secret(self, source: SecretSource, name: str = "a client secret") -> str:
        """A secret for proctor's own use; read the first time, kept fresh afterwards.

        Raises:
            ConfigurationError: There is no value, or none that can be used.
        """
        return await self._secrets.secret(source, name)

    async def refresh(self) -> None:
        """Read and ask again for what has changed or will soon end. Called every `TICK`."""
        await self._secrets.refresh()
        self._note()
        for tokens in self._tokens.values():
            tokens.keep()

    def _note(self) -> None:
        """Have what was read searched for in answers, and what it took the place of, too."""
        changed = False
        for name, item in self._settings.items():
            found = map(self._secrets.current, item.secrets)
            now = tuple(secret.value for secret in found if secret is not None)
            before = self._read.get(name, ())
            if not set(now).issubset(before):
                self._read[name] = tuple(dict.fromkeys((*now, *before)))[: 2 * len(item.secrets)]
                changed = True
        if changed:
            known = values_of(tuple(self._all()))
            self._values = (known,) if known else ()

    def _all(self) -> Iterator[tuple[str, str]]:
        for name, read in self._read.items():
            item = self._settings[name]
            for value in read:
                yield value, name
                if item.kind is Kind.BASIC:
                    yield from ((each, name) for each in basic(item.user or "", value).secrets)

    async def _keep(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(TICK)


def check_files(item: CredentialSettings) -> None:
    """Refuse a credential whose files cannot be used.

    Raises:
        ConfigurationError: `tls-files`, `key-unusable` or `open-to-others`.
    """
    if item.cert is not None:
        Contexts().trusted(Trusted(cert=item.cert, key=item.key))
    if item.oauth is not None and item.oauth.private_key is not None:
        read_key(item.oauth.private_key, item.name)


def _injection(
    item: CredentialSettings, secrets: Sequence[Secret], clock: Callable[[], float]
) -> Injection:
    values = [secret.value for secret in secrets]
    match item.kind:
        case Kind.HEADER:
            return PutHeader(item.header or "", f"{item.prefix}{values[0]}", (values[0],))
        case Kind.QUERY:
            return PutQuery(item.query or "", values[0])
        case Kind.BASIC:
            return basic(item.user or "", values[0])
        case Kind.CERTIFICATE:
            return Nothing()
        case Kind.AWS if item.aws is not None:
            session = values[2] if item.aws.session_token is not None else None
            return PutSignature(
                keys=Keys(access_key=values[0], secret_key=values[1], session_token=session),
                scope=Scope(region=item.aws.region, service=item.aws.service),
                clock=clock,
            )
        case _:
            raise ValueError("tokens are not made of secrets")


def _unavailable(name: str) -> InternalError:
    return InternalError(
        code="credential-unavailable",
        message=f"There is no valid value for the credential {name!r}",
        hint="The operator finds the cause in proctor's log, or with `proctor doctor`.",
    )
