"""People hear that a canary was seen, and not a thousand times."""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.notify import alarms, outbox
from proctor.approval.notify.alarms import MOST, Alarms, make
from proctor.approval.notify.message import Message
from proctor.approval.notify.outbox import Outbox
from proctor.canary.file import NAME, Canary, write
from proctor.canary.seen import SEEN
from tests.approval.notify.standins import JiraStandIn, serve, settings
from tests.approval.notify.test_jira import tell
from tests.approval.notify.test_worker import House, Receiver, run, until
from tests.approval.samples import NOW

DETAIL: dict[str, Any] = {
    "canary": "cn_0123456789ab",
    "seen_by": "https://idp.example#alice",
    "session": "s1",
    "listener": "egress",
    "host": "paste.example",
    "direction": "request",
    "location": "query.d",
    "stopped": True,
}


def planted(_name: str) -> tuple[str, str]:
    return "old deploy key", "/home/dev/.env.old"


def message(**changed: Any) -> Message:
    return make({**DETAIL, **changed}, NOW, address="https://p.example/", more=0, planted=planted)


def waiting(folder: Path) -> list[Message]:
    with contextlib.closing(Outbox(folder)) as opened:
        found = []
        while claimed := opened.claim("ops", now=0.0, lease=1e12, owner="me"):
            found.append(claimed.message)
            opened.sent("ops", claimed, "", 0.0)
        return found


def heard(folder: Path, *batches: list[dict[str, Any]], **more: Any) -> list[Message]:
    """What waits after events that came an hour apart."""
    folder.chmod(0o700)
    now = [NOW]

    async def main() -> None:
        told = Alarms(
            more.pop("settings", [settings("webhook", "ops")]),
            state=folder,
            address="https://p.example",
            clock=lambda: now[0],
            **more,
        )
        for batch in batches:
            for detail in batch:
                told.hear(SEEN, detail)
            await told.close()
            now[0] += timedelta(hours=1)

    asyncio.run(main())
    return waiting(folder)


def test_who_is_told_reads_what_where_and_who() -> None:
    found = message()
    assert found.head == "Canary seen: cn_0123456789ab"
    assert found.facts == (
        ("Canary", "cn_0123456789ab"),
        ("What it is", "old deploy key"),
        ("Planted at", "/home/dev/.env.old"),
        ("Who had it", "alice"),
        ("Session", "s1"),
        ("Listener", "egress"),
        ("Host", "paste.example"),
        ("Where in it", "request: query.d"),
        ("What was done", "stopped"),
    )
    assert found.link == "https://p.example/sessions"
    assert Message.unpack(found.pack()) == found


def test_a_value_in_a_hosts_name_is_not_told() -> None:
    found = message(host="akiaexamplevalue.evil.example", location="host")
    assert "akiaexamplevalue" not in found.pack()
    assert ("Host", "<hidden>.evil.example") in found.facts


def test_what_cannot_be_seen_is_written_out() -> None:
    assert "\x1b" not in json.loads(message(session="a\x1b[2Jb").pack())["data"]["session"]


def test_a_thousand_alarms_are_one_message(tmp_path: Path) -> None:
    found = heard(tmp_path, [DETAIL] * 1000, [DETAIL])
    assert [each.data["more"] for each in found] == [0, 999]
    assert len({each.id for each in found}) == 2


def test_many_canaries_are_not_many_messages_either(tmp_path: Path) -> None:
    many = [{**DETAIL, "canary": f"cn_{number:012x}"} for number in range(1100)]
    assert len(heard(tmp_path, many)) == MOST


def test_several_processes_tell_it_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)

    async def main() -> None:
        for _ in range(2):
            told = Alarms(
                [settings("webhook", "ops")], state=tmp_path, address="", clock=lambda: NOW
            )
            told.hear(SEEN, DETAIL)
            await told.close()

    asyncio.run(main())
    assert len(waiting(tmp_path)) == 1


def test_what_is_no_canary_and_who_does_not_want_to_know(tmp_path: Path) -> None:
    not_told = settings("webhook", "ops", on=("pending",))
    assert heard(tmp_path, [DETAIL], settings=[not_told]) == []

    async def other() -> None:
        told = Alarms([settings("webhook", "ops")], state=tmp_path, address="", clock=lambda: NOW)
        told.hear("rules.reloaded", {})
        await told.close()

    asyncio.run(other())
    assert waiting(tmp_path) == []


def test_the_canarys_note_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    canary = Canary(
        id=DETAIL["canary"], kind="aws", note="the note", principal="", place="there",
        created=NOW, marks=(),
    )  # fmt: skip
    write(tmp_path / NAME, [canary])
    [found] = heard(tmp_path, [DETAIL])
    assert {("What it is", "the note"), ("Planted at", "there")} <= set(found.facts)


def test_a_file_of_canaries_that_cannot_be_read_keeps_nobody_from_hearing(tmp_path: Path) -> None:
    tmp_path.joinpath(NAME).write_text("{")
    tmp_path.joinpath(NAME).chmod(0o600)
    [found] = heard(tmp_path, [DETAIL])
    assert "What it is" not in dict(found.facts)


def test_an_outbox_that_cannot_be_used_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_folder: Path) -> Outbox:
        raise OSError

    monkeypatch.setattr(alarms, "Outbox", broken)
    with caplog.at_level(logging.ERROR):
        heard(tmp_path, [DETAIL])
    assert [record.__dict__["event"] for record in caplog.records] == ["notify.file-failed"]


def test_what_finds_no_room_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST", 0)
    counts = Counter[tuple[str, str]]()
    heard(tmp_path, [DETAIL], count=lambda *which: counts.update([which]))
    assert counts == {("ops", "overflow"): 1}


def test_a_webhook_gets_it(tmp_path: Path) -> None:
    receiver = Receiver()

    async def check(house: House) -> None:
        notifier = settings("webhook", "ops")
        async with serve(receiver) as house.known["ops_URL"], house.telling(notifier):
            told = Alarms([notifier], state=tmp_path, address="", clock=house.clock)
            told.hear(SEEN, DETAIL)
            await told.close()
            await until(lambda: receiver.events)

    run(tmp_path, check)
    [event] = receiver.events
    assert event["type"] == SEEN
    assert event["data"]["canary"] == DETAIL["canary"]
    assert event["data"]["stopped"] is True


def test_jira_has_one_ticket_for_each_canary() -> None:
    stand_in = JiraStandIn()
    first, *_ = tell(stand_in, message(), message(session="s2"))
    assert first
    assert len(stand_in.issues) == 1
