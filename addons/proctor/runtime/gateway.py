"""One gateway: every part put together, started, drained and stopped in order.

The parts come up inside out, so that nothing listens before it can decide and record, and go down
outside in, so that nothing acknowledged is lost.
"""

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mitmproxy.master import Master

from proctor import __version__
from proctor.approval.cards import unseal
from proctor.approval.desk import Desk
from proctor.approval.model import Approval, Change, Grant, Kill
from proctor.approval.records import envelope
from proctor.approval.sqlite import SqliteStore
from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.budgets.ledger import Budgets
from proctor.budgets.opening import open_budgets
from proctor.config import Config
from proctor.credentials.store import Credentials
from proctor.egress.authority import Authority
from proctor.egress.authority import Change as AuthorityChange
from proctor.egress.resolver import Resolver
from proctor.egress.targets import targets_of
from proctor.errors import ConfigurationError, InternalError
from proctor.evidence.anchors import Wired
from proctor.evidence.beside import Beside
from proctor.evidence.sealer import Sealing
from proctor.evidence.upkeep import Upkeep
from proctor.export.worker import Exports
from proctor.gate import Gate
from proctor.git.room import GitRoom, open_git
from proctor.identity.authenticator import Authenticator
from proctor.identity.fetch import HttpFetch
from proctor.identity.local import FILE, LOCAL
from proctor.mcp.pins import Pins
from proctor.policy.engine import Policy
from proctor.policy.watch import PolicyWatch
from proctor.postgres.listening import Workers
from proctor.provenance import memory
from proctor.redaction.assembly import Screens, open_screens
from proctor.redaction.exceptions import FILE as EXCEPTIONS
from proctor.redaction.exceptionswatch import Change as ExceptionsChange
from proctor.redaction.exceptionswatch import ExceptionsWatch
from proctor.redaction.keys import RedactionKeys, load_keys
from proctor.replay.direct import Straight
from proctor.replay.passes import Passes
from proctor.replay.places import places
from proctor.replay.sending import Replayer
from proctor.runs import open_met
from proctor.runtime.disk import DiskWatch
from proctor.runtime.evidence import show_evidence
from proctor.runtime.features import features_of
from proctor.runtime.health import Health, Metrics
from proctor.runtime.modes import handlers, nudge, open_door
from proctor.runtime.permissions import prepare
from proctor.runtime.reception import Reception
from proctor.runtime.tasks import spawn, stop
from proctor.search.background import Background
from proctor.stages.exit import Exit
from proctor.stages.suite import Suite

logger = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between two looks at whether the last exchange has ended."""

FIGURES = 5.0
"""Seconds between two looks at what /metrics shows of the record and the issuers."""

ANCHORED = 5.0
"""Seconds that the last checkpoint has to reach its anchors at the end."""


class Gateway:
    """All of proctor in one process, but for mitmproxy's master."""

    def __init__(self, config: Config, file: Path, *, dev: bool = False) -> None:
        """Nothing is opened before `start`.

        Args:
            config: As loaded.
            file: Where it was loaded from.
            dev: Tokens of the local issuer may decide what is held.
        """
        self.config = config
        self._dev = dev
        self._file = file
        self._fetch = HttpFetch()
        self._recorder: Recorder | None = None
        self._suite: Suite | None = None
        self._screens: Screens | None = None
        self._exceptions: ExceptionsWatch | None = None
        self._metrics = Metrics(self.listener_names)
        self._workers = Workers(config, file, note=self._note)
        self._metrics.registry.register(self._workers.totals)
        self._credentials = Credentials(config.credentials, fetch=self._fetch)
        self._forward = any(listener.kind == "forward" for listener in config.listeners)
        self._authority: Authority | None = None
        self._resolver: Resolver | None = None
        self._pins: Pins | None = None
        self._git: GitRoom | None = None
        self._authenticator = Authenticator(
            config.identity.issuers,
            fetch=self._fetch,
            clock=time.time,
            local_keys=config.state / FILE,
            secret=self._credentials.secret,
        )
        self._policies = PolicyWatch(
            config.rules,
            features=features_of(config),
            report=self._reloaded,
            observe=config.observe,
        )
        self._store: SqliteStore | None = None
        self._desk: Desk | None = None
        self._reception: Reception | None = None
        self._replayer: Replayer | None = None
        self._health: Health | None = None
        self._disk: DiskWatch | None = None
        self._exports: Exports | None = None
        self._budgets: Budgets | None = None
        self._shared = ExitStack()
        self._search: Background | None = None
        self._anchored: Wired | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._draining = False
        self.console = ""

    @property
    def suite(self) -> Suite:
        """The stages; there once `start` has returned."""
        if self._suite is None:
            raise InternalError("not-started", "The gateway has not been started")
        return self._suite

    @property
    def started(self) -> bool:
        """Whether `start` has got as far as the stages."""
        return self._suite is not None

    @property
    def listener_names(self) -> list[str]:
        """The listeners of the configuration that are mitmproxy's."""
        return [listener.name for listener in self.config.listeners]

    async def start(self) -> None:
        """Open the record, fetch keys and credentials; listeners come after.

        Raises:
            ConfigurationError: Something is missing, wrong or open to others.
        """
        prepare(self.config, self._file)
        if self._dev:
            logger.warning(
                "dev: tokens of the local issuer decide here, and anybody who reads its key makes "
                "them: this is for your own machine",
                extra={"event": "dev"},
            )
        await self._credentials.start()
        audit = self.config.audit
        self._anchored = anchored = Wired(
            audit.anchors,
            Store.at(audit.path).writers,
            every=audit.anchor_every,
            clock=_now,
            report=self._note,
        )
        sealing = Sealing(
            state=self.config.state,
            every=audit.checkpoints.every,
            published=anchored.anchors.submit,
        )
        self._recorder = recorder = await Recorder.open(
            audit.path,
            report=lambda it: self._note("record.trouble", {"error": f"{type(it).__name__}: {it}"}),
            sealing=sealing,
        )
        await self._authenticator.start()
        self._exceptions = watch = ExceptionsWatch(
            self.config.state / EXCEPTIONS, report=self._exceptions_changed
        )
        keys = load_keys(self.config.state)
        self._store = await asyncio.to_thread(SqliteStore, self.config.approvals.store)
        self._desk = desk = Desk(
            self._store,
            clock=_now,
            record=self._change,
            open_sealed=lambda sealed: unseal(sealed, keys.approval),
            keep=self.config.approvals.keep,
        )
        logger.info("getting ready to look at traffic", extra={"event": "redaction.loading"})
        self._screens = await asyncio.to_thread(
            open_screens,
            self.config.redaction,
            keys,
            state=self.config.state,
            listeners=self.listener_names,
            exceptions=lambda: watch.current,
        )
        passes = Passes(self._authenticator)
        self._budgets = open_budgets(self.config, clock=_now, report=self._note)
        known = self._shared.enter_context(memory.opened(self.config.state, keys.origin, _now))
        gate = Gate(
            authenticator=passes,
            policies=self._policies,
            recorder=recorder,
            digest_key=keys.action,
            desk=desk,
            budgets=self._budgets,
            met=self._shared.enter_context(closing(open_met(self.config.state))),
            provenance=known,
        )
        await self._open_ways_out(keys, watch)
        self._suite = Suite(
            self.config.listeners,
            gate,
            self._credentials,
            self._metrics,
            screens=self._screens,
            authority=self._authority,
            resolver=self._resolver,
            pins=self._pins,
            git=self._git,
            issuers=[each.issuer for each in self.config.identity.issuers if each.issuer != LOCAL],
            reviewers=self.config.roles.reviewer.groups if self.config.roles.reviewer else (),
            first_request=self.config.limits.head,
            connections=self.config.limits.connections,
            message=self.config.limits.message,
            sealing=keys.approval,
            nudge=nudge,
        )
        desk.on_kill.append(self._suite.kill)
        await desk.start()
        await self._workers.start()
        if not isinstance(self._suite.stages_in_order[-1], Exit):
            raise ConfigurationError(
                "exit-missing",
                "The chain does not end in exit, so it would let out what was never judged",
                expected="exit as the last stage",
            )
        for name in self.listener_names:
            open_door(name, self._suite)
        self._disk = DiskWatch(
            self.config.audit.path,
            self.config.limits.disk,
            report=lambda state, free: self._note("disk", {"state": state, "free_bytes": free}),
        )
        reviewers = self.config.roles.reviewer
        self._replayer = Replayer(
            desk=desk,
            passes=passes,
            note=gate.event,
            clock=_now,
            groups=reviewers.groups if reviewers else (),
            straight=Straight(
                judge=gate,
                credentials=self._credentials,
                targets=[each for item in self.config.listeners for each in targets_of(item)],
                resolver=Resolver(threads=2),
            ),
        )
        upkeep = Upkeep(
            recorder=recorder,
            settings=self.config.audit.retention,
            clock=_now,
            sealing=Sealing(state=sealing.state, every=sealing.every),  # anchors are told of ours
            beside=Beside(
                approvals=self._store,
                state=sealing.state,
                clock=_now,
                values=self._screens.forget if self._screens else None,
                shared=True,
            ).erase,
        )
        self._reception = reception = Reception(
            self.config,
            upkeep=upkeep,
            desk=desk,
            store=self._store,
            policy=lambda: self._policies.current,
            credentials=self._credentials,
            fetch=self._fetch,
            admit=self._authenticator.authenticate,
            lacking=self._lacking,
            count=self._metrics.notified,
            events=gate.on_event,
            clock=_now,
            dev=self._dev,
            pins=self._pins,
            replayer=self._replayer,
        )
        self._health = Health(
            self.config.console, self._metrics, lacking=self._lacking, console=reception.open
        )
        self.console = await self._health.start()
        await reception.start()
        self._exports = Exports(
            self.config.exports,
            record=self.config.audit.path,
            secrets=self._credentials.secret,
            clock=_now,
            figures=self._metrics,
        )
        await self._exports.start()
        self._search = Background(self.config.audit.path)
        self._search.start()
        self._tasks = [
            spawn(self._policies.run(), name="rules"),
            spawn(self._disk.run(), name="disk"),
            spawn(self._show_figures(), name="figures"),
            spawn(watch.run(), name="exceptions"),
            spawn(self._expire(), name="vault"),
            spawn(upkeep.run(), name="upkeep"),
            *([spawn(self._budgets.run(), name="budgets")] if self._budgets else []),
            *([spawn(self._authority.run(), name="authority")] if self._authority else []),
        ]
        self._metrics.policy_loaded(self._policies.current.version)
        await gate.event(
            "start",
            {
                "version": __version__,
                "policy_version": self._policies.current.version,
                "listeners": [each.name for each in self.config.doors],
                "observe": self.config.observe,
                "dev": self._dev,
                "exceptions": [item.id for item in watch.current.items],
                "exports": {item.name: item.place for item in self.config.exports},
                "authorities": self._authority.current.rows() if self._authority else [],
            },
        )

    def opened(self, addresses: dict[str, str]) -> None:
        """Every listener of mitmproxy's is open: take traffic."""
        addresses = {**addresses, **self._workers.addresses}
        # What is there by now stays; to look through it time and again costs others 0.2 s each.
        gc.collect()
        gc.freeze()
        self.suite.accepting = True
        self._workers.open()
        # Not before: mitmproxy ends when an error is logged while it starts, such as an alarm.
        if self._anchored:
            self._tasks.append(spawn(self._anchored.anchors.run(), name="anchors"))
        if self._replayer:
            self._replayer.places = places(self.config.listeners, addresses)
            self._replayer.taking = True
        logger.info(
            "proctor takes traffic",
            extra={"event": "ready", "listeners": addresses, "console": self.console},
        )

    def shut(self) -> None:
        """Refuse everything from now on; the listeners may well stay open."""
        if self._suite:
            self._suite.accepting = False
        if self._replayer:
            self._replayer.places = {}
            self._replayer.taking = False

    def drain(self, master: Master) -> None:
        """SIGTERM: take nothing new, let what is open finish, then end the master."""
        if not self._draining:
            self._draining = True
            self._tasks.append(spawn(self._drain(master), name="drain"))

    async def _drain(self, master: Master) -> None:
        server: Any = master.addons.get("proxyserver")
        self.shut()
        await server.servers.update([])
        await self.settle()
        master.shutdown()

    async def settle(self) -> None:
        """Take nothing new, and wait for what is open, `limits.drain` at most."""
        self.shut()
        if self._suite is None:
            return
        workers = spawn(self._workers.drain(self.config.limits.drain), name="workers drain")
        await self._settle(self._suite)
        await workers

    async def _settle(self, suite: Suite) -> None:
        if self._search:
            await self._search.close()
        suite.stop_waiting()
        logger.info("draining", extra={"event": "draining", "open_exchanges": suite.open_exchanges})
        deadline = time.monotonic() + self.config.limits.drain
        while suite.open_exchanges and time.monotonic() < deadline:  # noqa: ASYNC110 - rare and bounded
            await asyncio.sleep(LOOK)
        if suite.open_exchanges:
            logger.warning(
                "exchanges were cut off at the end of limits.drain",
                extra={"event": "drain.cut", "open_exchanges": suite.open_exchanges},
            )
            for handler in list(handlers.values()):
                handler.abandon()
            await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        """Flush and close everything; nothing acknowledged is lost."""
        self.shut()
        await self._workers.stop()
        await stop(*(task for task in self._tasks if task is not asyncio.current_task()))
        await self._stop_beside()
        if self._recorder:
            await _quietly(self._ended(self._recorder))
            await self._recorder.close()
        if self._anchored:  # the last checkpoint goes, too
            await self._anchored.anchors.finish(ANCHORED)
            await self._anchored.close()
        for each in (self._screens, self._resolver, self._shared):
            if each:
                each.close()
        if self._pins:
            await self._pins.close()
        if self._git:
            await self._git.close()
        await self._authenticator.close()
        await self._fetch.close()
        await self._credentials.close()
        logger.info("stopped", extra={"event": "stopped"})

    async def _stop_beside(self) -> None:
        """Closes what stands beside the data path."""
        if self._budgets:
            await self._budgets.close()
        if self._exports:
            await self._exports.close()
        if self._search:
            await self._search.close()
        if self._health:
            await self._health.stop()
        if self._reception:
            await self._reception.close()
        if self._desk:
            await self._desk.close()

    @staticmethod
    async def _ended(recorder: Recorder) -> None:
        await recorder.append("event", {"event_kind": "stop", "detail": {}})

    def reload(self) -> None:
        """SIGHUP: read the rules again."""
        self._policies.reload()
        self._workers.reload()

    def _reloaded(self, found: Policy | ConfigurationError) -> None:
        if isinstance(found, ConfigurationError):
            self._metrics.policy_failed()
            self._note("rules.broken", {"error": str(found)})
        else:
            self._metrics.policy_loaded(found.version)
            self._note("rules.reloaded", {"policy_version": found.version})

    def _exceptions_changed(self, change: ExceptionsChange | ConfigurationError) -> None:
        if isinstance(change, ConfigurationError):
            self._note("exceptions.broken", {"error": str(change)})
            return
        for item in change.added:
            self._note("exception.added", item.as_json())
        for item in change.removed:
            self._note("exception.removed", item.as_json())

    def _authority_changed(self, change: AuthorityChange | ConfigurationError) -> None:
        if isinstance(change, ConfigurationError):
            self._note("ca.broken", {"error": str(change)})
        else:
            self._note("ca.changed", change.detail())

    async def _change(self, change: Change, item: Approval | Grant | Kill | None) -> None:
        """Put on record what has happened to an approval, a grant or a kill."""
        if self._recorder is None:
            raise InternalError("not-started", "The gateway has not been started")
        kind, fields = envelope(change, item)
        await self._recorder.append(kind, fields)

    def _note(self, kind: str, detail: dict[str, object]) -> None:
        if self._recorder and self._suite:
            spawn(_quietly(self._suite.gate.event(kind, detail)), name=f"event {kind}")

    def _lacking(self) -> list[str]:
        """What keeps the gateway from taking traffic."""
        found = []
        if not (self._suite and self._suite.accepting):
            found.append("stopping" if self._draining else "listeners")
        if self._recorder and not self._recorder.writable:
            found.append("journal")
        return found + self._workers.lacking()

    async def _expire(self) -> None:
        while self._screens:
            await asyncio.sleep(3600)
            await asyncio.to_thread(self._screens.expire)

    async def _open_ways_out(self, keys: RedactionKeys, watch: ExceptionsWatch) -> None:
        """Open what requests need on their way to where they go."""
        if self._forward:
            self._resolver = Resolver()
            self._authority = await asyncio.to_thread(
                Authority,
                self.config.state,
                permitted=self.config.ca.permitted,
                report=self._authority_changed,
            )
        if features_of(self.config).servers:
            self._pins = Pins(self.config.state, _now)
            self._pins.on_change.append(lambda change: self._note(change.kind, change.detail()))
            await self._pins.start()
        self._git = open_git(
            self.config,
            keys.digest,
            lambda it: watch.current.allowed(it.detector, it.digest, it.location, _now()),
        )
        if self._git:
            await self._git.packs.warm()  # what finds secrets takes seconds to load

    async def _show_figures(self) -> None:
        while True:
            if self._recorder and self._suite:
                self._metrics.record(self._recorder, self._suite.open_exchanges)
                anchors = self._anchored.anchors.status() if self._anchored else ()
                folder = self.config.audit.path
                show_evidence(self._metrics, self._recorder, anchors, folder, _now())
            if self._disk:
                self._metrics.disk(self._disk.reading)
            for issuer in self._authenticator.status():
                self._metrics.issuer(issuer.issuer, issuer.age, issuer.failures)
            await asyncio.sleep(FIGURES)


def _now() -> datetime:
    return datetime.now(UTC)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except InternalError:
        logger.exception("an event was not recorded", extra={"event": "record.failed"})
