"""What a connection is in the midst of."""

import asyncio

import pytest

from proctor.postgres.state import State
from tests.postgres.records import a_run


@pytest.mark.parametrize(
    "sql",
    [
        "SET search_path TO other",
        "SET ROLE bob",
        "CREATE TEMP TABLE t (a int)",
        "ALTER TABLE t ADD b int",
        "PREPARE p AS SELECT 1",
        "DEALLOCATE p",
        "DECLARE c CURSOR FOR SELECT 1",
        "DO $$ BEGIN END $$",
        "SET client_encoding TO latin1",
        "DISCARD ALL",
        "RESET ALL",
    ],
)
def test_what_changes_the_meaning_of_names_has_to_end_first(sql: str) -> None:
    state, run = State(), a_run(sql)
    state.sent(run)
    assert state.unsettled == 1
    state.over(run)
    state.over(run)
    assert state.unsettled == 0


@pytest.mark.parametrize("sql", ["SELECT 1", "UPDATE t SET a = 1", "BEGIN", "COMMIT", "SHOW x"])
def test_what_changes_no_name_holds_up_nobody(sql: str) -> None:
    state = State()
    state.sent(a_run(sql))
    assert state.unsettled == 0


def test_the_end_of_a_transaction_may_take_back_what_moved_names() -> None:
    state = State()
    state.moved = True
    state.sent(a_run("ROLLBACK"))
    assert state.unsettled == 1


def test_who_waits_looks_again_after_each_answer() -> None:
    async def main() -> list[int]:
        state, looks = State(), list[int]()

        def holds() -> bool:
            looks.append(len(looks))
            return len(looks) > 2

        waiting = asyncio.ensure_future(state.until(holds))
        while not waiting.done():
            await asyncio.sleep(0)
            state.wake()
        return looks

    assert asyncio.run(main()) == [0, 1, 2]
