"""The rooms behind the PostgreSQL listeners of one worker process."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from proctor.approval.model import Kill
from proctor.arriving.warming import warm_beside
from proctor.config import Config
from proctor.credentials.store import Credentials
from proctor.errors import RefusedError
from proctor.model import Principal
from proctor.novelty.baseline import Baseline
from proctor.postgres import masked
from proctor.postgres.dryrun import DryRun
from proctor.postgres.expecting import Expecting
from proctor.postgres.house import Evidence, Expects, House
from proctor.postgres.masked import Masking
from proctor.postgres.masking.masks import Masks
from proctor.postgres.roles import SessionRoles
from proctor.postgres.settings import PostgresListener
from proctor.postgres.tls import Context, Contexts
from proctor.postgres.upstream import Target
from proctor.postgres.vouching import Vouching
from proctor.postgres.wires import Arrival, Login, Sign
from proctor.runtime import rooms
from proctor.runtime.features import features_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One listener, in this process.

    Attributes:
        house: What stands behind it.
        sign: Finds the credential for a caller.
        target: The server.
        tls: What clients are shown; None where they speak without TLS.
    """

    house: House
    sign: Sign
    target: Target
    tls: Context | None


class Rooms:
    """Opened by `open`, and closed by `close`, which is due even if that failed."""

    def __init__(self, config: Config, names: Sequence[str], number: int) -> None:
        """Nothing is opened yet.

        Args:
            config: As loaded.
            names: The listeners that this process serves.
            number: Which of the gateway's workers it is.
        """
        self._config = config
        self._listeners = [each for each in config.postgres if each.name in names]
        self._number = number
        meant = {name for each in self._listeners for name in each.credential_names}
        self._rooms = rooms.Rooms(
            config,
            features=features_of(config),
            redacted=names,
            credentials=[item for item in config.credentials if item.name in meant],
        )
        self._contexts = Contexts()

    @property
    def on_kill(self) -> list[Callable[[Kill], None]]:
        """Told of every kill."""
        return self._rooms.on_kill

    async def open(self) -> dict[str, Served]:
        """Open everything; by listener.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
            InternalError: The record cannot be written.
        """
        warm_beside(self._config)
        await self._rooms.credentials.start()
        said = {"listeners": [each.name for each in self._listeners], "worker": self._number}
        opened = await self._rooms.open(said)
        baseline = Baseline(
            self._config.state, self._config.novelty, now=rooms.now, clock=time.monotonic
        )
        self._rooms.closing.push_async_callback(baseline.close)
        await baseline.open()
        return {each.name: self._served(each, opened, baseline) for each in self._listeners}

    def reload(self) -> None:
        """Read the rules again."""
        self._rooms.reload()

    async def close(self) -> None:
        """Close everything; nothing acknowledged is lost."""
        await self._rooms.close()

    def _served(
        self, listener: PostgresListener, opened: rooms.Opened, baseline: Baseline
    ) -> Served:
        house = House(
            gate=opened.gate,
            listener=listener,
            screen=opened.screens.on(listener.name) if opened.screens else None,
            masks=self._masks(listener),
            reviewers=opened.reviewers,
            evidence=self._evidence(listener, hide=opened.screens is not None),
            baseline=baseline,
            expects=self._expects(listener),
            known=partial(self._rooms.credentials.known, None, None),
            sealing=opened.keys.approval,
            limit=self._config.limits.body,
            now=rooms.now,
            clock=time.monotonic,
        )
        return Served(
            house=house,
            sign=signing(
                listener,
                self._rooms.credentials,
                self._session_roles(listener),
                self._vouching(listener),
            ),
            target=target_of(listener, self._contexts),
            tls=served_of(listener, self._contexts),
        )

    def _masks(self, listener: PostgresListener) -> Callable[[Principal, str], Masks | None]:
        if listener.masking is None or "wire" not in listener.tiers:
            return lambda _principal, _database: None
        made = Masking(listener, listener.masking, self._rooms.credentials, self._contexts)
        self._rooms.closing.push_async_callback(made.close)
        return made.masks

    def _session_roles(self, listener: PostgresListener) -> SessionRoles | None:
        if listener.session_role is None:
            return None
        made = SessionRoles(
            name=listener.name,
            settings=listener.session_role,
            target=partial(
                masked.target_of,
                listener.model_copy(update={"session_role": None}),  # as the login itself
                self._rooms.credentials,
                self._contexts,
            ),
            credentials=tuple(dict.fromkeys(listener.credential_names)),
            database=listener.database or "postgres",
            now=time.time,
        )
        self._rooms.closing.push_async_callback(made.close)
        made.start()
        return made

    def _vouching(self, listener: PostgresListener) -> Vouching | None:
        if listener.masking is None or "server" not in listener.tiers:
            return None
        users = {item.name: item.user or "" for item in self._config.credentials}
        groups = listener.session_role.member_of if listener.session_role else ()
        return Vouching(
            listener.masking,
            target=partial(masked.target_of, listener, self._rooms.credentials, self._contexts),
            roles=lambda name: groups or (users[name],),
            clock=time.monotonic,
            one=listener.database is not None,
        )

    def _expects(self, listener: PostgresListener) -> Expects:
        made = Expecting(
            lambda principal: listener.names(principal.groups),
            partial(masked.target_of, listener, self._rooms.credentials, self._contexts),
            _groups(listener),
        )
        self._rooms.closing.push_async_callback(made.close)
        return made.rows

    def _evidence(self, listener: PostgresListener, *, hide: bool) -> Evidence | None:
        if listener.dry_run is None:
            return None
        made = DryRun(
            listener.dry_run,
            credential=lambda principal: listener.names(principal.groups),
            target=partial(masked.target_of, listener, self._rooms.credentials, self._contexts),
            hide=hide or listener.masking is not None,
            allowed=frozenset(listener.functions),
            groups=_groups(listener),
        )
        self._rooms.closing.push_async_callback(made.close)
        return made.evidence


def _groups(listener: PostgresListener) -> tuple[str, ...]:
    """Whose rights sessions have, where that is not one role's alone, which `target_of` takes."""
    groups = listener.session_role.member_of if listener.session_role else ()
    return groups if len(groups) > 1 else ()


def signing(
    listener: PostgresListener,
    credentials: Credentials,
    roles: SessionRoles | None = None,
    vouching: Vouching | None = None,
) -> Sign:
    """Finds a caller's credential by the caller's groups.

    Args:
        listener: As configured.
        credentials: What proctor signs in with.
        roles: Makes a role for the session; None: it is the credential's own.
        vouching: Sees that the server keeps columns back; None: that is not asked of it.
    """

    async def sign(arrival: Arrival) -> Login:
        name = listener.names(arrival.principal.groups)
        if name is None:
            raise RefusedError(
                "credential-none",
                "No credential of this listener is for any of your groups",
                hint="Ask whoever keeps proctor.yaml.",
            )
        if vouching is not None:
            await vouching.check(arrival, name)
        if roles is not None:
            return await roles.make(arrival, name)
        return await login(credentials, name)

    return sign


async def login(credentials: Credentials, name: str) -> Login:
    """How proctor signs in with a credential, now.

    Raises:
        InternalError: `credential-unavailable`.
    """
    user, secret = await credentials.login(name)
    return Login(user=user, password=secret.value, expires_at=secret.expires_at)


def target_of(listener: PostgresListener, contexts: Contexts) -> Target:
    """The server of a listener, and how it is trusted; its files are read once, to see them fit.

    Raises:
        ConfigurationError: `tls-files`.
    """
    if not listener.over_tls:
        return Target(server=listener.upstream)
    files = listener.upstream_tls
    ca, cert, key = (files.ca, files.cert, files.key) if files else (None, None, None)
    contexts.trusted(ca, cert, key)
    return Target(
        server=listener.upstream,
        tls=lambda: contexts.trusted(ca, cert, key),
        server_name=(files.server_name or "") if files else "",
    )


def served_of(listener: PostgresListener, contexts: Contexts) -> Context | None:
    """What clients of a listener are shown.

    Raises:
        ConfigurationError: `tls-files`.
    """
    tls = listener.tls
    if tls is None:
        return None
    contexts.served(tls.cert, tls.key, tls.client_ca)
    return lambda: contexts.served(tls.cert, tls.key, tls.client_ca)
