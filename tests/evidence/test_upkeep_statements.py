"""SQL statements go, are erased and are held as all else; what is left is still proved."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError
from proctor.evidence.holds import Subject
from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.retention import RetentionSettings
from proctor.evidence.verify.findings import Level
from proctor.evidence.verify.verifier import Asked, verify
from proctor.export.bundle import write_bundle
from proctor.export.records import Choice
from proctor.model import Session
from tests.evidence.days import (
    ADMIN,
    DAY,
    TWO_DAYS,
    Time,
    bytes_of,
    carried_out,
    on_the_ledger,
    proved,
    settled,
    told,
    writing,
)
from tests.support.envelopes import ALICE, MOMENT, QUICK, ask, run, until

LATE = datetime(2027, 1, 1, tzinfo=UTC)


def words(what: str, name: str) -> str:
    """What is written in a place, long enough to be recognised."""
    return f"{what} of {name} " + "words " * 40


async def say(
    recorder: Recorder,
    session: Session,
    name: str = "",
    rule: str = "reading",
    between: Callable[[], Awaitable[None]] | None = None,
) -> tuple[int, dict[str, Any]]:
    """Puts a statement on record; its number, and what its end says alike."""
    name = name or session.id
    scope = recorder.scope(ALICE, session)
    who = {
        "flow_id": f"c-{session.id}",
        "session_id": session.id,
        "session_started": MOMENT,
        "principal": ALICE,
        "subject": "alice",
        "groups": ["dev"],
        "listener": "orders",
        "database": "shop",
        "client": "psql",
        "n": 1,
        "rule_id": rule,
        "record": "full",
    }
    sql = recorder.put(scope, words("sql", name).encode())
    if between:
        await between()
    parameters = recorder.put(scope, words("parameters", name).encode())
    said = {
        "sql": sql.as_json(),
        "parameters": parameters.as_json(),
        "verbs": ["SELECT"],
        "tables": ["public.orders"],
        "verdict": "allow",
        "decisions": [],
        "findings": [],
    }
    return await recorder.append("statement", who | said), who


async def close(recorder: Recorder, begin_seq: int, who: dict[str, Any], session: Session) -> None:
    """Puts on record how it ended."""
    result = recorder.put(recorder.scope(ALICE, session), words("result", session.id).encode())
    ended = {"begin_seq": begin_seq, "rows": 3, "response": result.as_json(), "error": None}
    await recorder.append("statement.end", who | ended)


async def one(recorder: Recorder, session: Session, rule: str = "reading") -> None:
    """A statement with its end."""
    seq, who = await say(recorder, session, rule=rule)
    await close(recorder, seq, who, session)


async def days(path: Path, time: Time, count: int, rule: str = "reading") -> None:
    """As many days, each with a statement of its own session."""
    async with writing(path, time, pace=QUICK) as (recorder, _):
        for day in range(count):
            await one(recorder, run(f"s{day}"), rule)
            await settled(recorder)
            time.now += DAY


def seen(path: Path) -> dict[str, tuple[str | None, str | None, str | None]]:
    """What the view says of each, by session."""
    rows = ask(path, "SELECT session_id, sql, parameters, result FROM statements")
    return {name: (sql, parameters, result) for name, sql, parameters, result in rows}


def whole(name: str) -> tuple[str, str, str]:
    return words("sql", name), words("parameters", name), words("result", name)


def nothing_of(path: Path, name: str) -> bool:
    data = bytes_of(path)
    return not any(text.encode() in data for text in whole(name))


def checked(path: Path) -> None:
    """Whoever verifies finds nothing wrong, and is told what went by itself."""
    key = read_key(path.parent / "state" / KEY_FILE).public_key().public_bytes_raw()
    report = verify(Asked(record=path, key=key, now=LATE, full=True))
    assert report.findings.codes() == set()
    assert report.findings.codes(Level.NOTICE) <= {"content-gone", "gap-in-time", "records-dropped"}


def test_old_statements_go_with_their_text_and_results(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 4)
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            assert await upkeep.retain() == 2 * (2 + 4)  # records; births and texts
            assert seen(path) == {"s2": whole("s2"), "s3": whole("s3")}
            assert await upkeep.retain() == 0
        async with writing(path, time, TWO_DAYS, QUICK) as (recorder, _):
            await settled(recorder)
            await until(lambda: nothing_of(path, "s0"))
        assert nothing_of(path, "s1")
        on_the_ledger(path)
        proved(path)
        checked(path)

    asyncio.run(test())


def test_statements_have_an_age_of_their_own(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 3)
        for name, left in (("turns", 3), ("statements", 1)):
            settings = RetentionSettings.model_validate({name: "1d"})
            async with writing(path, time, settings) as (_, upkeep):
                await upkeep.retain()
                assert sorted(seen(path)) == ["s0", "s1", "s2"][-left:]
                assert seen(path)["s2"] == whole("s2")

    asyncio.run(test())


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"rules": {"secrets": "1d"}}, False),
        ({"statements": "1d", "rules": {"secrets": "300d"}}, True),
    ],
)
def test_results_are_kept_as_long_as_the_rule_that_let_them_pass(
    tmp_path: Path, settings: dict[str, Any], *, left: bool
) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2, "secrets")
        time.now += 2 * DAY
        async with writing(path, time, RetentionSettings.model_validate(settings)) as (_, upkeep):
            await upkeep.retain()
        expected = {"s0": whole("s0"), "s1": whole("s1")} if left else {}
        assert seen(path) == expected
        ends = ask(path, "SELECT count(*) FROM _records WHERE kind = 'statement.end'")
        assert ends == [(2 if left else 0,)]
        checked(path)

    asyncio.run(test())


def test_a_statement_whose_text_was_erased_before_its_parameters_came(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()
    settings = RetentionSettings.model_validate({"turns": "1d"})

    async def test() -> None:
        async with writing(path, time) as (recorder, upkeep):

            async def erase() -> None:
                await upkeep.erase(Subject(session="s0"), "", ADMIN)
                await carried_out(upkeep, path)

            await one(recorder, run("s0"))
            seq, who = await say(recorder, run("s0"), between=erase)
            await close(recorder, seq, who, run("s0"))
            await settled(recorder)
        time.now += 10 * DAY
        async with writing(path, time, settings) as (_, upkeep):
            await upkeep.retain()
        blocks = ask(path, "SELECT text FROM _content WHERE no IS NOT NULL ORDER BY n")
        assert [text for (text,) in blocks] == list(whole("s0"))[1:]
        checked(path)

    asyncio.run(test())


def test_a_hold_keeps_statements_and_their_results(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 3)
        time.now += 10 * DAY
        async with writing(path, time, TWO_DAYS) as (_, upkeep):
            await upkeep.hold("case-1", Subject(session="s1"), "A lawsuit.", ADMIN)
            await upkeep.retain()
            assert seen(path) == {"s1": whole("s1")}
            with pytest.raises(ClientError) as caught:
                await upkeep.erase(Subject(principal=ALICE), "", ADMIN)
            assert caught.value.code == "erasure-held"
            assert seen(path) == {"s1": whole("s1")}
            await upkeep.release("case-1", "Over.", ADMIN)
            await upkeep.retain()
            assert seen(path) == {}
        checked(path)

    asyncio.run(test())


def test_an_erasure_leaves_no_text_and_no_result(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2)
        async with writing(path, time) as (recorder, upkeep):
            # One that runs while it is erased: its result is stored elsewhere, and so is kept.
            seq, who = await say(recorder, run("s0"), "runs")
            order, known = await upkeep.erase(Subject(session="s0"), "She asked.", ADMIN)
            await carried_out(upkeep, path)
            assert nothing_of(path, "s0")
            assert words("sql", "runs").encode() not in bytes_of(path)
            await close(recorder, seq, who, run("s0"))
            rows = ask(path, "SELECT sql, parameters FROM statements WHERE session_id = 's0'")
            assert rows == [(None, None)] * 2
            assert seen(path)["s1"] == whole("s1")
            assert (known, told(path, "erasure")[0]["id"]) == (2, order.id)
            # What was said of them stays, and is proved.
            assert ask(path, "SELECT DISTINCT verbs, tables FROM statements") == [
                (["SELECT"], ["public.orders"])
            ]
        on_the_ledger(path)
        proved(path)
        checked(path)

    asyncio.run(test())


def test_a_bundle_has_statements_with_all_that_was_said(tmp_path: Path) -> None:
    path, time = tmp_path / "recordings", Time()

    async def test() -> None:
        await days(path, time, 2)

    asyncio.run(test())
    write_bundle(
        path,
        tmp_path / "bundle",
        Choice(session="s1"),
        time.seconds(),
        put_on_record=lambda _: None,
    )
    key = read_key(tmp_path / "state" / KEY_FILE).public_key().public_bytes_raw()
    report = verify(Asked(record=tmp_path / "bundle", key=key, now=LATE, full=True))
    assert report.findings.codes() == {"copy-unsigned"}  # `proctor export --bundle` signs it
    with open_record(tmp_path / "bundle") as database:
        found = database.execute("SELECT session_id, sql, parameters, result FROM statements")
        assert found.fetchall() == [("s1", *whole("s1"))]
