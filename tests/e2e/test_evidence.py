"""Checkpoints of real gateways: killed, rolled back, without their key, on an older record."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctor.audit.recorder import Recorder
from proctor.evidence.keys import KEY_FILE
from proctor.evidence.statement import Statement
from proctor.testing.gateway import Gateway
from proctor.testing.standin import StandIn, serving
from proctor.tlog.note import parse_note
from tests.support.envelopes import STILL
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    with serving(StandIn()) as standin:
        installed = Installation.build(tmp_path / "installed", standin)
        text = installed.config.read_text()
        quick = "audit: {path: recordings/, checkpoints: {seconds: 200ms, idle: 1s}}"
        installed.config.write_text(text.replace("audit: {path: recordings/}", quick))
        yield installed


@contextlib.contextmanager
def started(installed: Installation) -> Iterator[Gateway]:
    gateway = installed.start()
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


def stop(gateway: Gateway) -> None:
    gateway.terminate()
    assert gateway.wait() == 0


def checkpoints(installed: Installation, writer: str = "w0") -> list[Statement]:
    path = installed.folder / "recordings/writers" / writer / "checkpoints.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [Statement.parse(parse_note(json.loads(line)).text) for line in lines]


def events(installed: Installation, kind: str) -> list[str]:
    rows = installed.query(f"select writer from events where kind = '{kind}' order by ts")  # noqa: S608 - ours
    return [row["writer"] for row in rows]


def test_after_kill_9_the_same_writer_goes_on_and_says_so(installed: Installation) -> None:
    with started(installed) as gateway:
        gateway.kill()
    before = checkpoints(installed)
    assert before[-1].due is not None
    with started(installed) as gateway, started(installed) as second:
        stop(second)
        stop(gateway)
    after = checkpoints(installed)
    assert after[: len(before)] == before
    assert after[len(before)].after == before[-1].hash
    assert after[-1].due is None
    assert events(installed, "record.resumed") == ["w0"]
    assert checkpoints(installed, "w1")[-1].due is None
    (row,) = installed.query("select max(seq) as last from _records where writer = 'w0'")
    assert after[-1].size == row["last"] + 1


def test_a_record_that_was_rolled_back_rests_and_traffic_goes_on(installed: Installation) -> None:
    recordings = installed.folder / "recordings"
    with started(installed) as gateway:
        stop(gateway)
    older = shutil.copytree(recordings, installed.folder / "older")
    with started(installed) as gateway:
        stop(gateway)
    shutil.rmtree(recordings)
    older.rename(recordings)
    with started(installed) as gateway:
        assert any(line.get("event") == "record.retired" for line in gateway.log)
        console = f"http://{gateway.console}"
        assert httpx.get(f"{console}/readyz", timeout=30).status_code == 200
        assert (
            "proctor_record_resting_writers 1.0" in httpx.get(f"{console}/metrics", timeout=30).text
        )
        assert (
            'proctor_checkpoint_size{writer="w1"}'
            in httpx.get(f"{console}/metrics", timeout=30).text
        )
        stop(gateway)
    assert events(installed, "record.retired") == ["w1"]
    why = json.loads((recordings / "writers/w0/retired.json").read_bytes())["why"]
    assert "older than the one that was kept" in why


def test_without_its_key_a_record_is_not_gone_on_with(installed: Installation) -> None:
    async def unsigned() -> None:
        recorder = await Recorder.open(installed.folder / "recordings", pace=STILL)
        for number in range(5):
            await recorder.event("x", {"number": number})
        await recorder.close()

    asyncio.run(unsigned())
    with started(installed) as gateway:  # a record from before there were checkpoints
        stop(gateway)
    assert checkpoints(installed)[0].size >= 5
    size = checkpoints(installed)[-1].size
    key = installed.folder / ".proctor" / KEY_FILE
    key.rename(key.with_suffix(".kept"))
    with pytest.raises(RuntimeError, match="record-key-missing"):
        installed.start()
    assert not key.exists()
    key.with_suffix(".kept").rename(key)
    assert checkpoints(installed)[-1].size == size
