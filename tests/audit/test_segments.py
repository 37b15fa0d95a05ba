# ruff: noqa: S608 - a test asks with paths of its own
"""Parquet files: made, merged, named."""

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from proctor.audit.envelope import Chain
from proctor.audit.journal import Slot
from proctor.audit.segments import Segment, Workshop, has_views, segments
from proctor.audit.store import CONTENT, SEGMENTS, Store
from proctor.errors import InternalError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.at(tmp_path / "it's here")
    store.create()
    (store.path / "tmp").mkdir()
    return store


@pytest.fixture
def workshop(store: Store) -> Iterator[Workshop]:
    workshop = Workshop(store, store.path / "tmp")
    yield workshop
    workshop.close()


def journal(store: Store, chain: Chain, count: int) -> Slot:
    """A full journal with this many envelopes and as many blocks."""
    slot = Slot(store.path / "0.jsonl", first_seq=chain.seq, first_n=chain.seq)
    lines = []
    for _ in range(count):
        block = b'{"c":1,"writer":"w0","n":%d,"scope":"w0.x","no":%d,"text":"\xc3\xa9"}\n'
        lines += [block % (chain.seq, chain.seq), chain.seal("event", chain.seq, {})]
    slot.path.write_bytes(b"".join(lines))
    slot.seq = slot.n = chain.seq - 1
    slot.records = slot.blocks = count
    return slot


def numbers(store: Store, folder: str, name: str) -> list[tuple[int, int]]:
    number = "seq" if folder == SEGMENTS else "n"
    path = str(store.path / folder / name).replace("'", "''")
    return duckdb.sql(f"SELECT tier, {number} FROM read_parquet('{path}')").fetchall()


def test_names_tell_what_is_in_them(store: Store) -> None:
    made = [Segment("w0", 0, 10, 19), Segment("w0", 1, 0, 9), Segment("w10", 0, 0, 5)]
    for segment in made:
        (store.segments / segment.name).touch()
    for name in ("seed.parquet", ".w0-0-000000000000-000000000009.parquet.123", "w0-0-1-2.parquet"):
        (store.segments / name).touch()
    assert segments(store.segments, "w0") == made[:2]
    assert segments(store.segments, "w10") == made[2:]
    assert made[0].name == "w0-0-000000000010-000000000019.parquet"


@pytest.mark.parametrize("folder", [SEGMENTS, CONTENT])
def test_convert_and_merge(store: Store, workshop: Workshop, folder: str) -> None:
    chain = Chain("w0")
    parts = []
    for count in (3, 1, 2):
        slot = journal(store, chain, count)
        part = Segment("w0", 0, slot.first_seq, slot.seq)
        workshop.convert(slot, folder, part)
        workshop.convert(slot, folder, part)  # done is done
        parts.append(part)
    assert segments(store.path / folder, "w0") == parts
    assert numbers(store, folder, parts[0].name) == [(0, 2), (0, 1), (0, 0)]  # newest first
    made, rows = workshop.merge(folder, parts)
    assert (made, rows) == (Segment("w0", 1, 0, 5), 6)
    assert numbers(store, folder, made.name) == [(1, number) for number in range(5, -1, -1)]
    assert (store.path / folder / made.name).stat().st_mode & 0o777 == 0o600
    assert os.listdir(store.path / "tmp") == []  # noqa: PTH208 - names are what matters


def test_it_holds_every_line_or_is_not_made(store: Store, workshop: Workshop) -> None:
    slot = journal(store, Chain("w0"), 3)
    slot.records += 1
    with pytest.raises(InternalError) as caught:
        workshop.convert(slot, SEGMENTS, Segment("w0", 0, 0, 3))
    assert caught.value.code == "segment-incomplete"
    assert segments(store.segments, "w0") == []


def test_large_blocks_are_merged_in_little_memory(store: Store, workshop: Workshop) -> None:
    parts = []
    for start in range(0, 2048, 64):
        part = Segment("w0", 0, start, start + 63)
        path = str(store.content / part.name).replace("'", "''")
        duckdb.sql(
            "COPY (SELECT CAST(0 AS TINYINT) AS tier, 'w0' AS writer, n, 'w0.x' AS \"scope\","
            " n AS \"no\", '' AS hash, repeat(md5(CAST(n AS VARCHAR)), 2000) AS text"
            f" FROM range({start + 63}, {start - 1}, -1) r(n)) TO '{path}'"
        )
        parts.append(part)
    made, rows = workshop.merge(CONTENT, parts)  # 128 MiB of text
    assert (made, rows) == (Segment("w0", 1, 0, 2047), 2048)
    assert len(numbers(store, CONTENT, made.name)) == 2048


def test_views_are_made_once_for_a_place(store: Store, workshop: Workshop) -> None:
    assert not has_views(store)
    (store.path / "writers/w0").mkdir()
    for name in ("0.jsonl", "open.jsonl"):
        (store.path / "writers/w0" / name).touch()
    (store.path / "writers/w0/state.json").write_text('{"writer":"w0","tiers":[]}')
    workshop.seed()
    workshop.publish_views()
    assert has_views(store)
    made = store.views.stat().st_ino
    workshop.publish_views()
    assert store.views.stat().st_ino == made
    with duckdb.connect(str(store.views), read_only=True) as database:
        assert database.execute("SELECT * FROM flows").fetchall() == []
    moved = Store(path=store.path.rename(store.path.parent / "elsewhere"))
    assert not has_views(moved)
