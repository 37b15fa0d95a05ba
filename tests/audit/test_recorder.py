"""The recorder as the Gate sees it."""

import asyncio
import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.audit import flusher as flusher_module
from proctor.audit import recorder as module
from proctor.audit.envelope import GENESIS, leaf
from proctor.audit.recorder import Recorder
from proctor.errors import ConfigurationError, InternalError
from tests.support.envelopes import ALICE, STILL, ask, begin, end, flow, run, turn, until


def raws(path: Path) -> list[bytes]:
    """Envelopes in the journals of w0."""
    slots = sorted((path / "writers/w0").glob("[0-9]*.jsonl"), key=lambda slot: int(slot.stem))
    lines = [line for slot in slots for line in slot.read_bytes().splitlines()]
    found = [line for line in lines if line.startswith(b'{"v":1,')]
    return sorted(found, key=lambda line: json.loads(line)["seq"])


def with_recorder(path: Path, work: Callable[[Recorder], Awaitable[None]]) -> None:
    async def main() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        try:
            await work(recorder)
        finally:
            await recorder.close()

    asyncio.run(main())


def test_a_record_is_durable_and_seen_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def work(recorder: Recorder) -> None:
        body = recorder.put(recorder.scope(ALICE, run()), b"hello")
        seq = await begin(recorder, "f1", turn=turn(body), request=body.as_json())
        assert seq == 0
        assert ask(path, "SELECT seq, status FROM flows") == [(0, None)]
        assert ask(path, "SELECT prompt FROM turns") == [("hello",)]
        await end(recorder, "f1", seq)
        assert ask(path, "SELECT seq, status FROM flows") == [(1, 200)]
        assert recorder.pending == 0
        assert recorder.records == 2
        assert recorder.sync_seconds > 0
        assert recorder.writable
        assert recorder.writer == "w0"

    with_recorder(path, work)


def test_many_at_once_hang_together(tmp_path: Path) -> None:
    async def work(recorder: Recorder) -> None:
        numbers = await asyncio.gather(*(begin(recorder, f"f{n}") for n in range(500)))
        assert numbers == list(range(500))

    with_recorder(tmp_path / "recordings", work)
    prev = GENESIS
    for number, raw in enumerate(raws(tmp_path / "recordings")):
        value = json.loads(raw)
        assert (value["seq"], value["prev"]) == (number, prev)
        prev = leaf(raw)


def test_a_restart_goes_on_and_ends_what_was_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def first(recorder: Recorder) -> None:
        await begin(recorder, "f1")
        done = await begin(recorder, "f2", turn=turn())
        await end(recorder, "f2", done)

    async def second(recorder: Recorder) -> None:
        assert await recorder.event("started", {"version": "0"}) == 4

    with_recorder(path, first)
    with_recorder(path, second)
    values = [json.loads(raw) for raw in raws(path)]
    assert [value["kind"] for value in values] == [
        "flow.begin", "flow.begin", "flow.end", "flow.end", "event",
    ]  # fmt: skip
    assert values[3]["begin_seq"] == 0
    assert values[3]["flow_id"] == "f1"
    assert values[3]["error"] == "interrupted: gateway stopped"
    assert ask(path, "SELECT flow_id, error FROM flows ORDER BY flow_id") == [
        ("f1", "interrupted: gateway stopped"),
        ("f2", None),
    ]
    assert ask(path, "SELECT kind, detail FROM events") == [("started", '{"version":"0"}')]


def test_a_torn_tail_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "recordings"

    async def nothing(recorder: Recorder) -> None:
        await recorder.event("started", {})

    with_recorder(path, nothing)
    with (path / "writers/w0/0.jsonl").open("ab") as journal:
        journal.write(b'{"v":1,"kind":"flow.be')
    with_recorder(path, nothing)
    assert ask(path, "SELECT kind, detail FROM events ORDER BY seq") == [
        ("started", "{}"),
        ("record.mended", '{"writer":"w0","cut":{"0.jsonl":22},"damaged":{}}'),
        ("started", "{}"),
    ]
    assert "mended" in caplog.text


def test_each_process_writes_its_own(tmp_path: Path) -> None:
    path = tmp_path / "recordings"

    async def work(first: Recorder) -> None:
        second = await Recorder.open(path, pace=STILL)
        assert (first.writer, second.writer) == ("w0", "w1")
        await asyncio.gather(first.event("a", {}), second.event("b", {}))
        await second.close()
        third = await Recorder.open(path, pace=STILL)
        assert third.writer == "w1"
        assert await third.event("c", {}) == 1
        await third.close()

    with_recorder(path, work)
    assert ask(path, "SELECT writer, seq, kind FROM events ORDER BY ALL") == [
        ("w0", 0, "a"), ("w1", 0, "b"), ("w1", 1, "c"),
    ]  # fmt: skip


class Disk:
    """A disk that can be made to fail, under `os.write`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._write = os.write
        patch.setattr(os, "write", self.write)

    def write(self, handle: int, data: bytes) -> int:
        if self.full and "jsonl" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            self._write(handle, bytes(data)[:5])
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._write(handle, data)


def works(recorder: Recorder) -> bool:
    """`writable`, asked anew."""
    return recorder.writable


def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "recordings"
    disk = Disk(monkeypatch)

    async def work(recorder: Recorder) -> None:
        await begin(recorder, "f0")
        disk.full = True
        body = recorder.put(recorder.scope(ALICE, run()), b"kept all the same")
        found = await asyncio.gather(
            *(begin(recorder, f"lost{n}") for n in range(20)), return_exceptions=True
        )
        for error in found:
            assert isinstance(error, InternalError)
            assert error.code == "journal-unwritable"
            assert error.status == 503
            assert "No space left" in error.got
        assert not recorder.writable
        with pytest.raises(InternalError, match="cannot be written"):
            await begin(recorder, "lost")
        await recorder.drain()  # nobody waits for a disk that does not write
        disk.full = False
        seq = await begin(recorder, "f1", turn=turn(body))
        assert seq == 1
        assert works(recorder)
        assert recorder.pending == 0

    caplog.set_level(logging.ERROR)
    with_recorder(path, work)
    assert ask(path, "SELECT seq, flow_id FROM _records ORDER BY seq") == [(0, "f0"), (1, "f1")]
    assert ask(path, "SELECT prompt FROM turns") == [("kept all the same",)]
    values = [json.loads(raw) for raw in raws(path)]
    assert values[1]["prev"] == leaf(raws(path)[0])
    assert len(caplog.records) == 1  # said once, not for each that is refused


def test_a_disk_that_works_again_is_noticed_without_traffic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    monkeypatch.setattr(flusher_module, "PROBE_AFTER", 0.01)

    async def work(recorder: Recorder) -> None:
        disk.full = True
        recorder.put(recorder.scope(ALICE, run()), b"kept")
        with pytest.raises(InternalError):
            await recorder.event("x", {})
        assert not recorder.writable
        disk.full = False
        await until(lambda: recorder.writable and not recorder.pending)

    with_recorder(tmp_path / "recordings", work)
    assert ask(tmp_path / "recordings", "SELECT text FROM _content WHERE no = 0") == [("kept",)]
    assert raws(tmp_path / "recordings") == []


def test_who_gives_up_waiting_is_recorded_all_the_same(tmp_path: Path) -> None:
    async def work(recorder: Recorder) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await begin(recorder, "f0")
        assert await begin(recorder, "f1") == 1

    with_recorder(tmp_path / "recordings", work)
    assert len(raws(tmp_path / "recordings")) == 2


def test_what_cannot_be_recorded_leaves_the_chain_alone(tmp_path: Path) -> None:
    async def work(recorder: Recorder) -> None:
        bad: Any = {"x": object()}
        with pytest.raises(TypeError):
            await recorder.append("event", bad)
        with pytest.raises(InternalError, match="itself writes"):
            await recorder.append("event", flow("f") | {"seq": 1})
        assert await recorder.event("fine", {}) == 0

    with_recorder(tmp_path / "recordings", work)


def test_threads_do_not_wait_long_for_the_loop(tmp_path: Path) -> None:
    async def work(_: Recorder) -> None:
        assert sys.getswitchinterval() <= module.SWITCH_SECONDS * 1.01

    with_recorder(tmp_path / "recordings", work)


def test_close_is_final_and_twice_is_harmless(tmp_path: Path) -> None:
    async def work(recorder: Recorder) -> None:
        waiting = [asyncio.ensure_future(begin(recorder, f"f{n}")) for n in range(100)]
        await asyncio.sleep(0)
        await recorder.close()
        await recorder.close()
        assert [await each for each in waiting] == list(range(100))
        assert not recorder.writable
        with pytest.raises(InternalError) as caught:
            await begin(recorder, "late")
        assert caught.value.code == "recorder-closed"

    with_recorder(tmp_path / "recordings", work)


def test_a_long_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HIGH_WATER", 300_000)
    path = tmp_path / "recordings"
    piece = bytes(range(256)) * 512

    async def work(recorder: Recorder) -> None:
        stream = recorder.stream(recorder.scope(ALICE, None))
        for _ in range(20):
            stream.feed(piece)
            await recorder.drain()
            assert recorder.pending < 600_000
        ref = stream.close()
        await end(recorder, "f", None, response=ref.as_json(), turn=turn())
        assert recorder.pending == 0
        assert ref.encoding == "base64"
        assert ref.size == 20 * len(piece)

    with_recorder(path, work)
    ((found,),) = ask(path, "SELECT from_base64(response_body) FROM turns")
    assert found == piece * 20


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 1000)

    async def work(recorder: Recorder) -> None:
        scope = recorder.scope(ALICE, run())
        bodies = b"".join(b"%200d" % number for number in range(100))
        with pytest.raises(InternalError) as caught:
            recorder.put(scope, bodies, range(0, len(bodies), 200))
        assert caught.value.code == "journal-behind"

    with_recorder(tmp_path / "recordings", work)


def test_a_moved_folder(tmp_path: Path) -> None:
    async def work(recorder: Recorder) -> None:
        await recorder.event("here", {})

    with_recorder(tmp_path / "a", work)
    (tmp_path / "a").rename(tmp_path / "it's elsewhere")
    with_recorder(tmp_path / "it's elsewhere", work)
    assert ask(tmp_path / "it's elsewhere", "SELECT seq FROM events ORDER BY seq") == [(0,), (1,)]


@pytest.mark.parametrize("text", ["{", "{}"])
def test_a_state_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    async def work(recorder: Recorder) -> None:
        await recorder.event("x", {})

    with_recorder(tmp_path / "recordings", work)
    (tmp_path / "recordings/writers/w0/state.json").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        with_recorder(tmp_path / "recordings", work)
    assert caught.value.code == "store-unreadable"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def work(_: Recorder) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError) as caught:
        with_recorder(tmp_path / "file" / "recordings", work)
    assert caught.value.code == "store-not-writable"


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    """The real thing, in a process whose files may not grow."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "limited_writer.py"), str(tmp_path / "r")],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "addons")},
    )
    assert done.returncode == 0, done.stderr
    written, refused = map(int, done.stdout.split())
    assert refused > 0
    assert [seq for (seq,) in ask(tmp_path / "r", "SELECT seq FROM _records ORDER BY seq")] == list(
        range(written)
    )
