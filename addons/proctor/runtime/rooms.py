"""The rooms behind a door that is no gateway's own: a process for standard streams, or a worker.

The record, keys of issuers, rules, redaction, approvals and pins are the installation's own, shared
with its gateways. The console, exports and whoever notifies people are theirs.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proctor import __version__
from proctor.approval.cards import unseal
from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Change, Grant, Kill
from proctor.approval.notify.alarms import Alarms
from proctor.approval.records import envelope
from proctor.approval.sqlite import SqliteStore
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.budgets.opening import open_budgets
from proctor.config import Config
from proctor.credentials.settings import CredentialSettings
from proctor.credentials.store import Credentials
from proctor.errors import ConfigurationError, InternalError
from proctor.evidence.anchors import Wired
from proctor.evidence.beside import Beside
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.sealer import Sealing
from proctor.evidence.upkeep import Upkeep
from proctor.gate import Gate
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import HttpFetch
from proctor.identity.local import FILE
from proctor.policy.engine import Policy
from proctor.policy.features import Features
from proctor.policy.watch import PolicyWatch
from proctor.provenance import memory
from proctor.redaction.assembly import Screens, open_screens
from proctor.redaction.exceptions import FILE as EXCEPTIONS
from proctor.redaction.exceptionswatch import ExceptionsWatch
from proctor.redaction.keys import RedactionKeys, load_keys
from proctor.runs import open_met
from proctor.runtime.tasks import spawn, stop

logger = logging.getLogger(__name__)

ANCHORED = 2.0
"""Seconds that the last checkpoint has to reach its anchors at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What is there once the rooms are open.

    Attributes:
        gate: Decides and records.
        recorder: This process's writer of the record.
        screens: What must not pass is found and taken out by these; None where all may.
        keys: Of the installation.
        reviewers: Groups whose members decide.
    """

    gate: Gate
    recorder: Recorder
    screens: Screens | None
    keys: RedactionKeys = field(repr=False)
    reviewers: tuple[str, ...]


class Rooms:
    """Opened by `open`, and closed by `close`, which is due even if that failed.

    Attributes:
        on_kill: Told of every kill.
        credentials: Those that were asked for.
    """

    def __init__(
        self,
        config: Config,
        *,
        features: Features,
        redacted: Sequence[str],
        credentials: Sequence[CredentialSettings] = (),
    ) -> None:
        """Nothing is opened yet.

        Args:
            config: As loaded.
            features: What the rules may name.
            redacted: Names of the listeners whose traffic is looked at.
            credentials: What this process puts in.
        """
        self.on_kill: list[Callable[[Kill], None]] = []
        self.config = config
        self._features = features
        self._redacted = redacted
        self._fetch = HttpFetch()
        self.credentials = Credentials(credentials, fetch=self._fetch)
        self.closing = AsyncExitStack()
        self._recorder: Recorder | None = None
        self._gate: Gate | None = None
        self._policies: PolicyWatch | None = None

    async def open(self, said: Mapping[str, object]) -> Opened:
        """Open everything.

        Args:
            said: What the record says of this start.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
            InternalError: The record cannot be written.
        """
        config, state = self.config, self.config.state
        keys = load_keys(state)
        anchored = Wired(
            config.audit.anchors,
            Store.at(config.audit.path).writers,
            every=config.audit.anchor_every,
            clock=now,
            report=self.note,
        )
        self.closing.push_async_callback(anchored.close)
        self.closing.push_async_callback(anchored.anchors.finish, ANCHORED)
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
                listeners=self._redacted,
                exceptions=lambda: watch.current,
            ),
            Recorder.open(config.audit.path, report=_trouble, sealing=sealing),
            asyncio.to_thread(SqliteStore, config.approvals.store),
            asyncio.to_thread(self._rules),
        )
        self._recorder, self._policies = recorder, policies
        self.closing.push_async_callback(self._stopped)
        if screens:
            self.closing.callback(screens.close)
        desk = Desk(
            store,
            clock=now,
            record=self._change,
            open_sealed=lambda sealed: unseal(sealed, keys.approval),
            keep=config.approvals.keep,
        )
        self.closing.push_async_callback(desk.close)
        authenticator = Authenticator(
            config.identity.issuers,
            fetch=self._fetch,
            clock=time.time,
            local_keys=state / FILE,
            secret=self.credentials.secret,
        )
        self.closing.push_async_callback(authenticator.close)
        budgets = open_budgets(config, clock=now, report=self.note)
        if budgets:
            self.closing.push_async_callback(budgets.close)
        met = open_met(state)
        self.closing.callback(met.close)
        provenance = self.closing.enter_context(memory.opened(state, keys.origin, now))
        self._gate = gate = Gate(
            authenticator=authenticator,
            policies=policies,
            recorder=recorder,
            digest_key=keys.action,
            desk=desk,
            budgets=budgets,
            met=met,
            provenance=provenance,
        )
        alarms = Alarms(config.notifications, state=state, address=_console(config), clock=now)
        self.closing.push_async_callback(alarms.close)
        gate.on_event.append(alarms.hear)
        desk.on_kill.append(self._killed)
        await asyncio.gather(desk.start(), authenticator.start())
        # What is old is the gateway's to drop; what is to be erased is each writer's own.
        upkeep = Upkeep(
            recorder=recorder,
            settings=RetentionSettings(),
            clock=now,
            sealing=Sealing(state=sealing.state, every=sealing.every),  # anchors are told of ours
            beside=Beside(
                approvals=store,
                state=sealing.state,
                clock=now,
                values=screens.forget if screens else None,
                shared=True,
            ).erase,
        )
        running = [
            *([spawn(budgets.run(), name="budgets")] if budgets else []),
            spawn(policies.run(), name="rules"),
            spawn(watch.run(), name="exceptions"),
            spawn(upkeep.run(), name="upkeep"),
            spawn(anchored.anchors.run(), name="anchors"),
        ]
        self.closing.push_async_callback(stop, *running)
        await gate.event(
            "start",
            {
                "version": __version__,
                "policy_version": policies.current.version,
                **said,
                "observe": config.observe,
            },
        )
        reviewer = config.roles.reviewer
        return Opened(
            gate=gate,
            recorder=recorder,
            screens=screens,
            keys=keys,
            reviewers=tuple(reviewer.groups) if reviewer else (),
        )

    async def close(self) -> None:
        """Close everything; nothing acknowledged is lost."""
        await self.closing.aclose()
        await self._fetch.close()
        await self.credentials.close()

    def reload(self) -> None:
        """Read the rules again."""
        if self._policies:
            self._policies.reload()

    def note(self, kind: str, detail: dict[str, object]) -> None:
        """Put an event on record, as soon as may be."""
        if self._gate:
            spawn(_quietly(self._gate.event(kind, detail)), name=f"event {kind}")

    def _rules(self) -> PolicyWatch:
        return PolicyWatch(
            self.config.rules,
            features=self._features,
            report=self._reloaded,
            observe=self.config.observe,
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
            self.note("rules.broken", {"error": str(found)})
        else:
            self.note("rules.reloaded", {"policy_version": found.version})


def now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


def _console(config: Config) -> str:
    """Where people reach the gateway's console, as far as its settings say."""
    found = config.console
    return found.url or f"{'https' if found.tls else 'http'}://{found.listen}"


def _trouble(error: Exception) -> None:
    logger.error("the record has trouble", exc_info=error, extra={"event": "record.trouble"})


async def _all(
    screens: Awaitable[Screens | None],
    recorder: Awaitable[Recorder],
    store: Awaitable[SqliteStore],
    policies: Awaitable[PolicyWatch],
) -> tuple[Screens | None, Recorder, SqliteStore, PolicyWatch]:
    """At the same time; redaction takes seconds. Where one fails, the others are closed."""
    found = await asyncio.gather(screens, recorder, store, policies, return_exceptions=True)
    match found:
        case (Screens() | None, Recorder(), SqliteStore(), PolicyWatch()):
            return found
    failed = next(each for each in found if isinstance(each, BaseException))
    for each in found:
        if isinstance(each, Screens | SqliteStore):
            each.close()
        elif isinstance(each, Recorder):
            await each.close()
    raise failed


async def _quietly(work: Awaitable[Any]) -> None:
    try:
        await work
    except InternalError:
        logger.exception("an event was not recorded", extra={"event": "record.failed"})
