"""Looking for something."""

import asyncio
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.recorder import Recorder
from proctor.errors import ClientError, InternalError
from proctor.search.documents import Part
from proctor.search.finding import Filters, search
from proctor.search.indexer import Indexer
from proctor.search.places import places
from proctor.search.query import parse
from tests.support.envelopes import BOB, START, STILL, begin, end, flow, run, turn

TEXTS = (
    "connection refused by orders-db at src/app.py",
    "the connection was refused, max_tokens is 9",
    "数据库连接失败 in Café",
    "nothing of the kind",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finding") / "recordings"
    asyncio.run(_fill(path))
    indexer = Indexer(path)
    while indexer.step().more:
        pass
    return path


async def _fill(path: Path) -> None:
    now = START.timestamp()
    recorder = await Recorder.open(path, pace=STILL, clock=lambda: now)
    for day in range(3):
        for number, text in enumerate(TEXTS):
            session = run(f"day{day}-{number % 2}")
            whose: dict[str, Any] = {"session_id": session.id}
            if number % 2:
                whose |= {"principal": BOB, "subject": "bob"}
            scope = recorder.scope(whose.get("principal", "https://idp#alice"), session)
            prompt = turn(recorder.put(scope, f"{text} day{day}".encode()))
            found = [{"entity_type": "IBAN", "location": "x"}] if number == 1 else []
            name = f"f{day}{number}"
            await begin(
                recorder, name, turn=prompt, findings=found,
                verdict="deny" if number == 3 else "allow", **whose,
            )  # fmt: skip
            tool = {
                "id": name, "source": "llm", "name": "Bash" if number else "mcp__x y",
                "rule_id": "",
                "input": recorder.put(scope, json.dumps({"run": text}).encode()).as_json(),
                "verdict": "hold",
            }  # fmt: skip
            await end(recorder, name, 0, turn=prompt, tools=[tool], findings=found, **whose)
            now += 60
        now += 86_400
    sql = recorder.put(recorder.scope(BOB, None), b"SELECT refused FROM t").as_json()
    await recorder.append("statement", flow("sql") | {"sql": sql, "parameters": None})
    await recorder.close()


def found(folder: Path, text: str, *, limit: int = 99, skip: int = 0, **filters: Any) -> list[str]:
    results = search(folder, parse(text), Filters(**filters), limit=limit, skip=skip)
    return [f"{result.hit.flow_id} {result.hit.part}" for result in results]


@pytest.mark.parametrize(
    ("text", "flows"),
    [
        ("connection refused", {"0", "1"}),
        ('"connection refused"', {"0"}),
        ("REFUSED !orders", {"1"}),
        ("conn*", {"0", "1"}),
        ("src/app.py", {"0"}),
        ("orders-db", {"0"}),
        ("max_tokens", {"1"}),
        ("max_token", set()),
        ("max_token*", {"1"}),
        ("连接", {"2"}),
        ("接连", set()),
        ("cafe", {"2"}),
        ("absent", set()),
    ],
)
def test_what_is_found(folder: Path, text: str, flows: set[str]) -> None:
    names = found(folder, text, part=Part.PROMPT)
    assert {name.split()[0][2:] for name in names} == flows
    assert len(names) == 3 * len(flows)


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"principal": "bob", "part": Part.PROMPT}, ["f21 prompt", "f11 prompt", "f01 prompt"]),
        ({"principal": BOB, "session": "day1"}, ["f11 input", "f11 prompt"]),
        ({"entity": "IBAN", "session": "day0"}, ["f01 input", "f01 prompt"]),
        ({"tool": "mcp__x y"}, ["f20 input", "f10 input", "f00 input"]),
        ({"verdict": "hold", "tool": "Bash"}, ["f21 input", "f11 input", "f01 input"]),
        ({"part": Part.STATEMENT}, ["sql statement"]),
        ({"session": "day"}, 12),
        ({"session": "none"}, []),
        ({"principal": "ali"}, []),
        ({"principal": '" OR "x'}, []),
        ({"within": frozenset()}, []),
        ({"within": frozenset({(BOB, "day2-1"), (BOB, "day1-0")})}, ["f21 input", "f21 prompt"]),
    ],
)
def test_filters(folder: Path, filters: dict[str, Any], names: list[str] | int) -> None:
    got = found(folder, "refused", **filters)
    assert (len(got) if isinstance(names, int) else got) == names


def test_times(folder: Path) -> None:
    second = START + timedelta(days=1, minutes=4)  # f10 stands there
    assert found(folder, "refused", since=second, part=Part.PROMPT) == [
        "f21 prompt", "f20 prompt", "f11 prompt", "f10 prompt",
    ]  # fmt: skip
    later = second + timedelta(seconds=30)
    assert found(folder, "refused", since=second, until=later) == ["f10 input", "f10 prompt"]
    assert found(folder, "refused", until=datetime(2025, 1, 1, tzinfo=UTC)) == []


def test_a_page_at_a_time(folder: Path) -> None:
    whole = found(folder, "refused")
    parts = [found(folder, "refused", limit=5, skip=skip) for skip in range(0, 15, 5)]
    assert [name for part in parts for name in part] == whole
    assert len(whole) == 13


def test_in_context(folder: Path) -> None:
    (result,) = search(folder, parse("refused orders"), Filters(part=Part.PROMPT), limit=1)
    marked = [piece for piece, is_hit in result.snippet.pieces() if is_hit]
    assert marked == ["refused", "orders"]
    assert (result.hit.subject, result.hit.session_id) == ("alice", "day2-0")


def test_a_file_that_goes_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = places(folder / "search")
    gone = [replace(each, made=9) if each == there[1] else each for each in there]
    monkeypatch.setattr("proctor.search.finding.places", lambda _: gone)
    assert not any(name.startswith("f2") for name in found(folder, "refused"))


def test_nothing_is_indexed(tmp_path: Path) -> None:
    assert found(tmp_path, "refused") == []


def test_a_search_does_not_look_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.search.finding.SECONDS", -1.0)
    monkeypatch.setattr("proctor.search.partition._STEPS", 1)
    with pytest.raises(ClientError) as caught:
        found(folder, "refused")
    assert caught.value.code == "search-slow"


def test_older_days_are_looked_at_by_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = found(folder, "refused")
    for threads in (1, 8):
        monkeypatch.setattr("proctor.search.finding._THREADS", threads)
        assert found(folder, "refused", limit=500) == everything
        assert found(folder, "refused", limit=1) == everything[:1]
        assert found(folder, "refused", limit=3, skip=600) == []


def test_a_damaged_older_day_is_told(folder: Path, tmp_path: Path) -> None:
    there = places(folder / "search")
    (tmp_path / "search").mkdir()
    for place in there[:2]:
        shutil.copy(folder / "search" / place.name, tmp_path / "search")
    (tmp_path / "search" / there[1].name).write_bytes(b"damaged" * 1000)
    with pytest.raises(InternalError) as caught:
        found(tmp_path, "refused")
    assert caught.value.code == "search-index-unreadable"
