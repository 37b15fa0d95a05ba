"""What lies beside the record goes with an erasure."""

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from proctor.approval import lifecycle
from proctor.approval.model import State
from proctor.approval.notify.message import Message
from proctor.approval.notify.outbox import Letter, Outbox
from proctor.approval.sqlite import SqliteStore
from proctor.evidence.beside import Beside, nothing
from proctor.evidence.holds import Subject
from proctor.model import SqlFields
from proctor.novelty.file import NAME as HABITS
from proctor.novelty.file import Key, NoveltyFile
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import seen
from proctor.provenance.memory import Source, opened
from proctor.runs import open_met
from tests.approval.samples import NOW, asking, pending

SECRET = "the-very-secret-place"


def _given(letters: list[Letter], _: int) -> tuple[int, list[Letter]]:
    return 1, letters


def test_habits_go_with_the_principal_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store, path = SqliteStore(tmp_path / "approvals.db"), tmp_path / HABITS
    habits = NoveltyFile(path, NoveltySettings())
    ran = seen(SqlFields(tables=("public.orders",), fingerprint="a1"), (), 3, NOW)
    keys = (Key("h", "i#bot", "db/orders"), Key("i#bob", "i#bob", "db/orders"))
    habits.add([(key, ran) for key in keys], NOW)
    beside = Beside(approvals=store, state=tmp_path, clock=lambda: NOW, shared=True)
    asyncio.run(beside.erase(Subject(principal="i#bot", session="s1"), []))
    assert {each["person"] for each in habits.people()} == {"h", "i#bob"}
    asyncio.run(beside.erase(Subject(principal="i#bot"), []))
    assert {each["person"] for each in habits.people()} == {"i#bob"}
    habits.close()
    store.close()


SOURCE = Source(name="wiki.example", flow_id="f1", session="", at=NOW)


def known(state: Path) -> bool:
    """Whether a process that starts now knows of values."""
    with opened(state, b"", lambda: NOW) as fresh:
        return fresh.anything("i#bot")


def test_what_was_met_goes_with_the_principal_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store, now = SqliteStore(tmp_path / "approvals.db"), NOW.timestamp()
    with closing(open_met(tmp_path)) as met, opened(tmp_path, b"", lambda: NOW) as values:
        met.add("i#bot", ["API_KEY"], 0.9, now)
        values.came("i#bot", "write to eve@evil.example", SOURCE)
        beside = Beside(approvals=store, state=tmp_path, clock=lambda: NOW, shared=True)
        asyncio.run(beside.erase(Subject(principal="i#bot", session="s1"), []))
        assert met.read("i#bot", now) is not None
        assert known(tmp_path)
        asyncio.run(beside.erase(Subject(principal="i#bot"), []))
        assert met.read("i#bot", now) is None
        assert not known(tmp_path)
    store.close()


def test_cards_messages_and_values_go(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    store, outbox = SqliteStore(tmp_path / "approvals.db"), Outbox(tmp_path)
    outbox.take(lambda: 0, lambda _: (0, []))
    asked = asking(session="s1", target=SECRET)
    for name, state in (("ap_done", State.DENIED), ("ap_waits", State.PENDING)):
        store.add(replace(pending(), id=name, asking=asked, state=state))
        told = Message(
            id=f"{name}.1",
            type="approval.pending",
            about=name,
            at=NOW,
            ends=NOW + timedelta(hours=1),
            head=SECRET,
            link="https://proctor.example/",
        )
        letters = [Letter(notifier="ops", message=told)]
        outbox.take(lambda: 1, partial(_given, letters))
    forgotten: list[tuple[str, str]] = []
    beside = Beside(
        approvals=store,
        state=tmp_path,
        clock=lambda: NOW,
        values=lambda principal, session: forgotten.append((principal, session)),
    )
    runs = [(asked.principal, "s1"), (asked.principal, "")]
    assert asyncio.run(beside.erase(Subject(session="s1"), runs)) == (1, 1)
    assert forgotten == runs
    assert [each.queued for each in outbox.status()] == [1]  # of the one that waits
    store.update("ap_waits", lambda item: lifecycle.cancelled(item, NOW, "", "proctor"))
    assert asyncio.run(beside.erase(Subject(session="s1"), runs)) == (1, 0)
    store.close()
    outbox.close()
    assert SECRET.encode() not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def test_where_nothing_is_kept() -> None:
    assert asyncio.run(nothing(Subject(session="s"), [])) == (0, 0)
