"""Backups of a record that is written meanwhile."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from proctor.audit import keeper
from proctor.audit.inquiry import open_record
from proctor.audit.recorder import Recorder
from proctor.errors import ClientError, ConfigurationError
from proctor.evidence import backup, sealer
from proctor.evidence.backup import CURRENT, back_up, newest
from proctor.evidence.restore import restore
from proctor.evidence.sealer import Every, Sealing
from tests.support.envelopes import ALICE, QUICK, STILL, begin, end, run, turn, until

NOW = 1_800_000_000.0


async def work(recorder: Recorder, flows: int, text: str = "hello ") -> None:
    """Flows with content of one session, one after the other."""
    scope = recorder.scope(ALICE, run())
    for number in range(flows):
        body = recorder.put(scope, f"{number} {text}".encode() * (1 + number % 7))
        flow_id = f"{recorder.writer}-{number}-{text.strip()}"
        seq = await begin(recorder, flow_id, turn=turn(body), request=body.as_json())
        await end(recorder, flow_id, seq, turn=turn(body), request=body.as_json())


def sealing(tmp_path: Path) -> Sealing:
    return Sealing(state=tmp_path / "state", every=Every(records=7, seconds=0.05, idle=0.2))


def write(tmp_path: Path, flows: int = 20, text: str = "hello ", writers: int = 1) -> Path:
    def signed(writer: str) -> int:
        last = sealer.newest(tmp_path / "record/writers" / writer)
        return last.ledger.count if last else 0

    async def main() -> None:
        opened = [
            await Recorder.open(tmp_path / "record", pace=QUICK, sealing=sealing(tmp_path))
            for _ in range(writers)
        ]
        first = opened[0].writer
        before = signed(first)
        for recorder in opened:
            await work(recorder, flows, text)
        # Its own file of the new records is there, and under a checkpoint.
        await until(lambda: signed(first) >= before + 2)
        for recorder in opened:
            await recorder.close()

    asyncio.run(main())
    return tmp_path / "record"


def raws(path: Path, writer: str = "w0") -> list[str]:
    with open_record(path) as database:
        rows = database.execute(
            "SELECT raw FROM _records WHERE writer = ? ORDER BY seq", [writer]
        ).fetchall()
    return [raw for (raw,) in rows]


def prompts(path: Path) -> list[str]:
    with open_record(path) as database:
        return [p for (p,) in database.execute("SELECT prompt FROM turns ORDER BY ALL").fetchall()]


def test_a_copy_holds_everything_and_can_be_written_on(tmp_path: Path) -> None:
    record = write(tmp_path, writers=2)
    before = raws(record), raws(record, "w1")
    made = back_up(record, tmp_path / "copies", NOW)
    assert made.path.name == "20270115T080000Z"
    assert (made.records, made.writers) == (len(before[0]) + len(before[1]), 2)
    # The place where proctor keeps its key is not part of it, nor what can be made again.
    names = {path.name for path in made.path.iterdir()}
    assert names == {"backup.json", "store.json", "keys", "writers", "segments", "content"}
    shutil.rmtree(record)
    found = restore(tmp_path / "copies", record)
    assert found.records == made.records
    assert (raws(record), raws(record, "w1")) == before
    assert prompts(record)[0].startswith("0 hello")
    with duckdb.connect(str(record / "audit.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*) FROM turns").fetchall() == [(40,)]
    write(tmp_path, text="again ")
    assert raws(record)[: len(before[0])] == before[0]
    assert not list(record.glob("writers/*/retired.json"))


def test_an_older_copy_lets_its_writers_rest(tmp_path: Path) -> None:
    record = write(tmp_path)
    back_up(record, tmp_path / "copies", NOW)
    write(tmp_path, text="later ")
    shutil.rmtree(record)
    restore(tmp_path / "copies", record)
    write(tmp_path, text="after ")
    assert "older" in (record / "writers/w0/retired.json").read_text()
    assert any("after" in raw for raw in raws(record, "w1"))


async def one_more(tmp_path: Path) -> None:
    """A record more; no file is merged in so short a time."""
    recorder = await Recorder.open(tmp_path / "record", pace=STILL, sealing=sealing(tmp_path))
    await work(recorder, 1)
    await recorder.close()


def test_what_has_not_changed_is_shared_with_the_copy_before(tmp_path: Path) -> None:
    record = write(tmp_path, flows=40)
    first = back_up(record, tmp_path / "copies", NOW, keep=2)
    asyncio.run(one_more(tmp_path))
    second = back_up(record, tmp_path / "copies", NOW + 60, keep=2)
    shared = [
        path
        for path in second.path.rglob("w*.parquet")
        if (first.path / path.relative_to(second.path)).exists()
        and path.samefile(first.path / path.relative_to(second.path))
    ]
    assert shared
    assert second.records > first.records
    assert not any(path.samefile(record / path.relative_to(second.path)) for path in shared)
    assert newest(tmp_path / "copies") == second.path
    third = back_up(record, tmp_path / "copies", NOW + 60)
    assert third.path.name == second.path.name + "-1"
    assert {path.name for path in (tmp_path / "copies").iterdir()} == {CURRENT, third.path.name}
    assert restore(tmp_path / "copies", tmp_path / "elsewhere").records == third.records


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    os.umask(0o022)
    record = write(tmp_path)
    made = back_up(record, tmp_path / "copies", NOW)
    restore(tmp_path / "copies", tmp_path / "new")
    for root in (tmp_path / "copies", tmp_path / "new"):
        for path in (root, *root.rglob("*")):
            mode = path.lstat().st_mode & 0o777
            assert path.is_symlink() or mode == (0o700 if path.is_dir() else 0o600), path
    (tmp_path / "copies").chmod(0o755)
    with pytest.raises(ConfigurationError, match="Others can reach"):
        back_up(record, tmp_path / "copies", NOW)
    assert made.path.exists()


def flip(path: Path, at: int = -20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def drop_line(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"why":"journal"', b'"why":"merge"', 1))


def junk(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"x":\n')


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("segments/w0-*.parquet", flip, "backup-unsettled"),
        ("segments/w0-*.parquet", Path.unlink, "backup-unsettled"),
        ("content/w0-*.parquet", flip, "backup-unsettled"),
        ("writers/w0/leaves", lambda path: flip(path, 3), "backup-wrong"),
        ("writers/w0/ledger.jsonl", edit, "backup-wrong"),
        ("writers/w0/ledger.jsonl", junk, "backup-unsettled"),
        ("writers/w0/0.jsonl", junk, "backup-unsettled"),
        ("writers/w0/checkpoints.jsonl", flip, "backup-wrong"),
        ("writers/w0/checkpoints.jsonl", lambda path: flip(path, -2), "backup-wrong"),
        ("writers/w0/checkpoints.jsonl", lambda path: flip(path, -4), "backup-wrong"),
        ("writers/w0/state.json", Path.unlink, "backup-wrong backup-unsettled"),
    ],
)
def test_a_record_that_was_changed_is_not_copied(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[Path], None],
    code: str,
) -> None:
    monkeypatch.setattr("proctor.evidence.copying._TRIES", 2)
    record = write(tmp_path)
    back_up(record, tmp_path / "other", NOW)
    change(min(record.glob(name)))
    with pytest.raises(ClientError) as caught:
        back_up(record, tmp_path / "copies", NOW)
    assert caught.value.code in code.split()
    assert newest(tmp_path / "copies") is None


def test_places_that_do_not_do(tmp_path: Path) -> None:
    record = write(tmp_path)
    for inside in (record, record / "copies"):
        with pytest.raises(ConfigurationError, match="inside"):
            back_up(record, inside, NOW)
    with pytest.raises(ConfigurationError, match="no record"):
        back_up(tmp_path / "none", tmp_path / "copies", NOW)
    with pytest.raises(ConfigurationError, match="no backup"):
        restore(tmp_path / "record", tmp_path / "new")
    back_up(record, tmp_path / "copies", NOW)
    with pytest.raises(ClientError, match="something in that place"):
        restore(tmp_path / "copies", record)
    with backup._alone(tmp_path / "copies"), pytest.raises(ClientError, match="under way"):
        back_up(record, tmp_path / "copies", NOW)


def test_an_older_record_without_checkpoints(tmp_path: Path) -> None:
    async def main() -> None:
        recorder = await Recorder.open(tmp_path / "record", pace=QUICK)
        await work(recorder, 9)
        await recorder.close()

    asyncio.run(main())
    before = raws(tmp_path / "record")
    back_up(tmp_path / "record", tmp_path / "copies", NOW)
    restore(tmp_path / "copies", tmp_path / "new")
    assert raws(tmp_path / "new") == before


def test_while_it_is_written_at_full_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "FAN_IN", 3)
    pace = keeper.Pace(
        journal_bytes=20_000, journal_age=0.1, settle=0.02, reuse=0.05, unlink=0.1, retry=0.05
    )

    async def main() -> list[int]:
        seal = sealing(tmp_path)
        first = await Recorder.open(tmp_path / "record", pace=pace, sealing=seal)
        second = await Recorder.open(tmp_path / "record", pace=pace, sealing=seal)
        done = asyncio.Event()
        acknowledged = [0, 0]

        async def client(recorder: Recorder, name: int) -> None:
            scope = recorder.scope(ALICE, run(f"s{name}"))
            while not done.is_set():
                body = recorder.put(scope, f"{name} {acknowledged[name]}".encode())
                await begin(recorder, "f", turn=turn(body), request=body.as_json())
                acknowledged[name] += 1
                await asyncio.sleep(0)

        least: list[int] = []
        async with asyncio.TaskGroup() as group:
            for name, recorder in enumerate((first, second)):
                group.create_task(client(recorder, name))
            for number in range(3):
                had = sum(acknowledged)
                made = await asyncio.to_thread(
                    back_up, tmp_path / "record", tmp_path / "copies", NOW + number
                )
                assert made.records >= had
                least.append(had)
                await asyncio.sleep(0.1)
            done.set()
        await first.close()
        await second.close()
        return least

    least = asyncio.run(main())
    found = restore(tmp_path / "copies", tmp_path / "new")
    count = 0
    for writer in ("w0", "w1"):
        copied = raws(tmp_path / "new", writer)
        assert [json.loads(raw)["seq"] for raw in copied] == list(range(len(copied)))
        assert copied == raws(tmp_path / "record", writer)[: len(copied)]
        count += len(copied)
    assert count == found.records >= least[-1] > least[0]
    assert None not in prompts(tmp_path / "new")


@contextmanager
def making(record: Path, copies: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that makes a backup, and says each step."""
    program = (
        "import sys; from pathlib import Path; from proctor.evidence.backup import back_up\n"
        "back_up(Path(sys.argv[1]), Path(sys.argv[2]), 1.8e9,"
        " step=lambda name: (print(name, flush=True), sys.stdin.readline()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(record), str(copies)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def test_kill_9_in_the_middle_leaves_the_copy_before(tmp_path: Path) -> None:
    record = write(tmp_path)
    first = back_up(record, tmp_path / "copies", NOW)
    write(tmp_path, text="more ")
    with making(record, tmp_path / "copies") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "w0\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "checking\n"
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "copies/.making").exists()
    assert newest(tmp_path / "copies") == first.path
    assert restore(tmp_path / "copies", tmp_path / "new").records == first.records
    second = back_up(record, tmp_path / "copies", NOW + 1)
    assert second.records > first.records
    assert {path.name for path in (tmp_path / "copies").iterdir()} == {CURRENT, second.path.name}
