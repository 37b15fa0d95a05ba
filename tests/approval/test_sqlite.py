"""The SQLite store: every store's checks, several processes at once, kills, and a failing disk."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from proctor.approval import lifecycle
from proctor.approval.model import Approval, ApprovalError, Audience, Card, State
from proctor.approval.sqlite import ERASED, SqliteStore
from proctor.approval.store import Store
from tests.approval.samples import NOW, asking, grant, kill, pending, vote
from tests.approval.storecheck import LATER, StoreChecks, approve, use

HERE = Path(__file__).parent
ENVIRONMENT = {"PYTHONPATH": str(HERE.parents[1] / "addons")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "approvals.db"


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], Store]]:
    stores: list[Store] = []

    def open_again() -> Store:
        stores.append(SqliteStore(path))
        return stores[-1]

    yield open_again
    for store in stores:
        store.close()


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    found = SqliteStore(path)
    yield found
    found.close()


class TestSqlite(StoreChecks):
    @pytest.fixture
    def opened(self, opened: Callable[[], Store]) -> Callable[[], Store]:
        return opened


def failed(call: Callable[[], Any]) -> ApprovalError:
    with pytest.raises(ApprovalError) as caught:
        call()
    assert (caught.value.code, caught.value.status) == ("approvals-unavailable", 503)
    assert caught.value.__cause__ is None
    return caught.value


def test_several_processes_at_once(path: Path, store: SqliteStore) -> None:
    ids = [store.add(pending(digest=f"use{number}")).id for number in range(8)]
    store.update_many(ids, approve)
    racers = [
        subprocess.Popen(
            [sys.executable, HERE / "store_racer.py", path, name, "8"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        for name in ("bob", "carol", "dora")
    ]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    said: list[list[str]] = []
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(" ".join(ids) + "\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=30)
        assert racer.returncode == 0
        said += [line.split() for line in out.splitlines()]
    uses = Counter((name, result) for word, name, result in said if word == "use")
    assert {name: uses[name, "done"] for name in ids} == dict.fromkeys(ids, 1)
    assert {name: uses[name, "approval-state"] for name in ids} == dict.fromkeys(ids, 2)
    joins = Counter((name, result) for word, name, result in said if word == "join")
    made = [name for name, result in joins if result == "new"]
    # Two votes approve it, and the third comes too late; used by none, all joined the first.
    assert len(made) == 8
    assert all((joins[name, "new"], joins[name, "joined"]) == (1, 2) for name in made)
    votes = Counter((name, result) for word, name, result in said if word == "vote")
    for name in made:
        assert (votes[name, "done"], votes[name, "approval-state"]) == (2, 1)
        assert store.get(name).state is State.APPROVED
        assert len(store.get(name).votes) == 2


def test_nothing_is_lost_or_doubled_in_a_kill(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, HERE / "store_crasher.py", path, "100", "20261122"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def writes(store: SqliteStore, item: Approval) -> list[Callable[[], Any]]:
    given, killed = grant(), kill()
    return [
        lambda: store.add(pending()),
        lambda: store.update(item.id, approve),
        lambda: store.update_many([item.id], approve),
        lambda: store.add_grant(given, lifecycle.granted(given)),
        lambda: store.add_kill(killed, lifecycle.killed(killed)),
        lambda: store.note(lifecycle.revealed(item, "bob", "so", NOW)),
        lambda: store.recorded([1]),
    ]


def test_a_full_disk_leaves_nothing_half_done(store: SqliteStore) -> None:
    item = store.add(pending())
    database = store._writer.connection
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")
    big = "x" * 50_000

    def told() -> Any:
        said = vote("bob", reason=big)
        return store.update(item.id, lambda it: lifecycle.voted(it, said, met=True, now=LATER))

    for write in (lambda: store.add(pending(flow_id=big)), told):
        assert failed(write).got == "SQLITE_FULL"
        assert store.approvals() == [item]
        assert len(store.changes(0)) == 1
    database.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert told().state is State.APPROVED


def test_a_store_that_can_no_longer_be_written(store: SqliteStore) -> None:
    item = store.add(pending())
    store._writer.connection.execute("PRAGMA query_only = ON")
    for write in writes(store, item):
        assert failed(write).got == "SQLITE_READONLY"
    assert store.approvals() == [item]
    assert len(store.changes(0)) == 1


OTHER_USER = """
import os, sys
from pathlib import Path
from proctor.approval.sqlite import SqliteStore
from proctor.errors import ProctorError

if sys.argv[2] == "nobody":
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    SqliteStore(Path(sys.argv[1]))
    print("opened")
except ProctorError as error:
    print(error.code, error.got)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user() -> None:
    def tried(path: Path, user: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", OTHER_USER, path, user],
            capture_output=True,
            text=True,
            check=True,
            env=ENVIRONMENT,
        )
        return done.stdout.strip()

    with TemporaryDirectory(prefix="store") as name:  # above pytest's own no other user may enter
        Path(name).chmod(0o755)
        path = Path(name) / "state" / "approvals.db"
        assert tried(path, "root") == "opened"
        assert tried(path, "nobody") == "approvals-unavailable Permission denied"
        path.parent.chmod(0o755)
        assert tried(path, "nobody").startswith("open-to-others")
        path.parent.chmod(0o700)
        # Their own is opened, unless it is write-protected.
        for item in (path, path.parent):
            os.chown(item, 65534, 65534)
        assert tried(path, "nobody") == "opened"
        path.chmod(0o400)
        assert tried(path, "nobody") == "approvals-unavailable write-protected"


def test_a_transaction_that_fails_in_its_midst(store: SqliteStore) -> None:
    item = store.add(pending())
    store._writer.connection.execute("DROP TABLE changes")
    for write in writes(store, item)[:-1]:
        failed(write)
    assert store.approvals() == [item]
    assert store.grants() == []
    assert store.kills() == []


def test_a_store_that_was_moved_away_is_not_written_to(path: Path, store: SqliteStore) -> None:
    item = store.add(pending())
    path.rename(path.with_name("old.db"))
    failed(lambda: store.update(item.id, approve))
    failed(lambda: store.get(item.id))
    failed(store.version)
    path.write_bytes(b"")
    assert "replaced" in failed(lambda: store.add(pending())).message
    path.unlink()
    path.with_name("old.db").rename(path)
    assert store.get(item.id) == item


def test_a_store_that_others_keep_locked(path: Path, store: SqliteStore) -> None:
    item = store.add(pending())
    other = SqliteStore(path, wait=0.05)
    with store._write():
        assert failed(lambda: other.update(item.id, approve)).got == "SQLITE_BUSY"
        assert other.get(item.id) == item  # readers wait for nobody
    assert other.update(item.id, approve).state is State.APPROVED
    other.close()


def test_a_row_that_was_changed(store: SqliteStore) -> None:
    item = store.add(pending())
    store._writer.connection.execute("UPDATE approvals SET data = x'7b7d'")
    for read in (
        lambda: store.get(item.id),
        store.approvals,
        lambda: store.update(item.id, use),
        lambda: store.add(pending(), join=lambda _: True),
    ):
        failed(read)


def test_no_value_stands_in_an_error(store: SqliteStore, caplog: pytest.LogCaptureFixture) -> None:
    store.add(pending(flow_id="hunter2"))
    damage = """replace(data, '"waiting":true', '"waiting":"hunter2"')"""
    store._writer.connection.execute(f"UPDATE approvals SET data = CAST({damage} AS BLOB)")  # noqa: S608
    error = failed(store.approvals)
    again = pending(reason="hunter2")
    store.add(again)
    twice = failed(lambda: store.add(again))
    assert twice.got == "SQLITE_CONSTRAINT_UNIQUE"
    assert "hunter2" not in f"{error!r} {error} {twice!r} {twice} {caplog.text}"


def used_plan(store: SqliteStore, call: Callable[[], Any]) -> str:
    """How SQLite goes about what this call asks."""
    asked: list[str] = []
    database = store._reader.connection
    database.set_trace_callback(asked.append)
    call()
    database.set_trace_callback(None)
    queries = [query for query in asked if query.lstrip().startswith(("SELECT", "WITH"))]
    assert queries
    return " ".join(
        str(row[3]) for query in queries for row in database.execute(f"EXPLAIN QUERY PLAN {query}")
    )


@pytest.mark.parametrize(
    ("search", "index"),
    [
        ({}, "approvals_state"),
        ({"states": [State.PENDING], "before": NOW}, "approvals_state"),
        ({"principal": "p"}, "approvals_principal"),
        ({"shape": "s", "states": [State.USED]}, "approvals_shape"),
        ({"shape": "s", "principal": "p"}, "approvals_both"),
        ({"session": "s", "before": NOW}, "approvals_session"),
        ({"states": [State.PENDING], "oldest_first": True}, "approvals_state"),
        ({"audiences": [pending().asking.audience]}, "approvals_state"),
        ({"session": "s", "audiences": [pending().asking.audience]}, "approvals_session"),
    ],
)
def test_every_search_goes_by_an_index(
    store: SqliteStore, search: dict[str, Any], index: str
) -> None:
    plan = used_plan(store, lambda: store.approvals(**search))
    assert index in plan
    assert "SCAN" not in plan.replace("SCAN json_each", "")
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("audiences", [None, [pending().asking.audience]])
def test_counting_reads_no_approval(store: SqliteStore, audiences: list[Audience] | None) -> None:
    for call in (lambda: store.count(audiences=audiences), store.audiences):
        plan = used_plan(store, call)
        assert "SEARCH approvals USING COVERING INDEX approvals_audience" in plan
        assert "SCAN approvals" not in plan
    plan = used_plan(store, lambda: store.unreviewed(audiences=audiences))
    assert "approvals USING INDEX approvals_unreviewed" in plan
    assert "TEMP B-TREE" not in plan


def test_the_overdue_go_by_an_index(store: SqliteStore) -> None:
    plan = used_plan(store, lambda: store.overdue(NOW))
    assert "SEARCH approvals USING INDEX approvals_open" in plan
    assert "TEMP B-TREE" not in plan


def test_what_is_forgotten_goes_in_pieces(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proctor.approval.sqlite._PIECE", 2)
    for _ in range(5):
        store.add(pending())
    store.recorded([change.seq for change in store.changes(0)])
    assert store.forget(NOW + timedelta(days=1)) == 5
    assert len(store.approvals()) == 5
    assert store.changes(0) == []


def test_erasing_takes_what_was_shown_and_leaves_who_decided(
    path: Path, store: SqliteStore
) -> None:
    secret = "rm -rf the-very-secret-place"
    mine = asking(
        card=Card(title="Bash", summary=secret, prompt=secret),
        session="s1",
        pattern=secret,
        target=secret,
        sealed=b"sealed",
    )
    waits = replace(pending(), id="ap_waits", asking=mine)
    done = replace(waits, id="ap_done", state=State.DENIED, by="carol")
    other = replace(done, id="ap_other", asking=asking(session="s2"))
    for each in (done, waits, other):
        store.add(each)
    assert store.erase(None, None, NOW) == (0, 0)
    assert store.erase(None, "s1", NOW) == (1, 1)
    found = store.get("ap_done")
    assert found.asking.card == Card(title=ERASED, summary="")
    assert found.asking.sealed == b""
    assert (found.state, found.by) == (State.DENIED, "carol")
    assert store.get("ap_waits") == waits
    assert store.get("ap_other") == other
    assert store.erase(mine.principal, "s1", NOW) == (0, 1)
    store.update("ap_waits", lambda item: lifecycle.cancelled(item, NOW, "", "proctor"))
    assert store.erase(mine.principal, "s1", NOW) == (1, 0)
    left = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert secret.encode() not in left
    assert set(store.erased(None, "s1")) == {"ap_done", "ap_waits"}


def test_grants_are_erased_once_they_let_nothing_pass(store: SqliteStore) -> None:
    secret = "Bash(rm -rf the-very-secret-place)"
    done = replace(pending(), id="ap_done", state=State.DENIED, asking=asking(session="s1"))
    store.add(done)
    whose = done.asking.principal
    for name, more in (
        ("gr_of_it", {"approval_id": "ap_done"}),
        ("gr_direct", {"approval_id": ""}),
        ("gr_revoked", {"approval_id": "ap_done", "revoked_at": NOW}),
        ("gr_others", {"approval_id": "", "principal": "https://idp#other"}),
    ):
        made = grant(
            **{"id": name, "pattern": secret, "principal": whose, "reason": secret, **more}
        )
        store.add_grant(made, lifecycle.granted(made))
    assert store.erase(None, "s1", NOW) == (2, 1)  # the approval, what was revoked; one is in force
    over = NOW + timedelta(hours=1)
    assert store.erase(whose, "s1", over) == (1, 0)
    assert store.erase(whose, None, over) == (1, 0)
    patterns = {each.id: (each.pattern, each.reason) for each in store.grants()}
    assert patterns.pop("gr_others") == (secret, secret)
    assert set(patterns.values()) == {(ERASED, "")}
    assert set(store.erased(whose, None)) == {"ap_done", *patterns}
