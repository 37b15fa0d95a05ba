"""What is still to be sent."""

import contextlib
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.approval.notify import outbox as outboxes
from proctor.approval.notify.message import Message
from proctor.approval.notify.outbox import NAME, Letter, Outbox, forget, read_status
from proctor.errors import ConfigurationError

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NOW = AT.timestamp()


def message(seq: int, about: str = "ap_a", kind: str = "approval.pending") -> Message:
    return Message(
        id=f"{about}.{seq}",
        type=kind,
        about=about,
        at=AT,
        ends=AT + timedelta(hours=1),
        head=f"number {seq}",
        link="https://proctor.example/",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def outbox(folder: Path) -> Iterator[Outbox]:
    found = Outbox(folder)
    found.take(lambda: 0, lambda _: (0, []))
    yield found
    found.close()


def put(outbox: Outbox, *messages: Message, to: str = "ops", settles: bool = False) -> None:
    letters = [Letter(notifier=to, message=item, settles=settles) for item in messages]
    outbox.take(lambda: 1, lambda _: (1, letters))


def claim(outbox: Outbox, *, now: float = NOW, owner: str = "me", to: str = "ops") -> str:
    found = outbox.claim(to, now=now, lease=now + 60, owner=owner)
    return found.message.head if found else ""


def asking(asked: list[int]) -> Callable[[int], tuple[int, list[Letter]]]:
    def letters(after: int) -> tuple[int, list[Letter]]:
        asked.append(after)
        return after, []

    return letters


def test_it_is_ours_alone(outbox: Outbox, folder: Path) -> None:
    put(outbox, message(1))
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_before_the_first_start_is_passed_over(folder: Path) -> None:
    outbox = Outbox(folder)
    assert outbox.take(lambda: 41, lambda _: pytest.fail("asked")) == (41, [])
    asked: list[int] = []

    def letters(after: int) -> tuple[int, Sequence[Letter]]:
        asked.append(after)
        return 42, [Letter(notifier="ops", message=message(42))]

    assert outbox.take(lambda: 42, letters) == (42, [])
    outbox.close()
    again = Outbox(folder)
    assert again.take(lambda: 42, lambda after: (after, [])) == (42, [])
    assert asked == [41]
    assert claim(again) == "number 42"
    again.close()


def test_a_new_store_counts_from_the_start(outbox: Outbox) -> None:
    outbox.take(lambda: 9, lambda _: (9, []))
    asked: list[int] = []
    outbox.take(lambda: 3, asking(asked))
    assert asked == [0]


def test_what_fails_in_the_midst_is_looked_at_again(outbox: Outbox) -> None:
    def broken(_: int) -> tuple[int, Sequence[Letter]]:
        raise sqlite3.OperationalError

    with pytest.raises(sqlite3.OperationalError):
        outbox.take(lambda: 5, broken)
    asked: list[int] = []
    outbox.take(lambda: 5, asking(asked))
    assert asked == [0]


def test_one_process_has_it_until_its_lease_is_over(outbox: Outbox, folder: Path) -> None:
    other = Outbox(folder)
    put(outbox, message(1))
    assert claim(outbox) == "number 1"
    assert claim(other, owner="you") == ""
    assert claim(other, owner="you", now=NOW + 61) == "number 1"
    other.close()


def test_whoever_goes_gives_back_what_it_has(outbox: Outbox) -> None:
    put(outbox, message(1))
    claim(outbox)
    outbox.release("you")
    assert claim(outbox) == ""
    outbox.release("me")
    assert claim(outbox) == "number 1"


def test_the_same_message_is_kept_once(outbox: Outbox) -> None:
    put(outbox, message(1), message(1))
    (found,) = outbox.status()
    assert found.queued == 1


def test_messages_about_one_thing_keep_their_order(outbox: Outbox) -> None:
    put(outbox, message(1), message(2, kind="grant.granted"), message(3, about="ap_b"))
    first = outbox.claim("ops", now=NOW, lease=NOW + 60, owner="me")
    assert first is not None
    assert claim(outbox) == "number 3"
    assert claim(outbox) == ""
    outbox.sent("ops", first, "", NOW)
    assert claim(outbox) == "number 2"


def test_what_failed_waits_and_others_go_on(outbox: Outbox) -> None:
    put(outbox, message(1), message(2, about="ap_b"))
    first = outbox.claim("ops", now=NOW, lease=NOW + 60, owner="me")
    assert first is not None
    status = outbox.failed("ops", first, code="status-500", due=NOW + 30, now=NOW)
    assert (status.failures, status.code, status.failing_since) == (1, "status-500", NOW)
    assert claim(outbox) == "number 2"
    assert claim(outbox, now=NOW + 29) == ""
    again = outbox.claim("ops", now=NOW + 30, lease=NOW + 90, owner="me")
    assert again is not None
    assert again.attempts == 2
    status = outbox.failed("ops", again, code="timeout", due=None, now=NOW + 31)
    assert (status.failures, status.code, status.failing_since) == (2, "timeout", NOW)
    assert claim(outbox, now=NOW + 3600) == "number 2"


def test_a_success_ends_the_failing(outbox: Outbox) -> None:
    put(outbox, message(1), message(2, about="ap_b"))
    for now in (NOW, NOW + 1):
        found = outbox.claim("ops", now=now, lease=now + 60, owner="me")
        assert found is not None
        if now == NOW:
            outbox.failed("ops", found, code="timeout", due=None, now=now)
        else:
            outbox.sent("ops", found, "", now)
    (status,) = outbox.status()
    assert (status.failing_since, status.failures, status.code) == (None, 0, "")
    assert status.sent_at == NOW + 1


def test_what_is_settled_is_no_longer_told_to_be_pending(outbox: Outbox) -> None:
    put(outbox, message(1), message(2, about="ap_b"), message(3, kind="approval.break_glass"))
    put(outbox, message(4, kind="approval.denied"), settles=True)
    assert [claim(outbox, owner=str(n)) for n in range(3)] == ["number 2", "number 3", ""]


def test_what_is_being_sent_is_not_taken_away(outbox: Outbox) -> None:
    put(outbox, message(1))
    first = outbox.claim("ops", now=NOW, lease=NOW + 60, owner="me")
    assert first is not None
    put(outbox, message(2, kind="approval.denied"), settles=True)
    assert claim(outbox) == ""
    outbox.sent("ops", first, "", NOW)
    assert claim(outbox) == "number 2"


def test_what_is_over_is_forgotten(outbox: Outbox) -> None:
    put(outbox, message(1), replace(message(2, about="ap_b"), ends=AT + timedelta(hours=2)))
    assert outbox.expire("ops", NOW + 3599) == 0
    assert outbox.expire("other", NOW + 3600) == 0
    assert outbox.expire("ops", NOW + 3600) == 1
    assert claim(outbox, now=NOW + 3600) == "number 2"


def test_tickets_are_remembered_for_their_notifier(outbox: Outbox) -> None:
    put(outbox, message(1), message(2))
    put(outbox, message(1), to="other")
    first = outbox.claim("ops", now=NOW, lease=NOW + 60, owner="me")
    assert first is not None
    assert first.ticket == ""
    outbox.sent("ops", first, "OPS-1", NOW)
    second = outbox.claim("ops", now=NOW, lease=NOW + 60, owner="me")
    other = outbox.claim("other", now=NOW, lease=NOW + 60, owner="me")
    assert second is not None
    assert other is not None
    assert (second.ticket, other.ticket) == ("OPS-1", "")


def test_there_is_an_end_to_what_waits(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "MOST", 2)
    letters = [Letter(notifier="ops", message=message(n)) for n in range(4)]
    letters.append(Letter(notifier="other", message=message(5)))
    assert outbox.take(lambda: 5, lambda _: (5, letters)) == (5, ["ops", "ops"])


def test_notifiers_that_are_gone_are_forgotten(outbox: Outbox) -> None:
    put(outbox, message(1))
    put(outbox, message(1), to="old")
    outbox.keep_only(["ops"])
    assert [item.notifier for item in outbox.status()] == ["ops"]


def test_what_another_version_left_is_dropped(outbox: Outbox, folder: Path) -> None:
    put(outbox, message(1))
    with sqlite3.connect(folder / NAME) as database:
        database.execute("UPDATE outbox SET message = '{\"new\": 1}'")
    database.close()
    assert claim(outbox) == ""
    assert outbox.status() == ()


def test_another_process_can_look(outbox: Outbox, folder: Path) -> None:
    put(outbox, message(1))
    (found,) = read_status(folder)
    assert (found.notifier, found.queued, found.sent_at) == ("ops", 1, None)


def test_nothing_was_ever_sent(folder: Path) -> None:
    assert read_status(folder) == ()


def test_a_file_that_others_can_read(folder: Path) -> None:
    Outbox(folder).close()
    (folder / NAME).chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        Outbox(folder)
    assert caught.value.code == "open-to-others"


@pytest.mark.parametrize("what", ["folder", "garbage", "link"])
def test_a_file_that_is_none(folder: Path, what: str) -> None:
    path = folder / NAME
    if what == "folder":
        path.mkdir(mode=0o700)
    elif what == "garbage":
        path.write_bytes(b"no database" * 100)
        path.chmod(0o600)
    else:
        path.symlink_to("elsewhere")
    with pytest.raises(ConfigurationError) as caught:
        Outbox(folder)
    assert caught.value.code == "notify-unusable"
    assert caught.value.where == str(path)


def test_a_file_of_another_version(folder: Path) -> None:
    Outbox(folder).close()
    with sqlite3.connect(folder / NAME) as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Outbox(folder)
    with pytest.raises(ConfigurationError, match="cannot be used"):
        read_status(folder)


def test_what_is_erased_is_not_sent_and_not_on_the_disk(folder: Path, outbox: Outbox) -> None:
    put(outbox, replace(message(1), head="the secret"), message(2, about="ap_b"))
    assert forget(folder, ["ap_a", "ap_none"])
    assert claim(outbox) == "number 2"
    assert b"the secret" not in b"".join(each.read_bytes() for each in folder.iterdir())


def test_forgetting_where_nothing_was_ever_sent(folder: Path) -> None:
    assert forget(folder, ["ap_a"])
    assert not list(folder.iterdir())


def test_forgetting_while_another_process_reads(
    folder: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "_WAIT", 0.05)
    put(outbox, message(1))
    with contextlib.closing(sqlite3.connect(folder / NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM outbox").fetchall()
        assert not forget(folder, ["ap_a"])
    assert forget(folder, [])
