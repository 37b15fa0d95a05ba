"""The rooms behind a door for standard streams, opened and closed in order.

As for a gateway, but for one client and one server: the record, keys of issuers, rules, redaction,
approvals and pins are the installation's own, shared with its gateways. The console and whoever
notifies people are theirs.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from proctor import __version__
from proctor.approval.cards import unseal
from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Change, Grant, Kill
from proctor.approval.records import envelope
from proctor.approval.sqlite import SqliteStore
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.config import Config
from proctor.credentials.store import Credentials
from proctor.errors import ConfigurationError, InternalError
from proctor.evidence.anchors import Wired
from proctor.evidence.beside import Beside
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sealer import Sealing
from proctor.evidence.upkeep import Upkeep
from proctor.fields import SecretSource, nearest
from proctor.gate import Gate
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import HttpFetch
from proctor.identity.local import FILE
from proctor.mcp.pins import Pins
from proctor.policy.engine import Policy
from proctor.policy.watch import PolicyWatch
from proctor.redaction.assembly import Screens, open_screens
from proctor.redaction.exceptions import FILE as EXCEPTIONS
from proctor.redaction.exceptionswatch import ExceptionsWatch
from proctor.redaction.keys import load_keys
from proctor.runtime.features import features_of
from proctor.runtime.permissions import prepare
from proctor.runtime.tasks import spawn, stop
from proctor.stdio.exchange import House
from proctor.stdio.tokens import Tokens

logger = logging.getLogger(__name__)

ANCHORED = 2.0
"""Seconds that the last checkpoint has to reach its anchors at the end."""


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
    """Opened by `open`; `house` is what a door is handed."""

    def __init__(self, wanted: Wanted) -> None:
        self.on_kill: list[Callable[[Kill], None]] = []
        self._wanted = wanted
        self._fetch = HttpFetch()
        # Only what this server gets is read: the rest is the gateways'.
        self._credentials = Credentials([], fetch=self._fetch)
        self._closing = AsyncExitStack()
        self._recorder: Recorder | None = None
        self._gate: Gate | None = None

    async def secrets(self) -> dict[str, str]:
        """By variable, the values that the server gets.

        Raises:
            ConfigurationError: `unknown-name`, `stdio-credential`, or there is no value.
        """
        config, server = self._wanted.config, self._wanted.server
        known = {item.name: item for item in config.credentials}
        meant = {name for item in config.stdio if item.name == server for name in item.credentials}
        found: dict[str, str] = {}
        for variable, name in self._wanted.credentials.items():
            if name not in meant:
                raise ConfigurationError(
                    "stdio-credential",
                    f"The credential {name!r} is not meant for the server {server!r}",
                    expected="one that proctor.yaml names for it under `stdio`",
                    hint=nearest(name, meant),
                )
            item = known[name]
            source = item.sources[0]
            found[variable] = await self._credentials.secret(source, f"the credential {name!r}")
        return found

    async def open(self) -> House:
        """Open everything.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
        """
        wanted = self._wanted
        config, state = wanted.config, wanted.config.state
        keys = load_keys(state)
        anchored = Wired(
            config.audit.anchors,
            Store.at(config.audit.path).writers,
            every=config.audit.anchor_every,
            clock=_now,
            report=self._note,
        )
        self._closing.push_async_callback(anchored.close)
        self._closing.push_async_callback(anchored.anchors.finish, ANCHORED)
        sealing = Sealing(
            state=state,
            every=config.audit.checkpoints.every,
            published=anchored.anchors.submit,
        )
        watch = ExceptionsWatch(state / EXCEPTIONS, report=lambda _change: None)
        screens, recorder, store, policies = await _all(
            asyncio.to_thread(
                open_screens,
                config.redaction,
                keys,
                state=state,
                listeners=[wanted.listener],
                exceptions=lambda: watch.current,
            ),
            Recorder.open(config.audit.path, report=self._trouble, sealing=sealing),
            asyncio.to_thread(SqliteStore, config.approvals.store),
            asyncio.to_thread(self._rules),
        )
        self._recorder = recorder
        self._closing.push_async_callback(self._stopped)
        if screens:
            self._closing.callback(screens.close)
        desk = Desk(
            store,
            clock=_now,
            record=self._change,
            open_sealed=lambda sealed: unseal(sealed, keys.approval),
            keep=config.approvals.keep,
        )
        self._closing.push_async_callback(desk.close)
        authenticator = Authenticator(
            config.identity.issuers,
            fetch=self._fetch,
            clock=time.time,
            local_keys=state / FILE,
            secret=self._credentials.secret,
        )
        self._closing.push_async_callback(authenticator.close)
        self._gate = gate = Gate(
            authenticator=authenticator,
            policies=policies,
            recorder=recorder,
            digest_key=keys.action,
            desk=desk,
        )
        pins = Pins(state, _now)
        pins.on_change.append(lambda change: self._note(change.kind, change.detail()))
        self._closing.push_async_callback(pins.close)
        desk.on_kill.append(self._killed)
        await asyncio.gather(desk.start(), authenticator.start(), pins.start())
        # What is old is the gateway's to drop; what is to be erased is each writer's own.
        upkeep = Upkeep(
            recorder=recorder,
            settings=RetentionSettings(),
            clock=_now,
            sealing=Sealing(state=sealing.state, every=sealing.every),  # anchors are told of ours
            beside=Beside(
                approvals=store,
                state=sealing.state,
                clock=_now,
                values=screens.forget if screens else None,
            ).erase,
        )
        running = [
            spawn(policies.run(), name="rules"),
            spawn(watch.run(), name="exceptions"),
            spawn(upkeep.run(), name="upkeep"),
            spawn(anchored.anchors.run(), name="anchors"),
        ]
        self._closing.push_async_callback(stop, *running)
        await gate.event(
            "start",
            {
                "version": __version__,
                "policy_version": policies.current.version,
                "listeners": [wanted.listener],
                "mcp_server": wanted.server,
                "observe": config.observe,
            },
        )
        reviewer = config.roles.reviewer
        return House(
            gate=gate,
            pins=pins,
            screen=screens.on(wanted.listener) if screens else None,
            reviewers=tuple(reviewer.groups) if reviewer else (),
            sealing=keys.approval,
            tokens=wanted.tokens,
            server=wanted.server,
            listener=wanted.listener,
            session=wanted.session,
            now=_now,
            clock=time.monotonic,
        )

    async def close(self) -> None:
        """Close everything; nothing acknowledged is lost."""
        await self._closing.aclose()
        await self._fetch.close()
        await self._credentials.close()

    def _rules(self) -> PolicyWatch:
        # Rules of one folder are for all doors: those about others are none of ours.
        config = self._wanted.config
        features = replace(features_of(config), listeners=None, servers=None)
        return PolicyWatch(
            config.rules, features=features, report=self._reloaded, observe=config.observe
        )

    async def _stopped(self) -> None:
        if self._recorder is None:
            return
        try:
            await self._recorder.append("event", {"event_kind": "stop", "detail": {}})
        except InternalError:
            logger.exception("the stop was not recorded", extra={"event": "record.failed"})
        await self._recorder.close()

    async def _change(self, change: Change, item: Approval | Grant | Kill | None) -> None:
        if self._recorder is None:
            raise InternalError("not-started", "There is no record yet")
        kind, fields = envelope(change, item)
        await self._recorder.append(kind, fields)

    def _killed(self, kill: Kill) -> None:
        for told in self.on_kill:
            told(kill)

    def _reloaded(self, found: Policy | ConfigurationError) -> None:
        if isinstance(found, ConfigurationError):
            self._note("rules.broken", {"error": str(found)})
        else:
            self._note("rules.reloaded", {"policy_version": found.version})

    def _trouble(self, error: Exception) -> None:
        logger.error("the record has trouble", exc_info=error, extra={"event": "record.trouble"})

    def _note(self, kind: str, detail: dict[str, object]) -> None:
        if self._gate:
            spawn(_quietly(self._gate.event(kind, detail)), name=f"event {kind}")


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


async def _all(
    screens: Awaitable[Screens | None],
    recorder: Awaitable[Recorder],
    store: Awaitable[SqliteStore],
    policies: Awaitable[PolicyWatch],
) -> tuple[Screens | None, Recorder, SqliteStore, PolicyWatch]:
    """At the same time; redaction takes seconds."""
    return await asyncio.gather(screens, recorder, store, policies)


def _now() -> datetime:
    return datetime.now(UTC)


async def _quietly(work: Awaitable[Any]) -> None:
    try:
        await work
    except InternalError:
        logger.exception("an event was not recorded", extra={"event": "record.failed"})
