"""What is usual, in a process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.model import Principal, SqlFields
from proctor.novelty import baseline
from proctor.novelty.baseline import Baseline, key_of, person_of
from proctor.novelty.file import NAME, NoveltyFile
from proctor.novelty.settings import NoveltySettings
from proctor.novelty.usual import seen

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ALICE = Principal(issuer="https://idp.example", subject="alice")
BOT = Principal(issuer="https://idp.example", subject="bot-1", human="alice@example.com")
OTHER = Principal(issuer="https://idp.example", subject="bot-2", human="alice@example.com")
ORDERS = SqlFields(tables=("public.orders",), fingerprint="a1")
SETTINGS = NoveltySettings(learn=1)

type Use = Callable[[Baseline], Awaitable[None]]


def with_baseline(state: Path, use: Use, *, clock: Callable[[], float] = lambda: 0.0) -> None:
    async def work() -> None:
        opened = Baseline(state, SETTINGS, now=lambda: NOW, clock=clock)
        try:
            await opened.open()
            await use(opened)
        finally:
            await opened.close()

    asyncio.run(work())


def test_a_human_behind_bots_is_one_person() -> None:
    assert person_of(BOT) == person_of(OTHER) == "alice@example.com at https://idp.example"
    assert person_of(ALICE) == ALICE.key
    assert key_of(BOT, "db", "orders").principal == BOT.key


def test_what_was_seen_is_there_after_a_restart(tmp_path: Path) -> None:
    async def first(opened: Baseline) -> None:
        familiar = await opened.load(ALICE, "db", "orders")
        assert familiar.known.history == 0
        familiar.saw(seen(ORDERS, (), 3, familiar.now))
        assert familiar.known.history == 1

    async def second(opened: Baseline) -> None:
        familiar = await opened.load(ALICE, "db", "orders")
        assert familiar.known.history == 1
        assert not familiar.known.look(ORDERS, rows=None, now=NOW).table
        assert (await opened.load(BOT, "db", "orders")).known.history == 0

    with_baseline(tmp_path, first)
    with_baseline(tmp_path, second)


def test_connections_of_a_person_share_what_is_known(tmp_path: Path) -> None:
    async def use(opened: Baseline) -> None:
        first, second = await asyncio.gather(
            opened.load(BOT, "db", "orders"), opened.load(OTHER, "db", "orders")
        )
        assert first.known is second.known

    with_baseline(tmp_path, use)


def test_who_loads_while_it_is_written_counts_once(tmp_path: Path) -> None:
    async def use(opened: Baseline) -> None:
        for _ in range(20):
            familiar = await opened.load(ALICE, "db", "orders")
            familiar.saw(seen(ORDERS, (), 3, NOW))
            writing = asyncio.ensure_future(opened._write())
            del familiar
            await asyncio.sleep(0)
            await opened.load(ALICE, "db", "orders")
            await writing
        assert (await opened.load(ALICE, "db", "orders")).known.history == 20

    with_baseline(tmp_path, use)


def test_what_others_have_seen_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baseline, "EVERY", 0.001)
    now = [0.0]

    async def use(opened: Baseline) -> None:
        familiar = await opened.load(ALICE, "db", "orders")
        with closing(NoveltyFile(tmp_path / NAME, SETTINGS)) as other:
            other.add([(key_of(ALICE, "db", "orders"), seen(ORDERS, (), 3, NOW))] * 5, NOW)
        now[0] = 31.0
        familiar.saw(seen(ORDERS, (), 3, NOW))
        assert opened._writing is not None
        await opened._writing  # it ends once nothing waits
        assert familiar.known.history == 6

    with_baseline(tmp_path, use, clock=lambda: now[0])


def test_what_cannot_be_written_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise InternalError("novelty-unavailable", "The disk is full")

    async def use(opened: Baseline) -> None:
        familiar = await opened.load(ALICE, "db", "orders")
        familiar.saw(seen(ORDERS, (), 3, NOW))
        with monkeypatch.context() as patched:
            patched.setattr(NoveltyFile, "add", broken)
            with pytest.raises(InternalError):
                await opened._write()
        assert familiar.known.history == 1

    with_baseline(tmp_path, use)
    with closing(NoveltyFile(tmp_path / NAME, SETTINGS)) as file:
        assert {each["usual"].count for each in file.people(ALICE.key)} == {1}


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_WAITING", 10)

    async def use(opened: Baseline) -> None:
        familiar = await opened.load(ALICE, "db", "orders")
        for _ in range(100):
            familiar.saw(seen(ORDERS, (), 3, NOW))
        assert len(opened._waiting) <= 10
        assert familiar.known.history == 100

    with_baseline(tmp_path, use)
