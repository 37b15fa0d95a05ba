"""kill -9 at any moment, with readers in another process that must never see a wrong record."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from tests.support.whole import problems, records

WRITER = Path(__file__).parent / "crash_writer.py"
SEED = 20261122
WRITERS = 4


class Writing:
    """A writer in a process of its own, and what it acknowledged."""

    def __init__(self, path: Path, acknowledged: dict[tuple[str, int], str]) -> None:
        self.acknowledged = acknowledged
        self.opened = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, str(WRITER), str(path)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(WRITER.parents[2] / "addons")},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            if not line.endswith("\n"):
                continue  # the kill cut it
            if line.startswith("open "):
                self.opened.set()
                continue
            _, writer, seq, flow_id = line.split()
            self.acknowledged[writer, int(seq)] = flow_id
        self.opened.set()

    def kill(self) -> None:
        """Ends it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()


@contextmanager
def writing(path: Path, acknowledged: dict[tuple[str, int], str]) -> Iterator[Writing]:
    writer = Writing(path, acknowledged)
    try:
        assert writer.opened.wait(30)
        yield writer
    finally:
        writer.kill()


def look(database: duckdb.DuckDBPyConnection, acknowledged: dict[tuple[str, int], str]) -> None:
    """Every acknowledged record is there once, none is missing in between, each flow is one row."""
    known = list(acknowledged.items())
    rows = database.execute("SELECT writer, seq, flow_id FROM _records").fetchall()
    seen = {(writer, seq): flow_id for writer, seq, flow_id in rows}
    assert len(seen) == len(rows), "a record is there twice"
    for key, flow_id in known:
        assert seen.get(key) == flow_id, f"{key} was acknowledged and is not there"
    last: dict[str, int] = {}
    for writer, seq in seen:
        last[writer] = max(seq, last.get(writer, -1))
    assert sum(last.values()) + len(last) == len(rows), "a record is missing in between"
    known = list(acknowledged.items())
    found = [flow_id for (flow_id,) in database.execute("SELECT flow_id FROM flows").fetchall()]
    assert len(set(found)) == len(found), "a flow is there twice"
    assert {flow_id for _, flow_id in known} <= set(found), "a flow is missing"


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_or_doubled(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    chance = random.Random(SEED)  # noqa: S311 - a moment to kill, not a secret
    acknowledged: dict[tuple[str, int], str] = {}
    looks = 0
    with writing(path, acknowledged):
        pass
    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as lasting:
        for _ in range(WRITERS - 1):
            with writing(path, acknowledged) as writer:
                until = threading.Timer(chance.uniform(0.3, 0.7), writer.kill)
                until.start()
                while until.is_alive():
                    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as fresh:
                        look(fresh, acknowledged)
                    look(lasting, acknowledged)
                    looks += 1
                until.join()
            look(lasting, acknowledged)
    assert looks > 3
    assert len(acknowledged) > 100
    assert problems(path) == []
    assert records(path)["w0"] >= len(acknowledged)
    # What was cut short by a crash is ended by the next start, but for the last crash's.
    with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as database:
        (wrong,) = database.execute(
            "SELECT count(*) FROM turns WHERE prompt IS NULL"
            " OR NOT starts_with(prompt, flow_id || ' says: ') OR prompt <> request_body"
        ).fetchall()[0]
        assert wrong == 0
        (cut,) = database.execute(
            "SELECT count(*) FROM flows WHERE error = 'interrupted: gateway stopped'"
        ).fetchall()[0]
        assert cut >= WRITERS - 1


@pytest.mark.slow
def test_two_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    acknowledged: dict[tuple[str, int], str] = {}
    with writing(path, acknowledged), writing(path, acknowledged):
        with duckdb.connect(str(path / "audit.duckdb"), read_only=True) as database:
            for _ in range(4):
                look(database, acknowledged)
    assert {writer for writer, _ in acknowledged} == {"w0", "w1"}
    assert problems(path) == []
    assert set(records(path)) == {"w0", "w1"}
