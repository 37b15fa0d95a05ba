"""One job's writes to the store, each tied to the change that it makes.

The store numbers changes, and tells only whoever reads them afterwards. So each is entered here
before it is committed, and found again, with its number, by who did what to which item, and when.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Protocol

from proctor.approval import lifecycle
from proctor.approval.model import Approval, Change, Grant, Kill
from proctor.approval.store import Store

type Item = Approval | Grant | Kill | None
type Key = tuple[str, str, str, str, datetime]


@dataclass(slots=True, eq=False)
class Own:
    """A change that this process makes: what it leaves, and whether that is on record."""

    item: Item
    done: Future[BaseException | None]

    def end(self, error: BaseException | None) -> None:
        """Say how it went; the first word counts."""
        if not self.done.done():
            self.done.set_result(error)


class Ledger:
    """Changes that are made but have not been read yet. Entered in one thread, found in another."""

    def __init__(self) -> None:
        self._own: dict[Key, list[Own]] = {}
        self._lock = Lock()

    def enter(self, key: Key, own: Own) -> None:
        """A change is about to be made."""
        with self._lock:
            self._own.setdefault(key, []).append(own)

    def withdraw(self, key: Key, own: Own) -> None:
        """It was not made."""
        with self._lock:
            entries = self._own.get(key, [])
            if own in entries:
                entries.remove(own)
            if not entries:
                self._own.pop(key, None)

    def take(self, change: Change) -> Own | None:
        """The entry of a change that was read; None where another process made it."""
        key = _key(change)
        with self._lock:
            entries = self._own.get(key)
            if not entries:
                return None
            own = entries.pop(0)
            if not entries:
                del self._own[key]
        return own

    def give_up(self, error: BaseException) -> None:
        """Nothing of it can be read: nobody may take it for recorded."""
        with self._lock:
            entries = [own for owns in self._own.values() for own in owns]
            self._own.clear()
        for own in entries:
            own.end(error)


class Writing:
    """The store's writes, for one job."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.store = store
        self._ledger = ledger
        self._made: list[tuple[Key, Own]] = []

    @property
    def made(self) -> list[Own]:
        """Entries of what was written."""
        return [own for _, own in self._made]

    def add(self, approval: Approval, join: Callable[[Approval], bool]) -> Approval:
        """As `Store.add`."""
        with self._entering() as enter:
            enter(approval, lifecycle.noted(approval))
            found = self.store.add(approval, join=join)
            if found.id != approval.id:
                self._withdraw_last()
        return found

    def update(self, name: str, change: Callable[[Approval], tuple[Approval, Change]]) -> Approval:
        """As `Store.update`."""
        with self._entering() as enter:
            return self.store.update(name, lambda item: enter(*change(item)))

    def update_many(
        self, names: list[str], change: Callable[[Approval], tuple[Approval, Change] | None]
    ) -> list[Approval]:
        """As `Store.update_many`."""
        with self._entering() as enter:
            return self.store.update_many(
                names, lambda item: enter(*found) if (found := change(item)) else None
            )

    def add_grant(self, grant: Grant) -> Grant:
        """As `Store.add_grant`."""
        with self._entering() as enter:
            return self.store.add_grant(*enter(grant, lifecycle.granted(grant)))

    def update_grant(self, name: str, change: Callable[[Grant], tuple[Grant, Change]]) -> Grant:
        """As `Store.update_grant`."""
        with self._entering() as enter:
            return self.store.update_grant(name, lambda item: enter(*change(item)))

    def add_kill(self, kill: Kill) -> Kill:
        """As `Store.add_kill`."""
        with self._entering() as enter:
            return self.store.add_kill(*enter(kill, lifecycle.killed(kill)))

    def lift(self, name: str, change: Callable[[Kill], tuple[Kill, Change]]) -> Kill:
        """As `Store.lift`."""
        with self._entering() as enter:
            return self.store.lift(name, lambda item: enter(*change(item)))

    def note(self, item: Approval, change: Change) -> None:
        """As `Store.note`."""
        with self._entering() as enter:
            self.store.note(enter(item, change)[1])

    @contextmanager
    def _entering(self) -> Iterator["_Enter"]:
        begun = len(self._made)
        try:
            yield self._enter
        except BaseException:
            # Should it have been committed after all, it is put on record as another process's.
            while len(self._made) > begun:
                self._withdraw_last()
            raise

    def _enter[T: (Approval, Grant, Kill)](self, item: T, change: Change) -> tuple[T, Change]:
        own = Own(item, Future())
        key = _key(change)
        self._ledger.enter(key, own)
        self._made.append((key, own))
        return item, change

    def _withdraw_last(self) -> None:
        self._ledger.withdraw(*self._made.pop())


class _Enter(Protocol):
    def __call__[T: (Approval, Grant, Kill)](self, item: T, change: Change) -> tuple[T, Change]: ...


def _key(change: Change) -> Key:
    return (change.subject, change.id, change.state, change.by, change.at)
