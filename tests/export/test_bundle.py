"""Bundles: what is in them, what is not, and that they open elsewhere."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError, ConfigurationError, InternalError
from proctor.evidence.sealer import Every, Sealing, newest
from proctor.export.bundle import Bundle, write_bundle
from proctor.export.records import Choice
from proctor.tlog.tree import root_of
from tests.support.envelopes import ALICE, BOB, QUICK, STILL, begin, end, flow, run, turn, until

NOW = 1_800_000_000.0


def write(tmp_path: Path, *, hot: bool = True, sealed: bool = True) -> Path:
    """Two sessions of two people, by turns, in two writers; and one flow that has no end."""
    seal = Sealing(state=tmp_path / "state", every=Every(records=5, seconds=0.05, idle=0.2))

    async def main() -> None:
        for _ in range(1 if hot else 2):
            recorder = await Recorder.open(
                tmp_path / "record", pace=STILL if hot else QUICK, sealing=seal if sealed else None
            )
            for number in range(12):
                who, name = ((ALICE, "s1"), (BOB, "t1"))[number % 2]
                scope = recorder.scope(who, run(name))
                body = recorder.put(scope, f"{name} says {number} ".encode() * 20)
                more = flow("", run(name)) | {"principal": who}
                del more["flow_id"]
                more |= {"turn": turn(body), "request": body.as_json()}
                seq = await begin(recorder, f"f{number}", **more)
                if number != 10:
                    await end(recorder, f"f{number}", seq, **more)
            if not hot:
                await until(lambda: any((tmp_path / "record/segments").glob("w0-*.parquet")))
            await recorder.close()

    asyncio.run(main())
    return tmp_path / "record"


def make(tmp_path: Path, name: str = "bundle", **chosen: Any) -> tuple[Bundle, list[Any]]:
    told: list[Mapping[str, object]] = []
    made = write_bundle(
        tmp_path / "record", tmp_path / name, Choice(**chosen), NOW, put_on_record=told.append
    )
    return made, told


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with open_record(path) as database:
        return database.execute(sql).fetchall()


@pytest.mark.parametrize("hot", [True, False])
def test_all_of_it(tmp_path: Path, hot: bool) -> None:  # noqa: FBT001 - pytest's
    record = write(tmp_path, hot=hot)
    made, told = make(tmp_path)
    size = newest(record / "writers/w0").size  # type: ignore[union-attr]
    assert (made.records, made.left_out, made.absent) == (size, 0, 0)
    assert told == [{"records": size, "left_out": 0}]
    for sql in (
        "SELECT writer, seq, raw FROM _records ORDER BY ALL",
        "SELECT flow_id, status, ended_at, error FROM flows ORDER BY ALL",
        "SELECT session_id, prompt FROM turns ORDER BY ALL",
    ):
        assert rows(made.path, sql) == rows(record, sql)
    note = json.loads((made.path / "bundle.json").read_bytes())
    assert note["records"] == {"w0": {"size": size, "kept": [[0, size - 1]]}}


def test_one_session(tmp_path: Path) -> None:
    record = write(tmp_path)
    made, _ = make(tmp_path, session="s1")
    last = newest(record / "writers/w0")
    assert last is not None
    wanted = rows(record, "SELECT seq FROM _records WHERE session_id = 's1' ORDER BY seq")
    assert rows(made.path, "SELECT seq FROM _records ORDER BY seq") == wanted
    note = json.loads((made.path / "bundle.json").read_bytes())
    kept = [n for first, end in note["records"]["w0"]["kept"] for n in range(first, end + 1)]
    assert [(seq,) for seq in kept] == wanted
    assert made.left_out == last.size - made.records > 0
    assert note["filter"] == {"session": "s1", "principal": None, "since": None, "until": None}
    # All leaves are there, and give what was signed.
    array = (made.path / "writers/w0/leaves").read_bytes()
    assert root_of(array) == last.root
    # Nothing of anybody else is, neither text nor salt.
    ((salt,),) = rows(
        record, "SELECT salt FROM _content WHERE salt IS NOT NULL AND scope IN"
        " (SELECT request.scope FROM _records WHERE session_id = 't1')"
    )  # fmt: skip
    for path in made.path.rglob("*.parquet"):
        text = json.dumps(pq.read_table(path).to_pylist(), default=str)
        assert "t1 says" not in text
        assert salt not in text
    assert {p for (p,) in rows(made.path, "SELECT prompt FROM turns")} == {
        f"s1 says {number} " * 20 for number in range(0, 12, 2)
    }
    # The flow without an end stands as one.
    assert rows(made.path, "SELECT flow_id FROM flows WHERE ended_at IS NULL") == [("f10",)]


def test_others_ways_to_choose(tmp_path: Path) -> None:
    write(tmp_path)
    assert make(tmp_path, "b1", principal=BOB)[0].records == 12
    later = datetime.now(UTC) + timedelta(days=1)
    empty, _ = make(tmp_path, "b2", since=later)
    assert (empty.records, empty.blocks) == (0, 0)
    assert rows(empty.path, "SELECT count(*) FROM flows") == [(0,)]
    assert make(tmp_path, "b3", until=later)[0].left_out == 0


def test_it_opens_with_plain_duckdb_from_its_folder(tmp_path: Path) -> None:
    write(tmp_path)
    made, _ = make(tmp_path, session="s1")
    shutil.rmtree(tmp_path / "record")
    moved = made.path.rename(tmp_path / "else where")
    program = (
        "import duckdb; d = duckdb.connect('audit.duckdb', read_only=True);"
        "print(d.execute('SELECT count(*), count(prompt) FROM turns').fetchall())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=moved, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(6, 6)]\n"
    assert b"proctor verify . --key KEY" in (moved / "README.txt").read_bytes()


def test_packed_into_one_file(tmp_path: Path) -> None:
    write(tmp_path)
    os.umask(0o022)
    made, _ = make(tmp_path, "alice.tar.zst", session="s1")
    assert made.path.stat().st_mode & 0o777 == 0o600
    with made.path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as plain:
        with tarfile.open(fileobj=plain, mode="r|") as archive:
            archive.extractall(tmp_path / "there", filter="data")
    assert rows(tmp_path / "there/alice", "SELECT count(*) FROM turns") == [(6,)]
    assert not list(tmp_path.glob(".*part"))


def test_what_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    write(tmp_path)

    def refuse(_: Mapping[str, object]) -> None:
        raise InternalError("journal-unwritable", "The record cannot be written")

    for name in ("bundle", "bundle.tar.zst"):
        with pytest.raises(InternalError):
            write_bundle(tmp_path / "record", tmp_path / name, Choice(), NOW, put_on_record=refuse)
    assert {path.name for path in tmp_path.iterdir()} == {"record", "state"}


def test_what_does_not_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as missing:
        make(tmp_path)
    assert missing.value.code == "store-missing"
    record = write(tmp_path, sealed=False)
    with pytest.raises(ClientError) as unsigned:
        make(tmp_path)
    assert unsigned.value.code == "bundle-unsigned"
    shutil.rmtree(record)
    write(tmp_path)
    (tmp_path / "bundle").mkdir()
    with pytest.raises(ClientError) as exists:
        make(tmp_path)
    assert exists.value.code == "output-exists"
    with pytest.raises(ClientError) as nowhere:
        make(tmp_path, "none/bundle")
    assert nowhere.value.code == "output-unwritable"


@pytest.mark.parametrize("old", [b'"subject":"alice"', b"says 4 "])
def test_a_record_that_was_changed(tmp_path: Path, old: bytes) -> None:
    record = write(tmp_path)
    journal = record / "writers/w0/0.jsonl"
    journal.write_bytes(
        journal.read_bytes().replace(old, old.replace(b"alice", b"carol").replace(b"4", b"5"), 1)
    )
    if b"subject" in old:
        with pytest.raises(ClientError) as caught:
            make(tmp_path)
        assert caught.value.code == "bundle-wrong"
    else:
        make(tmp_path)  # content is hashed by whoever verifies
