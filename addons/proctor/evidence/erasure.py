# ruff: noqa: S608 - made of this package's own names and quoted paths
"""Erasure: what somebody typed or saw goes, with the salt that its hashes were made with.

An order is an event of the record; what the record does not say is not carried out. A note in
`erasures/ID.json` lies there until every writer has done its part, so that nobody has to look for
orders among all events; one that a crash kept from being written is made from the event. Each
writer's part is on record, with the names of the scopes, before anything goes; then it stands in
`erasures/ID.WRITER.json`, and goes on from there.

Runs in the keeper's thread, a file at a time.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.audit import views
from proctor.audit.keeper import Keeper
from proctor.audit.scopes import born_at
from proctor.audit.segments import Workshop, segments
from proctor.audit.store import Store
from proctor.audit.store import replace as write_whole
from proctor.errors import InternalError
from proctor.evidence.holds import Said, Subject
from proctor.evidence.rewriting import ERASURE, empty, put

FOLDER: Final = "erasures"
DONE: Final = "erasure.done"
_ID: Final = re.compile(r"er_[a-z0-9]{16}")
_PART: Final = re.compile(r"(er_[a-z0-9]{16})\.(w\d{1,6})")
_MAX_FILE: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Said):
    """What is to be erased; never everybody's.

    Attributes:
        id: `er_` and 16 letters.
    """

    id: str

    def as_json(self) -> dict[str, str | None]:
        """As it stands in the file and in the record."""
        return {"id": self.id, **self.told()}


@dataclass(slots=True, kw_only=True)
class Told:
    """What the record says of an order.

    Attributes:
        order: As it was put on record.
        scopes: Names of those that were known when it was given.
        done: So is that it was carried out.
    """

    order: Order
    scopes: set[str] = field(default_factory=set[str])
    done: bool = False

    def means(self, name: str) -> bool:
        """Whether this scope is meant: one that was there before the order."""
        return name in self.scopes or born_at(name) < self._at

    def renews(self, name: str) -> bool:
        """Whether a scope that something is still stored in is meant: of the same moment, too."""
        return name in self.scopes or born_at(name) <= self._at

    @property
    def _at(self) -> int:
        return int(datetime.fromisoformat(self.order.at).timestamp() * 1000)


def told(events: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Told]:
    """What the record says of orders, by id.

    Args:
        events: Kind and detail of `erasure` and `erasure.done`, the older kind first; what is not
            as proctor writes it orders nothing.
    """
    found: dict[str, Told] = {}
    for kind, detail in events:
        order = parsed(detail)
        if order is None:
            continue
        if kind == DONE:
            found.setdefault(order.id, Told(order=order)).done = True
        elif detail.get("writer") is None:
            scopes = detail.get("scopes")
            known = found.setdefault(order.id, Told(order=order))
            known.scopes.update(map(str, scopes) if isinstance(scopes, list) else ())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One writer's part of an order.

    Attributes:
        scopes: Names of what goes.
        files: That were made smaller.
        bytes: By how much.
        approvals: Of which the card went.
        done: Nothing is left.
    """

    scopes: tuple[str, ...]
    files: int = 0
    bytes: int = 0
    approvals: int = 0
    done: bool = False

    def as_json(self) -> dict[str, object]:
        """As it stands in the file."""
        return {
            "scopes": list(self.scopes),
            "files": self.files,
            "bytes": self.bytes,
            "approvals": self.approvals,
            "done": self.done,
        }


def orders(store: Store) -> list[Order]:
    """The orders that are not carried out in full, the oldest first.

    Raises:
        InternalError: Code `erasure-unreadable`.
    """
    folder = store.path / FOLDER
    paths = sorted(folder.glob("er_*.json")) if folder.is_dir() else []
    found = [_order(path) for path in paths if _ID.fullmatch(path.stem)]
    return sorted(found, key=lambda order: order.at)


def write_order(store: Store, order: Order) -> None:
    """Keeps an order durably.

    Raises:
        OSError: The disk does not take it.
    """
    folder = store.path / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    write_whole(folder / f"{order.id}.json", json.dumps(order.as_json()).encode() + b"\n", folder)


def read_part(store: Store, order: Order, writer: str) -> Part | None:
    """How far a writer has come, or None where it has not begun.

    Raises:
        InternalError: Code `erasure-unreadable`.
    """
    path = store.path / FOLDER / f"{order.id}.{writer}.json"
    if not path.exists():
        return None
    said = _read(path)
    try:
        return Part(
            scopes=tuple(map(str, said["scopes"])),
            files=int(said["files"]),
            bytes=int(said["bytes"]),
            approvals=int(said["approvals"]),
            done=said["done"] is True,
        )
    except (KeyError, TypeError, ValueError):
        raise _unreadable(path) from None


def write_part(store: Store, order: Order, writer: str, part: Part) -> None:
    """Keeps how far a writer has come.

    Raises:
        OSError: The disk does not take it.
    """
    path = store.path / FOLDER / f"{order.id}.{writer}.json"
    write_whole(path, json.dumps(part.as_json()).encode() + b"\n", path.parent)


def forget_order(store: Store, order: Order) -> None:
    """Takes away an order that every writer has carried out."""
    folder = store.path / FOLDER
    (folder / f"{order.id}.json").unlink(missing_ok=True)
    for path in folder.glob(f"{order.id}.w*.json"):
        if _PART.fullmatch(path.stem):
            path.unlink(missing_ok=True)


def scopes_of(
    keeper: Keeper, workshop: Workshop, told: Told, renewed: Iterable[str]
) -> tuple[str, ...]:
    """Names of a writer's scopes that an order is about.

    Args:
        keeper: Of the writer.
        workshop: Reads files.
        told: The order.
        renewed: Names of those that nothing more goes into.

    Raises:
        duckdb.Error, OSError: The files cannot be read.
    """
    select = views.blocks([str(keeper.folder / "[0-9]*.jsonl")])
    births = 'SELECT "scope", principal, session_id FROM ({}) WHERE salt IS NOT NULL'
    rows = workshop.ask(births.format(select))
    if paths := [str(path) for path in _files(keeper)]:
        rows += workshop.ask(births.format("SELECT * FROM read_parquet(?)"), [paths])
    found = {
        str(name)
        for name, principal, session in rows
        if told.order.subject.fits(principal, session) and told.means(name)
    }
    return tuple(sorted(found.union(renewed)))


def step(keeper: Keeper, workshop: Workshop, part: Part) -> Part:
    """Makes one file smaller; sets `done` once nothing of these scopes is left anywhere.

    Raises:
        duckdb.Error, OSError: It cannot be done; that file is as it was.
    """
    workshop.names("erased", '"scope"', part.scopes)
    keep = 'c."scope" NOT IN (SELECT "scope" FROM erased)'
    # What is still to become a file of content is looked for first, so that none slips through.
    waiting = _journals(keeper, frozenset(part.scopes))
    for path in _files(keeper):
        rows, left = workshop.ask(
            f"SELECT count(*), count(*) FILTER ({keep}) FROM read_parquet(?) c", [str(path)]
        )[0]
        if rows == left:
            continue
        if not left:
            freed = empty(keeper.store, keeper.ledger, path, keeper.tmp, why=ERASURE)
        else:
            draft, kept = workshop.without(path, keep)
            try:
                freed = put(keeper.store, keeper.ledger, path, draft, rows=kept, why=ERASURE)
            finally:
                draft.unlink(missing_ok=True)
        return replace(part, files=part.files + 1, bytes=part.bytes + freed)
    return replace(part, done=not waiting)


def _files(keeper: Keeper) -> list[Path]:
    """A writer's files of content, those that were merged and still lie there, too."""
    folder = keeper.store.content
    return [folder / segment.name for segment in segments(folder, keeper.state.writer)]


def _journals(keeper: Keeper, scopes: frozenset[str]) -> bool:
    """Whether a journal still holds lines of these scopes; torn ends of journals go."""
    names = [f'"scope":"{name}"'.encode() for name in scopes]
    for path in keeper.folder.glob("[0-9]*.torn"):
        data = path.read_bytes()
        if any(name in data for name in names):
            path.unlink()
    pattern = re.compile(rb'^\{"c":.{0,80}?"scope":"([^"]+)"', re.MULTILINE)
    return any(
        match[1].decode() in scopes
        for path in keeper.folder.glob("[0-9]*.jsonl")
        for match in pattern.finditer(path.read_bytes())
    )


def _order(path: Path) -> Order:
    order = parsed(_read(path))
    if order is None or order.id != path.stem:
        raise _unreadable(path)
    return order


def parsed(said: Mapping[str, Any]) -> Order | None:
    """An order as it stands in a note or an event, or None where that is none."""
    whose = (said.get("principal"), said.get("session"))
    texts = {name: said.get(name) for name in ("id", "reason", "by", "at")}
    if (
        whose == (None, None)
        or not all(isinstance(each, str) for each in texts.values())
        or not all(each is None or isinstance(each, str) for each in whose)
        or not _ID.fullmatch(str(texts["id"]))
    ):
        return None
    try:
        if datetime.fromisoformat(str(texts["at"])).tzinfo is None:
            return None
    except ValueError:
        return None
    subject = Subject(principal=whose[0], session=whose[1])
    return Order(subject=subject, **{name: str(value) for name, value in texts.items()})


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as source:
            found = json.loads(source.read(_MAX_FILE))
    except (OSError, ValueError, RecursionError):
        raise _unreadable(path) from None
    if not isinstance(found, dict):
        raise _unreadable(path)
    return found


def _unreadable(path: Path) -> InternalError:
    return InternalError(
        "erasure-unreadable",
        "An order to erase cannot be read, so it cannot be carried out",
        got=path.name,
        expected="the file as proctor wrote it",
        hint="Move it away and ask for the erasure once more.",
    )
