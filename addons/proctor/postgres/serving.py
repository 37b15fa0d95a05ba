"""The listeners of one worker, open: who comes, who is turned away, who has to go."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

from proctor.approval.model import Kill
from proctor.config import Config
from proctor.errors import InternalError, ProctorError, RefusedError
from proctor.gate import Gate
from proctor.model import Deny
from proctor.postgres import house as inside
from proctor.postgres import wires
from proctor.postgres.assembly import Served
from proctor.postgres.connection import Connection
from proctor.postgres.door import Door
from proctor.postgres.figures import Figures
from proctor.postgres.reception import Reception
from proctor.postgres.settings import PostgresListener
from proctor.postgres.shared import Bounds, House, Refused
from proctor.protocols.postgres.signin import Discovery
from proctor.record import Closing, Opening
from proctor.runtime.tasks import spawn, stop
from proctor.stages.bucket import Bucket

logger = logging.getLogger(__name__)

REFUSALS_A_SECOND: Final = 10
"""Refusals of unknown callers that are recorded one by one."""

ENDING: Final = 5.0
"""Seconds for the last records of connections that are cut off."""


class Sessions(wires.Sessions, Protocol):
    """Makes the insides of a listener's connections, and can end them."""

    def kill(self, kill: Kill) -> None:
        """End what runs, as far as a kill reaches."""
        ...

    def stop_waiting(self) -> None:
        """Nobody can wait for humans here any longer."""
        ...


type Make = Callable[[inside.House], Sessions]


class Serving:
    """All the listeners of this process.

    Args:
        config: As loaded.
        served: What stands behind each.
        make: Makes the insides of connections.
        stranger: Hands on a cancel of a connection that is not here.
    """

    def __init__(
        self,
        config: Config,
        served: Mapping[str, Served],
        *,
        make: Make,
        stranger: Callable[[int, bytes], None],
    ) -> None:
        self._config = config
        self._served = served
        self._stranger = stranger
        self._sessions = {name: make(each.house) for name, each in served.items()}
        limits = config.limits
        self._reception: Reception[Connection] = Reception(limits.connections)
        self._reception.accepting = False
        self._bounds = Bounds(head=limits.head, idle=limits.idle, drain=limits.drain)
        self._doors: list[Door] = []
        self._guests: set[Guest] = set()

    def open(self, sockets: Mapping[str, socket.socket]) -> None:
        """Take clients from these sockets, by listener."""
        self._reception.accepting = True
        for name, opened in sockets.items():
            served = self._served[name]
            house = self._house(served, self._sessions[name])
            guest = partial(Guest, house, self._guests, served.house.figures)
            self._doors.append(Door(opened, guest))

    def kill(self, kill: Kill) -> None:
        """End what runs, as far as a kill reaches."""
        for each in self._sessions.values():
            each.kill(kill)

    async def cancel(self, pid: int, secret: bytes) -> None:
        """Cancel what runs, if its connection is here."""
        await self._reception.cancel(pid, secret)

    async def drain(self, seconds: float) -> None:
        """Take nobody any more, and wait for what runs.

        Args:
            seconds: How long at most.
        """
        self._shut()
        for each in self._sessions.values():
            each.stop_waiting()
        try:
            async with asyncio.timeout(seconds):
                await self._reception.drain()
        except TimeoutError:
            logger.warning("connections were cut off", extra={"event": "drain.cut"})

    async def close(self) -> None:
        """Take nobody any more, and end what is open; its last records are written."""
        self._shut()
        left = list(self._guests)
        for guest in left:
            guest.fail(stopping())
            guest.abort()
        if left:
            ends = [spawn(guest.closed.wait(), name="connection ends") for guest in left]
            await asyncio.wait(ends, timeout=ENDING)
            await stop(*ends)

    def figures(self) -> dict[str, Any]:
        """What was counted since the last time, by listener."""
        return {name: each.house.figures.take() for name, each in self._served.items()}

    def _shut(self) -> None:
        self._reception.accepting = False
        for door in self._doors:
            door.close()
        self._doors.clear()

    def _house(self, served: Served, sessions: Sessions) -> House:
        listener, gate = served.house.listener, served.house.gate
        bucket = Bucket(REFUSALS_A_SECOND, served.house.clock)
        return House(
            sessions=sessions,
            recall=gate.recall,
            admit=gate.admit,
            sign=served.sign,
            target=served.target,
            reception=self._reception,
            tls=served.tls,
            plaintext=served.tls is None,
            database=listener.database,
            discovery=discovery_of(listener, self._config),
            bounds=self._bounds,
            refused=partial(refused, gate, listener, bucket),
            stranger=self._away,
            now=served.house.now,
        )

    async def _away(self, pid: int, secret: bytes) -> None:
        self._stranger(pid, secret)


class Guest(Connection):
    """A connection that is counted.

    Args:
        house: As for a Connection.
        guests: All that are here.
        figures: Count it.
    """

    __slots__ = ("_figures", "_guests")

    def __init__(self, house: House, guests: "set[Guest]", figures: Figures) -> None:
        super().__init__(house)
        self._guests = guests
        self._figures = figures

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio calls it."""
        self._figures.came()
        self._guests.add(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio calls it."""
        self._figures.went()
        super().connection_lost(exc)
        spawn(self._forgotten(), name="connection ends")

    async def _forgotten(self) -> None:
        """Its last record may be on the way still."""
        await self.closed.wait()
        self._guests.discard(self)


def stopping() -> InternalError:
    """What is told to who is cut off."""
    return InternalError("pg-stopping", "proctor is stopping", hint="Try again in a moment.")


def discovery_of(listener: PostgresListener, config: Config) -> Discovery | None:
    """Where a client of a listener gets a token; None where it hands over its own."""
    if listener.sign_in != "oauthbearer":
        return None
    issuer = next(each.issuer for each in config.identity.issuers if each.issuer != "local")
    where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    return Discovery(configuration=where, scope=" ".join(listener.scopes))


async def refused(gate: Gate, listener: PostgresListener, bucket: Bucket, who: Refused) -> None:
    """Put somebody on record who was not let in; of those nobody knows not too many."""
    if who.principal is None and not bucket.take():
        return
    error = who.error
    server = listener.upstream
    try:
        await gate.refuse(
            Opening(
                flow_id=who.flow_id,
                listener=listener.name,
                protocol="postgres",
                method="CONNECT",
                scheme="postgres",
                host=server.path or server.host,
                port=server.port,
                path=f"/{who.database}",
                started_at=who.started_at,
            ),
            Closing(status=None, response_bytes=0, error=str(error)),
            principal=who.principal,
            session=None,
            verdict=Deny(rule_id=_rule(error), reason=error.message),
            ruling=None,
        )
    except Exception:  # a refusal stands even if it cannot be recorded
        logger.exception("a refusal was not recorded", extra={"event": "record.failed"})


def _rule(error: ProctorError) -> str:
    return (error.rule_id if isinstance(error, RefusedError) else "") or error.code
