"""Changes, tied to the numbers that the store gives them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Change
from proctor.approval.sqlite import SqliteStore
from proctor.approval.writing import Ledger, Writing
from tests.approval.samples import NOW, grant, kill, pending


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(tmp_path / "state" / "approvals.db")
    yield found
    found.close()


def test_every_write_is_found_again_with_what_it_left(store: SqliteStore) -> None:
    ledger = Ledger()
    writing = Writing(store, ledger)
    one, later = pending(), NOW + timedelta(seconds=1)
    given, ended = grant(), kill()
    writing.add(one, lambda _: False)
    writing.update(one.id, lambda found: lifecycle.gone(found, later))
    writing.update_many([one.id, "ap_none"], lambda found: lifecycle.waiting(found, later))
    writing.update_many([one.id], lambda _: None)
    writing.add_grant(given)
    writing.update_grant(given.id, lambda found: lifecycle.counted(found, later))
    writing.add_kill(ended)
    writing.lift(ended.id, lambda found: lifecycle.lifted(found, "carol", "", later))
    writing.note(one, lifecycle.revealed(one, "bob", "", later))
    seen = []
    for change in store.changes(0):
        own = ledger.take(change)
        assert own
        own.end(None)
        assert own.item
        assert own.item.id == change.id
        assert ledger.take(change) is None
        seen.append(change.state)
    assert seen == ["pending", "gone", "waiting", "granted", "used", "killed", "lifted", "revealed"]
    assert len(writing.made) == len(seen)
    assert all(own.done.result() is None for own in writing.made)


def test_what_is_joined_or_fails_leaves_nothing(store: SqliteStore) -> None:
    ledger = Ledger()
    one = pending()
    Writing(store, Ledger()).add(one, lambda _: False)
    writing = Writing(store, ledger)
    assert writing.add(pending(), lambda _: True).id == one.id

    def refuse(found: Approval) -> tuple[Approval, Change]:
        return lifecycle.used(found, NOW)

    with pytest.raises(ApprovalError):
        writing.update(one.id, refuse)
    with pytest.raises(ApprovalError):
        writing.update("ap_none", lambda found: lifecycle.gone(found, NOW))
    assert writing.made == []
    (change,) = store.changes(0)
    assert ledger.take(change) is None


def test_what_is_not_committed_is_withdrawn(store: SqliteStore) -> None:
    ledger = Ledger()
    one = pending()
    writing = Writing(store, ledger)
    store.close()
    with pytest.raises(ApprovalError) as caught:
        writing.add(one, lambda _: False)
    assert caught.value.code == "approvals-unavailable"
    assert writing.made == []
    assert ledger.take(lifecycle.noted(one)) is None


def test_two_changes_that_look_alike_are_two(store: SqliteStore) -> None:
    ledger = Ledger()
    one = pending()
    writing = Writing(store, ledger)
    writing.add(one, lambda _: False)
    for _ in range(2):
        writing.note(one, lifecycle.revealed(one, "bob", "", NOW))
    for change in store.changes(0):
        assert ledger.take(change)
    assert ledger.take(lifecycle.revealed(one, "bob", "", NOW)) is None


def test_what_cannot_be_read_counts_as_not_recorded() -> None:
    class Deaf:
        def note(self, change: Change) -> Change:
            return replace(change, seq=1)

    ledger = Ledger()
    writing = Writing(Deaf(), ledger)  # type: ignore[arg-type]
    one, error = pending(), OSError()
    writing.note(one, lifecycle.revealed(one, "bob", "", NOW))
    ledger.give_up(error)
    (own,) = writing.made
    assert own.done.result() is error
    own.end(None)
    assert own.done.result() is error
