"""Leaves lie where their numbers say."""

import asyncio
from pathlib import Path

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence.leaves import kept, read_leaves, rebuild, write_leaves
from tests.support.envelopes import QUICK, until


def test_leaves_lie_where_their_numbers_say(tmp_path: Path) -> None:
    assert (read_leaves(tmp_path, 0, 5), kept(tmp_path)) == (b"", 0)
    write_leaves(tmp_path, 0, b"a" * 32 + b"b" * 32)
    write_leaves(tmp_path, 2, b"c" * 32)
    write_leaves(tmp_path, 1, b"B" * 32)
    assert read_leaves(tmp_path, 0, 9) == b"a" * 32 + b"B" * 32 + b"c" * 32
    assert read_leaves(tmp_path, 1, 1) == b"B" * 32
    assert kept(tmp_path) == 3
    assert (tmp_path / "leaves").stat().st_mode & 0o777 == 0o600


def test_they_are_made_anew_from_segments(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    folder = path / "writers/w0"

    async def main() -> None:
        recorder = await Recorder.open(path, pace=QUICK)
        for number in range(40):
            await recorder.event("test", {"number": number})
        await until(lambda: kept(folder) == 40)
        await recorder.close()

    asyncio.run(main())
    assert rebuild(Store.at(path), "w0", 39) == read_leaves(folder, 0, 40)
    assert rebuild(Store.at(path), "w0", 40) is None  # there is no such record
    next((path / "segments").glob("w0-0-*.parquet")).unlink()
    assert rebuild(Store.at(path), "w0", 39) is None
