"""One writer's index of one day."""

import sqlite3
from datetime import date
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.model import ContentRef
from proctor.search.documents import Exchange, Part, Text
from proctor.search.partition import Mark, Partition
from proctor.search.places import Place, unlink
from proctor.search.texts import tag

DAY = date(2026, 1, 2)
PLACE = Place("w0", DAY, 1)
MARK = Mark(seq=7, leaf="ab")


def text(part: Part = Part.PROMPT, name: str = "h", scope: str = "s", **more: str) -> Text:
    ref = ContentRef(scope=scope, hash=name, size=9, encoding="utf8", blocks="0")
    return Text(part=part, ref=ref, verdict="allow", **more)


def exchange(seq: int, second: int = 5, **more: str) -> Exchange:
    who = {"principal": "i#alice", "subject": "alice", "session_id": "s1", **more}
    ts = f"2026-01-02T03:04:{second:02d}.000000Z"
    return Exchange(
        seq=seq, ts=ts, flow_id=f"f{seq}", entities=("IBAN",), texts=(), **who
    )  # fmt: skip


def put(partition: Partition, *given: tuple[Exchange, Text, str], mark: Mark = MARK) -> None:
    with partition.writing(mark) as adding:
        for each, one, words in given:
            adding.text(adding.exchange(each), each, one, words)


def flows(partition: Partition, expression: str, **bounds: str) -> list[str]:
    return [hit.flow_id for hit in partition.find(expression, **bounds)]


@pytest.fixture
def partition(tmp_path: Path) -> Partition:
    return Partition.made(tmp_path, PLACE)


def test_what_is_added_is_found_the_newest_first(partition: Partition) -> None:
    assert partition.mark() is None
    put(
        partition,
        (exchange(1), text(), "one apple"),
        (exchange(2), text(Part.INPUT, "i", tool="Bash", call="c"), "an apple pie"),
    )
    assert flows(partition, '"apple"') == ["f2", "f1"]
    assert flows(partition, f'"apple" AND "{tag("t", "Bash")}"') == ["f2"]
    assert flows(partition, '"apple pie"') == ["f2"]
    assert partition.mark() == MARK
    hit = next(partition.find('"one"'))
    assert (hit.text, hit.subject, hit.entities, hit.part) == (
        "one apple", "alice", ("IBAN",), Part.PROMPT,
    )  # fmt: skip
    partition.close()


def test_a_day_that_is_over(partition: Partition) -> None:
    for number in range(4):
        put(partition, (exchange(number), text(name=f"{number}"), f"word{number} pie"))
    partition.finish()
    assert flows(partition, '"word2 pie"') == ["f2"]
    assert len(flows(partition, '"pie"')) == 4
    partition.close()


def test_bounds_of_time(partition: Partition) -> None:
    put(partition, *((exchange(n, n), text(name=f"{n}"), "x") for n in range(4)))
    since, until = (exchange(0, second).ts for second in (1, 3))
    assert flows(partition, '"x"', since=since, until=until) == ["f2", "f1"]
    assert flows(partition, '"x"', since="2026-01-02T04") == []
    partition.close()


def test_a_clock_that_stepped_back(partition: Partition) -> None:
    put(partition, *((exchange(n, s), text(name=f"{n}"), "x") for n, s in enumerate((5, 9, 2))))
    assert flows(partition, '"x"', since=exchange(0, 5).ts) == ["f1", "f0"]
    partition.close()


def test_known_texts_and_tools(partition: Partition) -> None:
    called = text(Part.INPUT, tool="Bash", call="c1")
    with partition.writing(MARK) as adding:
        assert adding.unknown(called)
        adding.text(adding.exchange(exchange(1)), exchange(1), called, "x")
        assert not adding.unknown(called)
        assert adding.tool_of("c1") == "Bash"
        assert adding.tool_of("c2") == ""
    partition.close()


def test_all_or_nothing(partition: Partition) -> None:
    twice = (exchange(1), text(), "apple")
    with pytest.raises(InternalError):
        put(partition, twice, twice)
    assert partition.mark() is None
    assert flows(partition, '"apple"') == []
    partition.close()


def test_a_scope_goes_and_leaves_no_word(tmp_path: Path, partition: Partition) -> None:
    put(
        partition,
        (exchange(1), text(), "stays everywhere"),
        (exchange(2), text(scope="gone"), "confidentialword everywhere"),
    )
    assert not partition.without(["other"])
    assert partition.without(["gone"])
    assert flows(partition, '"everywhere"') == ["f1"]
    anew = Place("w0", DAY, 2)
    Partition.made(tmp_path, anew).close()
    partition.copy(tmp_path / anew.name)
    partition.close()
    again = Partition.opened(tmp_path, anew)
    assert flows(again, f'"everywhere" AND "{tag("e", "IBAN")}"') == ["f1"]
    assert again.mark() == MARK
    again.close()
    assert b"confidentialword" not in (tmp_path / anew.name).read_bytes()


def test_sessions_by_their_beginning(partition: Partition) -> None:
    put(partition, (exchange(1), text(), "x"), (exchange(2, session_id="s%2"), text(name="2"), "x"))
    assert partition.sessions("s", 9) == [("i#alice", "s%2"), ("i#alice", "s1")]
    assert partition.sessions("s%", 9) == [("i#alice", "s%2")]
    partition.close()


def test_only_ours_can_read_it(tmp_path: Path, partition: Partition) -> None:
    put(partition, (exchange(1), text(), "x"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    partition.close()


def test_what_is_no_index(tmp_path: Path) -> None:
    (tmp_path / PLACE.name).write_bytes(b"no database at all, but long enough to look at" * 100)
    with pytest.raises(InternalError) as caught:
        Partition.opened(tmp_path, PLACE)
    assert caught.value.code == "search-index-unreadable"
    unlink(tmp_path / PLACE.name)
    with pytest.raises(FileNotFoundError):
        Partition.opened(tmp_path, PLACE)
    database = sqlite3.connect(tmp_path / PLACE.name)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(InternalError):
        Partition.opened(tmp_path, PLACE)


def test_a_text_that_is_damaged(partition: Partition, tmp_path: Path) -> None:
    put(partition, (exchange(1), text(), "x"))
    partition.close()
    database = sqlite3.connect(tmp_path / PLACE.name)
    database.execute("UPDATE texts SET text = x'00'")
    database.commit()
    database.close()
    again = Partition.opened(tmp_path, PLACE)
    with pytest.raises(InternalError):
        next(again.find('"x"')).text  # noqa: B018 - it raises
    again.close()


def test_at_rest_unless_somebody_looks(tmp_path: Path, partition: Partition) -> None:
    put(partition, (exchange(1), text(), "x"), (exchange(2), text(name="2"), "x"))
    other = Partition.opened(tmp_path, PLACE)
    looking = other.find('"x"')
    next(looking)
    partition.finish()
    resting = [partition.resting]
    assert len(list(looking)) == 1
    other.close()
    partition.rest()
    assert [*resting, partition.resting] == [False, True]
    partition.close()
    assert {path.name for path in tmp_path.iterdir()} == {PLACE.name}
