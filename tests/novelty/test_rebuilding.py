"""What is usual, made anew from the record."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from proctor.audit.reader import Reader
from proctor.novelty.file import NAME, Key, NoveltyFile
from proctor.novelty.rebuilding import rebuild
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import Kind, Seen

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SETTINGS = NoveltySettings()
SAID: Mapping[str, Any] = {
    "principal": "https://idp.example#bot",
    "listener": "orders-db",
    "database": "orders",
    "fingerprint": "a1",
    "tables": ["public.orders", "public.users", "pg_temp.t"],
    "novelty": {"written": ["public.orders"], "person": "alice at https://idp.example"},
}
ENDED: Mapping[str, Any] = {"ts": "2026-03-01T09:30:00.000000Z", "rows": 7, "error": None}


class Record:
    """Gives these envelopes."""

    def __init__(self, *pairs: tuple[Mapping[str, Any], Mapping[str, Any]]) -> None:
        self.pairs = pairs
        self.asked: dict[str, object] = {}

    def rows(self, sql: str, parameters: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        assert "verdict <> 'deny'" in sql
        self.asked = dict(parameters)
        for said, ended in self.pairs:
            yield {"said": json.dumps(said), "ended": json.dumps(ended)}


def rebuilt(path: Path, record: Record) -> tuple[int, list[dict[str, Any]]]:
    path.chmod(0o700)
    with closing(NoveltyFile(path / NAME, SETTINGS)) as file:
        old = Seen("old", ("public.old",), (), 1, NOW)
        file.add([(Key("local#old", "local#old", "orders-db/orders"), old)], NOW)
        told: list[int] = []
        taken = rebuild(cast("Reader", record), file, SETTINGS, now=NOW, told=told.append)
        assert sum(told[-1:]) == taken
        return taken, file.people()


def test_what_ended_without_error_is_learned(tmp_path: Path) -> None:
    record = Record((SAID, ENDED), (SAID, {**ENDED, "error": "42P01: gone"}))
    taken, found = rebuilt(tmp_path, record)
    assert taken == 1
    assert record.asked == {"since": NOW - timedelta(days=90)}
    assert {(each["kind"], each["name"]) for each in found} == {
        (Kind.STATEMENT, "a1"),
        (Kind.READ, "public.users"),
        (Kind.WRITE, "public.orders"),
        (Kind.HOUR, "153"),
        (Kind.DAY, "2026-03-01"),
    }
    assert {each["person"] for each in found} == {"alice at https://idp.example"}
    assert {each["usual"].most for each in found} == {7}


def test_records_that_say_nothing_of_it_are_the_principals(tmp_path: Path) -> None:
    taken, found = rebuilt(tmp_path, Record(({**SAID, "novelty": None}, {**ENDED, "rows": None})))
    assert taken == 1
    assert {each["person"] for each in found} == {"https://idp.example#bot"}


def test_an_empty_record_leaves_nothing(tmp_path: Path) -> None:
    assert rebuilt(tmp_path, Record()) == (0, [])
