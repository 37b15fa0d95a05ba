"""The file of pins."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError, InternalError, ProctorError
from proctor.mcp.model import Pin, Sighting
from proctor.mcp.pinfile import PinFile
from proctor.protocols.mcp.suspicion import Sign

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SIGN = Sign(name="bidi", place="description", explanation="It turns.", score=0.4)


def seen(tool: str = "search", digest: str = "a", text: str = '{"name": "\\ud800é"}') -> Sighting:
    return Sighting(server="jira", tool=tool, digest=digest, text=text, signs=(SIGN,), at=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "tools.db"


@pytest.fixture
def file(path: Path) -> Iterator[PinFile]:
    with closing(PinFile(path, 0.1)) as made:
        yield made


def pins(file: PinFile) -> dict[str, Pin]:
    found = file.changes()
    return {} if found is None else {pin.tool: pin for pin in found.pins}


def code(work: Callable[[], object]) -> str:
    with pytest.raises(ProctorError) as caught:
        work()
    return caught.value.code


def test_it_is_made_for_nobody_else(path: Path) -> None:
    old = os.umask(0)
    try:
        with closing(PinFile(path, 0.1)) as file:
            file.sighted([seen()])
            assert path.parent.stat().st_mode & 0o777 == 0o700
            assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(old)


def test_what_is_written_is_read_as_it_was(path: Path, file: PinFile) -> None:
    file.sighted([seen(), seen(digest="b"), seen("é\u202e\x00", "")])
    with closing(PinFile(path, 0.1)) as other:
        found = pins(other)
    pin = found["search"]
    assert (pin.accepted, pin.seen, pin.open) == ("a", "b", True)
    assert (pin.signs, pin.first_seen, pin.newest) == ((SIGN,), NOW, {"name": "\ud800é"})
    assert found["é\u202e\x00"].seen == ""
    whole = replace(
        pin, earlier=("x", "y"), decided_at=NOW, by="https://idp.example#bob", reason="Fine."
    )
    assert file.change("jira", "search", lambda _: whole) == (pin, whole)
    assert pins(file)["search"] == whole


def test_only_what_changed_is_read_again(path: Path, file: PinFile) -> None:
    with closing(PinFile(path, 0.1)) as other:
        assert pins(other) == {}
        assert other.changes() is None
        file.sighted([seen("one"), seen("two")])
        assert set(pins(other)) == {"one", "two"}
        file.sighted([seen("one"), seen("two", "b")])
        found = other.changes()
        assert found is not None
        assert [pin.tool for pin in found.pins] == ["two"]
        assert found.keys == {("jira", "one"), ("jira", "two")}
        # Forgotten and seen anew: it is not taken for what it was.
        file.change("jira", "one", lambda _: None)
        file.sighted([seen("one", "c")])
        assert [(pin.tool, pin.accepted) for pin in pins(other).values()] == [("one", "c")]
        assert file.forget("jira") == ["one", "two"]
        found = other.changes()
        assert found is not None
        assert (found.pins, found.keys) == ((), frozenset())
        assert other.changes() is None


def test_all_or_nothing(file: PinFile) -> None:
    file.sighted([seen()])

    def fails(_: Pin | None) -> Pin:
        raise LookupError

    with pytest.raises(LookupError):
        file.change("jira", "search", fails)
    assert pins(file)["search"].seen == "a"
    file.sighted([seen(digest="b")])
    assert pins(file)["search"].seen == "b"


def test_those_who_write_at_once_lose_nothing(path: Path) -> None:
    start = threading.Barrier(6)

    def work(number: int) -> None:
        start.wait()
        with closing(PinFile(path, 10)) as file:
            for turn in range(5):
                file.sighted([seen(f"t{number}", str(turn)), seen("same", f"{number}")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(PinFile(path, 0.1)) as file:
        found = pins(file)
    assert set(found) == {"same", *(f"t{number}" for number in range(6))}
    assert {found[f"t{number}"].seen for number in range(6)} == {"4"}
    assert {found[f"t{number}"].accepted for number in range(6)} == {"0"}


@pytest.mark.parametrize(
    "data",
    ["", "[]", "{}", '{"signs": [], "earlier": []}', "null", '{"first_seen": "x"}', "\x00"],
)
def test_a_row_that_cannot_be_read(path: Path, file: PinFile, data: str) -> None:
    file.sighted([seen()])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE pins SET data = ?", (data,))
    assert code(file.changes) == "pins-unavailable"
    assert code(lambda: file.sighted([seen(digest="b")])) == "pins-unavailable"
    assert code(lambda: file.change("jira", "search", lambda _: None)) == "pins-unavailable"


def test_a_locked_file(path: Path, file: PinFile) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InternalError) as caught:
            file.sighted([seen()])
        assert (caught.value.code, caught.value.got) == ("pins-unavailable", "SQLITE_BUSY")
        assert pins(file) == {}


def test_files_that_are_none_of_ours(path: Path) -> None:
    path.parent.mkdir(mode=0o700)

    def refused() -> str:
        return code(lambda: PinFile(path, 0.1))

    path.write_bytes(b"no database" * 100)
    path.chmod(0o600)
    assert refused() == "pins-unusable"
    path.write_bytes(b"")
    assert refused() == "pins-unusable"
    path.unlink()
    path.mkdir()
    assert refused() == "pins-unusable"
    path.rmdir()
    PinFile(path, 0.1).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 2")
    assert refused() == "pins-unusable"
    path.unlink()
    path.parent.chmod(0o750)
    assert refused() == "open-to-others"


def test_errors_name_the_file_and_no_value(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"hidden-value" * 100)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        PinFile(path, 0.1)
    assert caught.value.where == str(path)
    assert "hidden-value" not in str(caught.value)
    assert caught.value.__cause__ is None
