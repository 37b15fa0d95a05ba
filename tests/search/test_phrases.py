"""Phrases of frequent words in a day's file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.model import ContentRef
from proctor.search import phrases
from proctor.search.documents import Exchange, Part, Text
from proctor.search.partition import Mark, Partition
from proctor.search.places import Place

PLACE = Place("w0", date(2026, 1, 2), 1)
TEXTS = ["the end of it", "of the end, it", "the of end \u00e9 it", "it of the", "and so on"] * 20
ASKED = ("of the", "of the end", "end of it", "so of", "the of end it", "of end \u00e9 it", "x it")


def put(partition: Partition, *texts: str, start: int = 0) -> None:
    with partition.writing(Mark(seq=start, leaf="ab")) as adding:
        for seq, words in enumerate(texts, start):
            exchange = Exchange(
                seq=seq, ts=f"2026-01-02T03:{seq // 60:02d}:{seq % 60:02d}.000000Z",
                flow_id=f"f{seq}", principal="i#alice", subject="alice", session_id="s1",
                entities=(), texts=(),
            )  # fmt: skip
            ref = ContentRef(scope="s", hash=f"h{seq}", size=9, encoding="utf8", blocks="0")
            text = Text(part=Part.PROMPT, ref=ref, verdict="allow")
            adding.text(adding.exchange(exchange), exchange, text, words)


def found(partition: Partition, words: str, until: str | None = None) -> list[int]:
    hits = partition.find(f'"{words}"', [tuple(words.split())], until=until)
    return [hit.seq for hit in hits]


@pytest.fixture
def partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Partition]:
    monkeypatch.setattr("proctor.search.phrases.MANY", 60)
    monkeypatch.setattr("proctor.search.phrases.SAMPLE", 30)
    partition = Partition.made(tmp_path, PLACE)
    yield partition
    partition.close()


@pytest.mark.parametrize("many", [0, 5, 16, 1000])
@pytest.mark.parametrize("size", [0, 2**20])
def test_the_same_is_found_as_without(
    partition: Partition, monkeypatch: pytest.MonkeyPatch, many: int, size: int
) -> None:
    put(partition, *TEXTS)
    before = [found(partition, words) for words in ASKED]
    assert [len(hits) for hits in before] == [40, 20, 20, 0, 0, 20, 0]
    partition.finish()
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES", many)
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES_BYTES", size)
    assert [found(partition, words) for words in ASKED] == before
    until = "2026-01-02T03:00:30.000000Z"
    assert found(partition, "end of it", until) == [25, 20, 15, 10, 5, 0]


def test_what_comes_later_is_found(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES", 1000)
    put(partition, *TEXTS)
    partition.finish()
    assert partition.finished
    before = found(partition, "end of it")
    put(partition, "end of it", "it", start=200)
    assert found(partition, "end of it") == [200, *before]
    partition.finish()  # once more does no harm
    assert found(partition, "end of it") == [200, *before]


def test_the_lists_are_not_walked(
    partition: Partition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put(partition, *TEXTS, "so it of end the")
    partition.finish()
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES", 1000)
    with closing(sqlite3.connect(tmp_path / PLACE.name)) as database, database:
        database.execute("DROP TABLE words")
    database.close()
    assert found(partition, "it of end") == [100]
    assert found(partition, "end end") == []


def test_a_day_with_few_texts(partition: Partition) -> None:
    put(partition, *TEXTS[:50])
    partition.finish()
    assert partition.finished
    assert len(found(partition, "of the")) == 20


@pytest.mark.parametrize("turn", [2, 3, 4])
def test_what_is_learned_is_of_all_kinds(partition: Partition, tmp_path: Path, turn: int) -> None:
    """Kinds of texts come in turn."""
    put(partition, *(f"kind{seq % turn} word" for seq in range(240)))
    partition.finish()
    with closing(sqlite3.connect(tmp_path / PLACE.name)) as database, database:
        words = {word for (word,) in database.execute("SELECT word FROM frequent")}
    database.close()
    assert words == {"word", *(f"kind{each}" for each in range(turn))}


def test_several_runs(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.search.phrases.RUN", 100)
    monkeypatch.setattr("proctor.search.pairs._AT_ONCE", 100)
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES", 1000)
    put(partition, *TEXTS)
    before = [found(partition, words) for words in ASKED]
    partition.finish()
    ((last,),) = partition._db.execute("SELECT max(part) FROM pairs")
    assert last >> 16 > 2
    partition._db.execute("DELETE FROM words_data")  # so they are not walked
    assert [found(partition, words) for words in ASKED] == before


def test_what_too_many_have_tells_nothing(
    partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(partition, *TEXTS, "of the sea")
    partition.finish()
    monkeypatch.setattr("proctor.search.phrases.CANDIDATES", 1000)
    few = [phrases.few(partition._db, [tuple(row.split())], 0, 1000) for row in ASKED[:2]]
    assert [len(each or ()) for each in few] == [41, 20]
    monkeypatch.setattr("proctor.search.phrases._MOST", 20)
    few = [phrases.few(partition._db, [tuple(row.split())], 0, 1000) for row in ASKED[:2]]
    assert [each and len(each) for each in few] == [None, 20]
    assert len(found(partition, "of the")) == 41


def test_a_list_that_is_damaged(partition: Partition) -> None:
    put(partition, *TEXTS)
    partition.finish()
    partition._db.execute("UPDATE pairs SET list = x'00'")
    with pytest.raises(InternalError) as caught:
        found(partition, "of the")
    assert caught.value.code == "search-index-unreadable"
