"""The file of what is usual."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, InternalError
from proctor.model import SqlFields
from proctor.novelty.file import NAME, Key, NoveltyFile, forget
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import MOST, Kind, Seen, seen

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ALICE = Key("alice at https://idp.example", "https://idp.example#bot", "orders-db/orders")
BOB = Key("local#bob", "local#bob", "orders-db/orders")
SETTINGS = NoveltySettings()


def one(table: str = "public.orders", rows: int = 3, at: datetime = NOW) -> Seen:
    return seen(SqlFields(tables=(table,), fingerprint="a1"), (), rows, at)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / NAME


@pytest.fixture
def file(path: Path) -> Iterator[NoveltyFile]:
    with closing(NoveltyFile(path, SETTINGS)) as opened:
        yield opened


def test_it_is_nobody_elses(file: NoveltyFile, path: Path) -> None:
    file.add([(ALICE, one())], NOW)
    assert [each.stat().st_mode & 0o777 for each in path.parent.iterdir()] == [0o600] * len(
        list(path.parent.iterdir())
    )


def test_several_add_to_the_same(file: NoveltyFile, path: Path) -> None:
    with closing(NoveltyFile(path, SETTINGS)) as other:
        file.add([(ALICE, one(rows=2)), (ALICE, one(rows=2))], NOW)
        other.add([(ALICE, one(rows=100))], NOW)
        found = file.load(ALICE.person, ALICE.place, NOW)
    usual = found[Kind.STATEMENT]["a1"]
    assert (usual.count, usual.most, usual.usual) == (3, 100, 2)
    assert found[Kind.READ]["public.orders"].count == 3
    assert set(found[Kind.DAY]) == {"2026-03-02"}
    assert set(found[Kind.HOUR]) == {"9"}


def test_somebody_else_and_another_database_know_nothing_of_it(file: NoveltyFile) -> None:
    file.add([(ALICE, one())], NOW)
    assert not any(file.load(BOB.person, BOB.place, NOW).values())
    assert not any(file.load(ALICE.person, "orders-db/other", NOW).values())


def test_what_is_old_is_forgotten(file: NoveltyFile) -> None:
    late = NOW + timedelta(days=91)
    file.add([(ALICE, one())], NOW)
    assert not any(file.load(ALICE.person, ALICE.place, late).values())
    file.add([(ALICE, one("public.users", at=late))], late)
    names = {each["name"] for each in file.people() if each["kind"] == "read"}
    assert names == {"public.users"}


def test_it_is_bounded(file: NoveltyFile) -> None:
    for start in (0, 1500):
        batch = [
            (ALICE, one(f"public.t{n}", at=NOW + timedelta(seconds=n)))
            for n in range(start, start + 1500)
        ]
        file.add(batch, NOW)
    reads = file.load(ALICE.person, ALICE.place, NOW)[Kind.READ]
    assert len(reads) == MOST[Kind.READ]
    assert "public.t0" not in reads
    assert "public.t2999" in reads


@pytest.mark.parametrize("whose", [ALICE.person, ALICE.principal])
def test_somebody_is_forgotten_by_either_name(file: NoveltyFile, path: Path, whose: str) -> None:
    file.add([(ALICE, one()), (BOB, one())], NOW)
    assert {each["person"] for each in file.people(whose)} == {ALICE.person}
    forget(path, whose)
    assert {each["person"] for each in file.people()} == {BOB.person}
    assert file.forget(whose) == 0


def test_to_forget_makes_no_file(path: Path) -> None:
    forget(path, "local#alice")
    assert not path.exists()


def test_everybody_is_forgotten(file: NoveltyFile) -> None:
    file.add([(ALICE, one()), (BOB, one())], NOW)
    assert file.forget(None) > 0
    assert not file.people()


def test_names_that_are_no_text_are_kept(file: NoveltyFile) -> None:
    file.add([(Key("a\ud800", "a\ud800", "x\0y"), one("public.\ud800'\0"))], NOW)
    assert len(file.load("a\ud800", "x\0y", NOW)[Kind.READ]) == 1


@pytest.mark.parametrize(
    "sizes", ["", "[[1]]", "{}x", "[[1, 0, 3]]", "[" * 3000, '[["a", 1, 2]]', "null"]
)
def test_what_cannot_be_read_is_no_history(file: NoveltyFile, path: Path, sizes: str) -> None:
    file.add([(ALICE, one())], NOW)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE usual SET sizes = ?", (sizes,))
    with pytest.raises(InternalError) as error:
        file.load(ALICE.person, ALICE.place, NOW)
    assert error.value.code == "novelty-unavailable"


def test_another_version_is_not_opened(path: Path) -> None:
    NoveltyFile(path, SETTINGS).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError) as error:
        NoveltyFile(path, SETTINGS)
    assert error.value.code == "novelty-unusable"


def test_what_is_no_database_is_not_opened(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"none" * 1000)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as error:
        NoveltyFile(path, SETTINGS)
    assert error.value.code == "novelty-unusable"


def test_what_others_can_read_is_not_opened(path: Path) -> None:
    NoveltyFile(path, SETTINGS).close()
    path.chmod(0o644)
    with pytest.raises(ConfigurationError) as error:
        NoveltyFile(path, SETTINGS)
    assert error.value.code == "open-to-others"


def test_a_pipe_is_not_opened(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigurationError) as error:
        NoveltyFile(path, SETTINGS)
    assert error.value.code == "novelty-unusable"
