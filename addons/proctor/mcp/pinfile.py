"""The SQLite file of pins: made whole by whoever comes first, opened by all gateways.

A row is written anew at each change, and its number never comes twice (AUTOINCREMENT): what is
above the last number read is what changed since.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.errors import InternalError
from proctor.mcp.model import Pin, Sighting, sighted
from proctor.protocols.mcp.suspicion import Sign
from proctor.runtime.permissions import make_folder
from proctor.runtime.sqlitemaker import SqliteFile, name_bytes, transaction, unusable_as

NAME: Final = "tools.db"
"""In the state folder."""

VERSION: Final = 1

type Key = tuple[str, str]
"""Server and tool."""

# Names are bytes: SQLite's text ends at a NUL for some of its functions.
_SCHEMA = """
CREATE TABLE pins (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    server BLOB NOT NULL,
    tool BLOB NOT NULL,
    data TEXT NOT NULL,
    UNIQUE (server, tool)
) STRICT;
"""
_MOMENTS: Final = ("first_seen", "changed_at", "decided_at")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What changed since the last look.

    Attributes:
        pins: Those that are new or were changed.
        keys: All that are there.
    """

    pins: tuple[Pin, ...]
    keys: frozenset[Key]


def unavailable(message: str, got: str = "") -> InternalError:
    """The error of pins that cannot be used; it is logged, too.

    Args:
        message: What happened, without any value.
        got: What SQLite says, which names no values either.
    """
    log.error("%s", message, extra={"event": "tools.failed", "got": got})
    return InternalError(
        code="pins-unavailable",
        message=message,
        got=got,
        hint=f"No tool was let through; see {NAME} in the state folder, and its disk.",
    )


class PinFile:
    """The file, for one thread at a time.

    Args:
        path: It is made if it is not there, its folder, too.
        wait: How long another process may keep it locked, seconds.

    Raises:
        ConfigurationError: `pins-unusable`, or `open-to-others`.
    """

    def __init__(self, path: Path, wait: float) -> None:
        make_folder(path.parent)
        _FILE.create(path)
        self._writer = _FILE.connect(path, wait)
        try:
            # One of its own: SQLite counts for it what others commit, ours among them.
            self._reader = _FILE.connect(path, wait)
        except BaseException:
            self._writer.close()
            raise
        self._version: int | None = None
        self._last = 0

    def changes(self) -> Found | None:
        """What changed since this was asked last; None for nothing.

        Raises:
            InternalError: `pins-unavailable`.
        """
        with _FILE.reported():
            (version,) = self._reader.execute("PRAGMA data_version").fetchone()
            if version == self._version:
                return None
            with transaction(self._reader, "BEGIN"):
                keys = self._reader.execute("SELECT server, tool FROM pins").fetchall()
                rows = self._reader.execute(
                    "SELECT n, server, tool, data FROM pins WHERE n > ? ORDER BY n", (self._last,)
                ).fetchall()
            found = Found(
                pins=tuple(_pin(server, tool, data) for _, server, tool, data in rows),
                keys=frozenset((server.decode(), tool.decode()) for server, tool in keys),
            )
            self._version, self._last = version, rows[-1][0] if rows else self._last
        return found

    def sighted(self, sightings: Iterable[Sighting]) -> None:
        """Remember what was seen, in order; durable when this returns.

        Raises:
            InternalError: `pins-unavailable`.
        """
        with _FILE.reported(), transaction(self._writer, "BEGIN IMMEDIATE"):
            for each in sightings:
                before = self._find(each.server, each.tool)
                after = sighted(before, each)
                if after is not before:
                    self._put(after)

    def change(
        self, server: str, tool: str, decide: Callable[[Pin | None], Pin | None]
    ) -> tuple[Pin | None, Pin | None]:
        """Change one pin, with nobody in between; durable when this returns.

        Args:
            server: Its server.
            tool: Its tool.
            decide: Given the pin as it is, says what it is to be; None for gone.

        Returns:
            The pin before, and after.

        Raises:
            InternalError: `pins-unavailable`; and what `decide` raises.
        """
        with _FILE.reported(), transaction(self._writer, "BEGIN IMMEDIATE"):
            before = self._find(server, tool)
            after = decide(before)
            if after is None:
                self._writer.execute(
                    "DELETE FROM pins WHERE server = ? AND tool = ?", _names(server, tool)
                )
            elif after is not before:
                self._put(after)
        return before, after

    def forget(self, server: str) -> list[str]:
        """Forget all tools of a server; durable when this returns.

        Raises:
            InternalError: `pins-unavailable`.
        """
        with _FILE.reported(), transaction(self._writer, "BEGIN IMMEDIATE"):
            gone = self._writer.execute(
                "DELETE FROM pins WHERE server = ? RETURNING tool", (server.encode(),)
            ).fetchall()
        return sorted(tool.decode() for (tool,) in gone)

    def close(self) -> None:
        """Let go of the file. Again is harmless."""
        self._reader.close()
        self._writer.close()

    def _find(self, server: str, tool: str) -> Pin | None:
        row = self._writer.execute(
            "SELECT server, tool, data FROM pins WHERE server = ? AND tool = ?",
            _names(server, tool),
        ).fetchone()
        return None if row is None else _pin(*row)

    def _put(self, pin: Pin) -> None:
        data = asdict(pin)
        del data["server"], data["tool"]
        data |= {key: data[key].isoformat() for key in _MOMENTS if data[key] is not None}
        self._writer.execute(
            "INSERT OR REPLACE INTO pins (server, tool, data) VALUES (?, ?, ?)",
            (*_names(pin.server, pin.tool), json.dumps(data)),
        )


def _pin(server: bytes, tool: bytes, raw: str) -> Pin:
    try:
        data: dict[str, Any] = json.loads(raw)
        data |= {key: datetime.fromisoformat(data[key]) for key in _MOMENTS if data[key]}
        data["earlier"] = tuple(data["earlier"])
        data["signs"] = tuple(Sign(**each) for each in data["signs"])
        return Pin(server=server.decode(), tool=tool.decode(), **data)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise unavailable("A pin of a tool cannot be read") from None


def _names(server: str, tool: str) -> tuple[bytes, bytes]:
    # A lone surrogate is in no name that is kept, so what is asked with one finds none.
    return name_bytes(server), name_bytes(tool)


_FILE: Final = SqliteFile(
    what="the pins of tools",
    schema=_SCHEMA,
    version=VERSION,
    pragmas=("synchronous = FULL",),
    unusable=unusable_as(
        "pins-unusable",
        "The pins of tools cannot be used",
        "Move it away for a new one; then every tool counts as seen for the first time.",
    ),
    failed=lambda got: unavailable("The pins of tools cannot be used", got),
)
