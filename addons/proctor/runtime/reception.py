"""The console of one gateway and whoever is notified, put together."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from proctor.approval.desk import Desk
from proctor.approval.notify.alarms import Alarms
from proctor.approval.notify.worker import Notifier
from proctor.approval.store import Store
from proctor.config import Config
from proctor.console import pages, slack
from proctor.console.app import Console, make_console
from proctor.console.house import House
from proctor.console.sessions import Sessions
from proctor.credentials.store import Credentials
from proctor.evidence.upkeep import Upkeep
from proctor.identity.fetch import HttpFetch
from proctor.mcp.pins import Pins
from proctor.model import Principal
from proctor.policy.engine import Policy
from proctor.replay.sending import Replayer


class Reception:
    """Where people come in.

    Args:
        config: As loaded.
        desk: Approvals, grants and kills.
        store: Where the desk keeps them.
        policy: The rules in force now.
        credentials: Reads secrets.
        fetch: Asks issuers.
        admit: Who an agent's token proves.
        lacking: What keeps the gateway from taking traffic.
        count: Told of each notification: whose, and what came of it.
        events: Who hears of the gateway's events; alarms are.
        clock: The time, UTC.
        dev: Tokens of the local issuer may decide.
        pins: The tools of MCP servers; None where no listener speaks MCP.
        upkeep: Who looks after the record.
        replayer: Sends recorded sessions again; None where nothing can be.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        config: Config,
        *,
        desk: Desk,
        store: Store,
        policy: Callable[[], Policy],
        credentials: Credentials,
        fetch: HttpFetch,
        admit: Callable[[str], Awaitable[Principal]],
        lacking: Callable[[], Sequence[str]],
        count: Callable[[str, str], None],
        events: list[Callable[[str, dict[str, object]], None]],
        clock: Callable[[], datetime],
        dev: bool,
        pins: Pins | None = None,
        upkeep: Upkeep | None = None,
        replayer: Replayer | None = None,
    ) -> None:
        self._config = config
        self._desk = desk
        self._store = store
        self._policy = policy
        self._credentials = credentials
        self._fetch = fetch
        self._admit = admit
        self._lacking = lacking
        self._count = count
        self._events = events
        self._clock = clock
        self._dev = dev
        self._pins = pins
        self._upkeep = upkeep
        self._replayer = replayer
        self._console: Console | None = None
        self._notifier: Notifier | None = None
        self._alarms: Alarms | None = None

    def open(self, address: str) -> ASGIApp:
        """Pages and API.

        Args:
            address: Where people reach them, such as `http://127.0.0.1:9090`.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
        """
        config = self._config
        issuers = {item.issuer: item for item in config.identity.issuers}
        house = House(
            desk=self._desk,
            policy=self._policy,
            record=config.audit.path,
            settings=config.console,
            issuer=issuers.get(config.console.issuer) if config.console.issuer else None,
            roles=config.roles,
            state=config.state,
            address=address,
            clock=self._clock,
            dev=self._dev,
            lacking=self._lacking,
            pins=self._pins,
            upkeep=self._upkeep,
            replayer=self._replayer,
            rules=config.rules,
            budgets=config.budgets,
        )

        def extra(sessions: Sessions) -> list[BaseRoute]:
            return [
                *pages.routes(house),
                *slack.routes(
                    house,
                    config.notifications,
                    secrets=self._credentials.secret,
                    reviewer_of=sessions.reviewer_of_subject,
                ),
            ]

        self._console = console = make_console(
            house,
            extra,
            admit=self._admit,
            fetch=self._fetch,
            secret=self._credentials.secret,
        )
        self._notifier = Notifier(
            config.notifications,
            store=self._store,
            secrets=self._credentials.secret,
            state=config.state,
            address=address,
            clock=self._clock,
            count=self._count,
        )
        self._alarms = Alarms(
            config.notifications,
            state=config.state,
            address=address,
            clock=self._clock,
            count=self._count,
        )
        self._events.append(self._alarms.hear)
        return console.app

    async def start(self) -> None:
        """Begin to notify.

        Raises:
            ConfigurationError: A secret is missing or malformed.
        """
        if self._notifier:
            await self._notifier.start()

    async def close(self) -> None:
        """Let go of everything."""
        if self._replayer:
            await self._replayer.close()
        if self._alarms:
            await self._alarms.close()
        if self._notifier:
            await self._notifier.close()
        if self._console:
            await self._console.close()
