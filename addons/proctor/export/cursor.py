"""How far each sink is, in one small file a sink, and the lock that keeps it to one process.

recordings/exports/NAME.json   numbers that are next, written whole after the sink has taken a batch
recordings/exports/NAME.lock   held by the process that sends
"""

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proctor.audit import store
from proctor.errors import ConfigurationError

FOLDER = "exports"
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a sink is.

    Attributes:
        next: For each writer the number that is sent next; 0 where it is missing.
        leaves: For each writer the hash of the last record that was sent, hex.
        open: Sessions whose span is still to be sent; for traces.
        sent: Records sent so far.
        refused: Records that the sink will never take, so far.
        missed: Records that were no longer there when their turn came, so far.
        failing: What the sink said last, if that was no; else "".
        failing_since: RFC 3339; "" while it works.
    """

    next: Mapping[str, int] = field(default_factory=dict[str, int])
    leaves: Mapping[str, str] = field(default_factory=dict[str, str])
    open: Mapping[str, Any] = field(default_factory=dict[str, Any])
    sent: int = 0
    refused: int = 0
    missed: int = 0
    failing: str = ""
    failing_since: str = ""

    def at(self, writer: str) -> int:
        """The number of this writer's that is sent next."""
        return self.next.get(writer, 0)

    def moved(self, writer: str, first: int, leaf: str, **more: Any) -> "Cursor":
        """All of this writer's before `first` are done; `leaf` is the hash of the last of them."""
        return replace(
            self,
            next={**self.next, writer: first},
            leaves={**self.leaves, writer: leaf},
            **more,
        )


def folder(record: Path) -> Path:
    """Where cursors are; made if it is not there.

    Raises:
        ConfigurationError: Code `store-open-to-others`.
        OSError: It cannot be made.
    """
    path = record / FOLDER
    path.mkdir(mode=0o700, exist_ok=True)
    store.private(path)
    return path


def read(record: Path, name: str) -> Cursor:
    """How far a sink is; at the beginning where it never was sent anything.

    Raises:
        ConfigurationError: Code `cursor-unreadable`. It is not guessed: too low sends all again,
            too high loses.
    """
    path = record / FOLDER / f"{name}.json"
    try:
        return _cursor(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return Cursor()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            "cursor-unreadable",
            f"How far the export {name!r} is cannot be read",
            got=type(error).__name__,
            expected="the file as proctor wrote it",
            hint="Restore it, or remove it to send the whole record again; ids tell doubles apart.",
            where=str(path),
        ) from None


def write(record: Path, name: str, cursor: Cursor) -> None:
    """Make it durable.

    Raises:
        OSError: The disk does not take it; the old one stays.
    """
    path = folder(record)
    data = {
        "version": VERSION,
        "next": dict(cursor.next),
        "leaves": dict(cursor.leaves),
        "open": dict(cursor.open),
        "sent": cursor.sent,
        "refused": cursor.refused,
        "missed": cursor.missed,
        "failing": cursor.failing,
        "failing_since": cursor.failing_since,
    }
    store.replace(path / f"{name}.json", json.dumps(data).encode() + b"\n", path)


def lock(record: Path, name: str) -> int | None:
    """A handle that holds the sink until it is closed; None while another process has it.

    Raises:
        OSError: The file cannot be opened.
    """
    handle = os.open(
        folder(record) / f"{name}.lock",
        os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
        0o600,
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except BaseException:
        os.close(handle)
        raise
    return handle


def behind(record: Path, names: Iterable[str], writer: str) -> int | None:
    """The first number of a writer's that some sink has not had yet.

    Retention asks, so that it can wait for a sink that is down.

    Args:
        record: The store's folder.
        names: Of the sinks in proctor.yaml.
        writer: Such as `w0`.

    Returns:
        The number; None where there is no sink to wait for.

    Raises:
        ConfigurationError: Code `cursor-unreadable`.
    """
    found = [read(record, name).at(writer) for name in names]
    return min(found) if found else None


def _cursor(data: Any) -> Cursor:
    if data["version"] != VERSION:
        raise ValueError("another version")
    return Cursor(
        next={str(writer): _number(number) for writer, number in data["next"].items()},
        leaves={str(writer): str(leaf) for writer, leaf in data["leaves"].items()},
        open=dict(data["open"]),
        sent=_number(data["sent"]),
        refused=_number(data["refused"]),
        missed=_number(data["missed"]),
        failing=str(data["failing"]),
        failing_since=str(data["failing_since"]),
    )


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("no number of a record")
    return value
