"""The rooms behind a door for standard streams: one client, one server."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import BaseModel

from proctor.approval.model import Kill
from proctor.arriving.warming import warm_beside
from proctor.config import Config
from proctor.credentials.echo import Values, values_of
from proctor.errors import ConfigurationError
from proctor.fields import SecretSource, nearest
from proctor.mcp.pins import Pins
from proctor.provenance.intake import Intake
from proctor.runtime import rooms
from proctor.runtime.features import features_of
from proctor.runtime.permissions import prepare
from proctor.stdio.exchange import House
from proctor.stdio.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What `proctor mcp` was asked to do.

    Attributes:
        config: As loaded.
        file: Where it was loaded from.
        server: As rules call the MCP server.
        listener: As rules call this way in.
        session: What the agent calls its run; "" where it says nothing.
        tokens: Where the agent's token comes from.
        argv: The server's command and its arguments.
        credentials: By variable of the server's environment, the credential that it gets.
    """

    config: Config
    file: Path
    server: str
    listener: str
    session: str
    tokens: Tokens
    argv: tuple[str, ...] = field(repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict[str, str])


class Rooms:
    """Opened by `open`; what that gives is what a door is handed."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._values: tuple[Values, ...] = ()
        config = wanted.config
        # Rules of one folder are for all doors: those about others are none of ours.
        features = replace(features_of(config), listeners=None, servers=None)
        # Only what this server gets is read: the rest is the gateways'.
        self._rooms = rooms.Rooms(config, features=features, redacted=[wanted.listener])

    @property
    def on_kill(self) -> list[Callable[[Kill], None]]:
        """Told of every kill."""
        return self._rooms.on_kill

    async def secrets(self) -> dict[str, str]:
        """By variable, the values that the server gets.

        Raises:
            ConfigurationError: `unknown-name`, `stdio-credential`, or there is no value.
        """
        config, server = self._wanted.config, self._wanted.server
        known = {item.name: item for item in config.credentials}
        meant = {name for item in config.stdio if item.name == server for name in item.credentials}
        found: dict[str, str] = {}
        given: list[tuple[str, str]] = []
        for variable, name in self._wanted.credentials.items():
            if name not in meant:
                raise ConfigurationError(
                    "stdio-credential",
                    f"The credential {name!r} is not meant for the server {server!r}",
                    expected="one that proctor.yaml names for it under `stdio`",
                    hint=nearest(name, meant),
                )
            source, what = known[name].sources[0], f"the credential {name!r}"
            found[variable] = value = await self._rooms.credentials.secret(source, what)
            given.append((value, name))
        values = values_of(tuple(given))
        self._values = (values,) if values else ()
        return found

    async def open(self) -> House:
        """Open everything.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
        """
        wanted = self._wanted
        # So that the first answer need not wait for it; a client that goes at once does not either.
        warm_beside(wanted.config)
        pins = Pins(wanted.config.state, rooms.now)
        pins.on_change.append(lambda change: self._rooms.note(change.kind, change.detail()))
        opened = await self._rooms.open(
            {"listeners": [wanted.listener], "mcp_server": wanted.server}
        )
        self._rooms.closing.push_async_callback(pins.close)
        await pins.start()
        return House(
            gate=opened.gate,
            pins=pins,
            screen=opened.screens.on(wanted.listener) if opened.screens else None,
            reviewers=opened.reviewers,
            sealing=opened.keys.approval,
            tokens=wanted.tokens,
            server=wanted.server,
            trusted=any(i.trusted for i in wanted.config.stdio if i.name == wanted.server),
            intake=Intake(opened.gate.runs, opened.gate.provenance, rooms.now),
            listener=wanted.listener,
            session=wanted.session,
            values=self._values,
            now=rooms.now,
            clock=time.monotonic,
        )

    async def close(self) -> None:
        """Close everything; nothing acknowledged is lost."""
        await self._rooms.close()


def check_ours(wanted: Wanted) -> None:
    """See that this is proctor's own user, and the folders are as they have to be.

    Raises:
        ConfigurationError: `stdio-user`, or what `permissions.prepare` says.
    """
    for folder in (wanted.config.state, wanted.config.audit.path):
        try:
            owner = folder.stat().st_uid
        except OSError:
            continue
        if owner != os.geteuid():
            raise ConfigurationError(
                "stdio-user",
                "Keys, approvals and the record here are another user's",
                got=f"user {os.geteuid()}",
                expected=f"user {owner}, whom {folder} belongs to",
                hint=f"Start it with `sudo -n -u '#{owner}' proctor mcp …`, or have the server"
                " speak HTTP behind a listener of the gateway's.",
            )
    prepare(wanted.config, wanted.file)


def variables_of(settings: BaseModel) -> Iterator[str]:
    """Names of the variables that a configuration reads secrets from."""
    for name in type(settings).model_fields:
        yield from _variables(getattr(settings, name))


def _variables(value: object) -> Iterator[str]:
    if isinstance(value, SecretSource):
        if value.env is not None:
            yield value.env
    elif isinstance(value, BaseModel):
        yield from variables_of(value)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _variables(each)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _variables(each)
