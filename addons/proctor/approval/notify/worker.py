"""Tells everybody who is to be told, and stands in nobody's way.

One task makes messages of what is new in the store; each notifier has a task of its own that sends
them, so one that is slow delays no other. Nothing that decides or waits is ever kept up by them.
"""

import asyncio
import contextlib
import logging
import random
import secrets as random_names
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import assert_never

import httpx

from proctor.approval.model import Approval, ApprovalError, Change
from proctor.approval.notify.channel import Channel, Look
from proctor.approval.notify.jira import Jira
from proctor.approval.notify.message import Item, groups, make, topics
from proctor.approval.notify.outbox import Claimed, Letter, Outbox, Status
from proctor.approval.notify.slack import Slack
from proctor.approval.notify.teams import Teams
from proctor.approval.notify.webhook import Webhook
from proctor.approval.notify.wire import DeliveryError, Wire, make_client
from proctor.approval.settings import NotifierSettings
from proctor.approval.store import Store
from proctor.errors import ConfigurationError
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)

ALARM = 300.0
"""Seconds of failing after which it is an error, not a warning."""

_LEASE = 120.0
_DELIVERY = 60.0  # one message; Jira takes several requests
_FIRST = 1.0
_LAST = 900.0
_REST = 60.0
_BROKEN = 5.0  # between two looks at a file that cannot be used
_BATCH = 500
_GONE = frozenset({"approval-unknown", "grant-unknown", "kill-unknown"})


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: twice as long each time, and at random within that half."""
    longest = min(_FIRST * 2.0 ** min(attempts, 16), _LAST)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, hides nothing


class Notifier:
    """All notifiers of one gateway process."""

    def __init__(  # noqa: PLR0913 - a port for each thing outside
        self,
        settings: Sequence[NotifierSettings],
        *,
        store: Store,
        secrets: Look,
        state: Path,
        address: str,
        clock: Callable[[], datetime],
        client: Callable[[], httpx.AsyncClient] = make_client,
        count: Callable[[str, str], None] = lambda _name, _outcome: None,
        poll: float = 0.25,
        pause: Callable[[int], float] = backoff,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: `notifications` in proctor.yaml.
            store: Where changes are read; the same that the desk has.
            secrets: Reads secrets.
            state: The folder for `notify.db`.
            address: Where people reach the console.
            clock: The time, UTC.
            client: Makes the HTTP client.
            count: Told of each outcome: the notifier's name, and `sent`, `retried`, `refused` (it
                will never be taken), `expired` or `overflow`.
            poll: Seconds between two looks for changes.
            pause: From attempts that failed to seconds until the next.
        """
        self._settings = tuple(settings)
        self._store = store
        self._look = secrets
        self._state = state
        self._address = address
        self._clock = clock
        self._make_client = client
        self._count = count
        self._poll = poll
        self._pause = pause
        self._owner = random_names.token_hex(8)
        self._wake = {item.name: asyncio.Event() for item in self._settings}
        # Its own: a file that is locked for long takes no thread from others.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notify")
        self._outbox: Outbox | None = None
        self._wires: list[Wire] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the outbox, read every secret once, and begin.

        Raises:
            ConfigurationError: A secret is missing or malformed, or the file cannot be used.
        """
        if not self._settings:
            return
        channels = {item.name: self._channel(item) for item in self._settings}
        for channel in channels.values():
            await channel.check()
        self._outbox = outbox = await self._blocking(Outbox, self._state)
        await self._blocking(outbox.keep_only, list(channels))
        await self._blocking(self._take, outbox)
        self._tasks = [spawn(self._follow(outbox), name="notifications")]
        for name, channel in channels.items():
            self._tasks.append(spawn(self._run(outbox, name, channel), name=f"notify {name}"))

    async def close(self) -> None:
        """Stop sending; what was not sent is sent after the next start, or by another process."""
        await stop(*self._tasks)
        self._tasks = []
        for wire in self._wires:
            await wire.close()
        self._wires = []
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            try:
                await self._blocking(outbox.release, self._owner)
            except sqlite3.Error as error:
                _log_file(error)
            await self._blocking(outbox.close)
        self._thread.shutdown(wait=False)

    async def status(self) -> tuple[Status, ...]:
        """How the notifiers are that anything was sent to."""
        return () if self._outbox is None else await self._blocking(self._outbox.status)

    def _channel(self, item: NotifierSettings) -> Channel:
        wire = Wire(self._make_client(), clock=self._clock)  # no connection is shared
        self._wires.append(wire)
        match item.kind:
            case "webhook":
                return Webhook(item, self._look, wire, self._clock)
            case "slack":
                return Slack(item, self._look, wire)
            case "teams":
                return Teams(item, self._look, wire)
            case "jira":
                return Jira(item, self._look, wire)
            case _:
                assert_never(item.kind)

    async def _blocking[**P, T](self, call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(call, *args, **named))

    async def _follow(self, outbox: Outbox) -> None:
        seen, failing = -1, False
        while True:
            try:
                more = await self._blocking(self._store.last_change) != seen
                if more:
                    seen = await self._blocking(self._take, outbox)
                    for event in self._wake.values():
                        event.set()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
                more = False
                if not failing:
                    _log_file(error)
                failing = True
            await asyncio.sleep(0 if more else self._poll)

    def _take(self, outbox: Outbox) -> int:
        """Make letters of what is new; the number of the last change that was looked at."""

        def letters(after: int) -> tuple[int, list[Letter]]:
            changes = self._store.changes(after, _BATCH)
            found = [letter for change in changes for letter in self._letters(change)]
            return changes[-1].seq if changes else after, found

        seq, lost = outbox.take(self._store.last_change, letters)
        for name in lost:
            self._count(name, "overflow")
        return seq

    def _letters(self, change: Change) -> list[Letter]:
        told = [item for item in self._settings if topics(change) & set(item.on)]
        if not told or (item := self._item(change)) is None:
            return []
        about = self._approval(item)
        try:
            message = make(change, item, self._address)
        except Exception as error:  # noqa: BLE001 - one that cannot be told must not stop the rest
            log.error(  # noqa: TRY400 - a traceback may hold what the card says
                "Nobody can be told of a change: %s",
                type(error).__name__,
                extra={"event": "notify.unspeakable", "seq": change.seq, "id": change.id},
            )
            return []
        over = message.type == "approval.pending" and about is not None and about.decided_at
        return [
            Letter(
                notifier=each.name,
                message=message,
                settles=change.subject == "approval"
                and message.type != "approval.pending"
                and each.kind != "webhook",
            )
            for each in told
            if not (over and each.kind != "webhook")
            and (about is None or not each.groups or groups(about) & set(each.groups))
        ]

    def _item(self, change: Change) -> Item | None:
        """What it happened to; None where that is no longer kept."""
        try:
            match change.subject:
                case "approval":
                    return self._store.get(change.id)
                case "grant":
                    grants = self._store.grants()
                    return next((item for item in grants if item.id == change.id), None)
                case _:
                    kills = self._store.kills(in_force=False)
                    return next((item for item in kills if item.id == change.id), None)
        except ApprovalError as error:
            if error.code in _GONE:
                return None
            raise

    def _approval(self, item: Item) -> Approval | None:
        """The approval it is about; None for what no group decides."""
        if isinstance(item, Approval):
            return item
        name = getattr(item, "approval_id", "")
        try:
            return self._store.get(name) if name else None
        except ApprovalError as error:
            if error.code in _GONE:
                return None
            raise

    async def _run(self, outbox: Outbox, name: str, channel: Channel) -> None:
        health = _Health(name)
        while True:
            wake = self._wake[name]
            wake.clear()
            claimed, rest = None, self._poll * 4  # another process may have left something
            try:
                now = self._clock().timestamp()
                for _ in range(await self._blocking(outbox.expire, name, now)):
                    self._count(name, "expired")
                claimed = await self._blocking(
                    outbox.claim, name, now=now, lease=now + _LEASE, owner=self._owner
                )
                if claimed is not None:
                    rest = await self._send(outbox, channel, claimed, health)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next try may succeed
                _log_file(error)
                rest = _BROKEN
            if claimed is not None:
                await asyncio.sleep(rest)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await wake.wait()

    async def _send(
        self, outbox: Outbox, channel: Channel, claimed: Claimed, health: "_Health"
    ) -> float:
        """Send one message; seconds until this notifier may be asked again."""
        failed = DeliveryError("timeout")
        try:
            async with asyncio.timeout(_DELIVERY):
                ticket = await channel.deliver(claimed.message, claimed.ticket)
        except TimeoutError:
            pass
        except DeliveryError as error:
            failed = error
        except ConfigurationError as error:
            failed = DeliveryError(error.code)
        except Exception as error:  # noqa: BLE001 - its text may hold what was sent
            failed = DeliveryError(type(error).__name__)
        else:
            now = self._clock().timestamp()
            await self._blocking(outbox.sent, health.name, claimed, ticket, now)
            self._count(health.name, "sent")
            health.sent()
            return 0.0
        now = self._clock().timestamp()
        due = None if failed.final else now + max(failed.after or 0, self._pause(claimed.attempts))
        status = await self._blocking(
            outbox.failed, health.name, claimed, code=failed.code, due=due, now=now
        )
        self._count(health.name, "refused" if failed.final else "retried")
        health.failed(status, now)
        if failed.final:
            return 0.0
        # The others would hardly fare better; but they need not wait as long as this one.
        return max(failed.after or 0, min(self._pause(health.failures), _REST))


class _Health:
    """What the log is told of one notifier: once that it fails, once that it keeps failing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self._alarmed = False

    def sent(self) -> None:
        if self.failures:
            log.info(
                "The notification %s works again",
                self.name,
                extra={"event": "notify.recovered", "notifier": self.name},
            )
        self.failures, self._alarmed = 0, False

    def failed(self, status: Status, now: float) -> None:
        self.failures += 1
        long = now - (status.failing_since or now) >= ALARM
        if self.failures > 1 and (self._alarmed or not long):
            return
        self._alarmed = long
        log.log(
            logging.ERROR if long else logging.WARNING,
            "The notification %s fails%s: %s",
            self.name,
            ", and has for minutes" if long else "",
            status.code,
            extra={
                "event": "notify.alarm" if long else "notify.failed",
                "notifier": self.name,
                "code": status.code,
                "queued": status.queued,
            },
        )


def _log_file(error: Exception) -> None:
    got = error.code if isinstance(error, ApprovalError) else type(error).__name__
    log.error(
        "Notifications cannot be kept or read: %s",
        got,
        extra={"event": "notify.file-failed", "got": got},
    )
