"""People are told that a canary was seen: which, who had it and where, never the value.

Any process may put such a message into the outbox; the gateway's notifiers send it.
"""

import asyncio
import contextlib
import hashlib
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.approval.notify.message import KEEP, Message, plain
from proctor.approval.notify.outbox import Letter, Outbox
from proctor.approval.settings import NotifierSettings
from proctor.canary.file import NAME, read
from proctor.canary.seen import SEEN
from proctor.errors import ConfigurationError
from proctor.leaving.values import site_of
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)

EVERY: Final = 3600.0
"""Seconds in which people are told once of the same canary with the same principal."""

MOST: Final = 20
"""Messages of one process in that time."""

_KNOWN: Final = 1000


@dataclass(slots=True)
class _Told:
    window: int
    more: int = 0


class Alarms:
    """Alarms of one process.

    Args:
        settings: `notifications` in proctor.yaml.
        state: Proctor's own folder.
        address: Where people reach the console.
        clock: The time, UTC.
        count: Told of a message that found no room: the notifier's name, and `overflow`.
    """

    def __init__(
        self,
        settings: Sequence[NotifierSettings],
        *,
        state: Path,
        address: str,
        clock: Callable[[], datetime],
        count: Callable[[str, str], None] = lambda _name, _outcome: None,
    ) -> None:
        self._names = tuple(item.name for item in settings if "canary" in item.on)
        self._state = state
        self._address = address
        self._clock = clock
        self._count = count
        self._told: OrderedDict[tuple[str, str], _Told] = OrderedDict()
        self._window = (0, 0)
        self._tasks: set[asyncio.Task[None]] = set()

    def hear(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Take note of an event; of a canary's, people are told soon.

        Args:
            kind: The event's.
            detail: What the record says of it.
        """
        if kind != SEEN or not self._names:
            return
        now = self._clock()
        more = self._due((str(detail["canary"]), str(detail["seen_by"])), now.timestamp())
        if more is None:
            return
        task = spawn(asyncio.to_thread(self._put, detail, now, more), name="tell of a canary")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for what is being kept."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=10)
            await stop(*late)

    def _due(self, key: tuple[str, str], now: float) -> int | None:
        """How often it was seen since people were told last; None while they need not be told."""
        window = int(now // EVERY)
        told = self._told.setdefault(key, _Told(-1))
        self._told.move_to_end(key)
        if len(self._told) > _KNOWN:
            self._told.popitem(last=False)
        sent = self._window[1] if self._window[0] == window else 0
        if told.window == window or sent >= MOST:
            told.more += 1
            return None
        self._window = (window, sent + 1)
        more, told.window, told.more = told.more, window, 0
        return more

    def _put(self, detail: Mapping[str, Any], now: datetime, more: int) -> None:
        try:
            message = make(detail, now, address=self._address, more=more, planted=self._planted)
            letters = [Letter(notifier=name, message=message) for name in self._names]
            with contextlib.closing(Outbox(self._state)) as outbox:
                lost = outbox.put(letters)
        except (ConfigurationError, sqlite3.Error, OSError) as error:
            log.error(  # noqa: TRY400 - what is said of it is in the record
                "Nobody can be told of a canary: %s",
                type(error).__name__,
                extra={"event": "notify.file-failed", "got": type(error).__name__},
            )
            return
        for name in lost:
            self._count(name, "overflow")

    def _planted(self, name: str) -> tuple[str, str]:
        """What a canary is, and where it was planted."""
        try:
            found = next((one for one in read(self._state / NAME) if one.id == name), None)
        except ConfigurationError:
            found = None
        return (found.note, found.place) if found else ("", "")


def make(
    detail: Mapping[str, Any],
    at: datetime,
    *,
    address: str,
    more: int,
    planted: Callable[[str], tuple[str, str]],
) -> Message:
    """The message of one alarm.

    Args:
        detail: Of the event.
        at: When.
        address: Where people reach the console.
        more: How often the same was seen since the message before.
        planted: What a canary is, and where it was planted.
    """
    known = {name: plain(str(detail.get(name, ""))) for name in _SHOWN}
    name, who = known["canary"], known["seen_by"].partition("#")[2] or known["seen_by"]
    if known["location"] == "host":  # it stands in the host's name itself
        known["host"] = f"<hidden>.{site_of(known['host'])}"
    note, place = planted(name)
    done = "stopped" if detail.get("stopped") else "it passed, or its value was taken out"
    facts = (
        ("Canary", name),
        ("What it is", plain(note)),
        ("Planted at", plain(place)),
        ("Who had it", who),
        ("Session", known["session"]),
        ("Listener", known["listener"]),
        ("Host", known["host"]),
        ("Where in it", f"{known['direction']}: {known['location']}"),
        ("What was done", done),
        ("Seen since the last message", str(more) if more else ""),
    )
    # The same in all processes, so that several do not tell the same.
    same = f"{name} {known['seen_by']} {int(at.timestamp() // EVERY)}"
    return Message(
        id=f"{name}.{hashlib.sha256(same.encode()).hexdigest()[:16]}",
        type=SEEN,
        about=name,
        at=at,
        ends=at + KEEP,
        head=f"Canary seen: {name}",
        facts=tuple((title, value) for title, value in facts if value),
        link=f"{address.rstrip('/')}/sessions",
        data={**known, "stopped": bool(detail.get("stopped")), "more": more},
    )


_SHOWN: Final = ("canary", "seen_by", "session", "listener", "host", "direction", "location")
