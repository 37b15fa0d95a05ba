"""What is used up, in a process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.budgets.file import NAME
from proctor.budgets.ledger import MAX_POTS, Budgets, people, shares
from proctor.budgets.model import Level, Spent
from proctor.budgets.settings import BudgetSettings, PriceSettings
from proctor.errors import InternalError
from proctor.model import ActionKind, Allow, ApprovalTerms, Decision, Deny, Finding, Hold
from proctor.record import Closing, Reply
from proctor.runtime.tasks import spawn

ALICE, BOB = "https://idp.example#alice", "https://idp.example#bob"
START = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
ALLOWED = Decision(verdict=Allow(rule_id="yes"))
ASKED = Decision(
    verdict=Hold(rule_id="ask", reason="", terms=(ApprovalTerms(from_groups=("dba",)),))
)
REFUSED = Decision(verdict=Deny(rule_id="no", reason="No."))


def budget(**more: Any) -> BudgetSettings:
    return BudgetSettings.model_validate(
        {"name": "daily", "over": "day", "of": "requests", "limit": 10, **more}
    )


@dataclass(slots=True)
class World:
    folder: Path
    now: datetime = START
    told: list[tuple[str, dict[str, object]]] = field(
        default_factory=list[tuple[str, dict[str, object]]]
    )

    def open(self, *settings: BudgetSettings, observe: bool = False) -> Budgets:
        return Budgets(
            settings,
            (PriceSettings(model="*", input=1, output=2, cache_write=3),),
            path=self.folder / "state" / NAME,
            clock=lambda: self.now,
            report=lambda kind, detail: self.told.append((kind, detail)),
            observe=observe,
        )

    def run(
        self,
        settings: Sequence[BudgetSettings],
        work: Callable[[Budgets], Awaitable[None]],
        **more: bool,
    ) -> None:
        async def main() -> None:
            budgets = self.open(*settings, **more)
            try:
                await work(budgets)
            finally:
                await budgets.close()

        asyncio.run(main())


@pytest.fixture
def world(tmp_path: Path) -> World:
    tmp_path.chmod(0o700)
    return World(tmp_path)


def used(
    budgets: Budgets, who: str = ALICE, groups: Sequence[str] = (), run: str = ""
) -> list[float]:
    return [each.used for each in budgets.standing(who, groups, run or None)]


def test_it_is_counted_asked_and_kept(world: World) -> None:
    async def work(budgets: Budgets) -> None:
        for _ in range(3):
            budgets.spend(ALICE, (), None, Spent(requests=1))
        assert (used(budgets), used(budgets, BOB)) == ([3], [0])

    async def later(budgets: Budgets) -> None:
        assert used(budgets) == [3]
        (standing,) = budgets.standing(ALICE, (), None)
        assert (standing.share, standing.level) == (0.3, Level.OK)
        assert standing.until == datetime(2026, 3, 3, tzinfo=UTC)
        world.now += timedelta(days=1)
        assert used(budgets) == [0]

    world.run([budget()], work)
    world.run([budget()], later)


def test_two_processes_see_what_the_other_counts(world: World) -> None:
    async def work(one: Budgets) -> None:
        other = world.open(budget())
        try:
            assert used(other) == [0]
            one.spend(ALICE, (), None, Spent(requests=4))
            other.spend(ALICE, (), None, Spent(requests=2))
            await one.write()
            await other.write()
            assert used(other) == [6]
            await one.write()
            assert used(one) == [6]
        finally:
            await other.close()

    world.run([budget()], work)


def test_whose_it_is(world: World) -> None:
    settings = [
        budget(name="own"),
        budget(name="theirs", per="group", groups=("dev", "ops")),
        budget(name="some", groups=("dev",)),
        budget(name="run", per="session", over=None),
    ]

    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, ("dev", "x"), "s1", Spent(requests=1))
        budgets.spend(BOB, ("ops", "dev"), "s1", Spent(requests=1))
        found = {
            (each.budget.name, each.pot.who): each.used
            for each in budgets.standing(BOB, ("ops", "dev"), "s1")
        }
        assert found == {
            ("own", BOB): 1,
            ("theirs", "dev"): 2,
            ("theirs", "ops"): 1,
            ("some", BOB): 1,
            ("run", f"{BOB} s1"): 1,
        }
        assert [each.budget.name for each in budgets.standing(ALICE, (), None)] == ["own"]
        assert shares(budgets.standing(BOB, ("ops", "dev"), None)) == {
            "own": 0.1, "theirs": 0.2, "some": 0.1,
        }  # fmt: skip

    world.run(settings, work)


def test_people_are_counted_once(world: World) -> None:
    def seen(*digests: str) -> Spent:
        return Spent(people=frozenset(("PERSON", each) for each in digests))

    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, (), None, seen("a", "b"))
        budgets.spend(ALICE, (), None, seen("b"))
        assert used(budgets) == [2]
        await budgets.write()
        budgets.spend(ALICE, (), None, seen("a"))
        await budgets.write()
        assert used(budgets) == [2]

    world.run([budget(of="people")], work)


def test_who_was_seen() -> None:
    def found(kind: str, digest: str) -> Finding:
        return Finding(type=kind, location="x", direction="response", score=1.0, digest=digest)

    assert people((found("PERSON", "a"), found("GITHUB_TOKEN", "b"), found("PERSON", ""))) == {
        ("PERSON", "a")
    }


def test_it_is_said_once_that_little_is_left_and_once_that_nothing_is(world: World) -> None:
    async def work(budgets: Budgets) -> None:
        for _ in range(12):
            budgets.spend(ALICE, (), None, Spent(requests=1))

    world.run([budget()], work)
    assert [kind for kind, _ in world.told] == ["budget.soft", "budget.over"]
    assert world.told[1][1] == {
        "budget": "daily",
        "who": ALICE,
        "of": "requests",
        "used": 10,
        "limit": 10,
        "until": "2026-03-03T00:00:00+00:00",
    }


def test_what_a_used_up_budget_says(world: World) -> None:
    settings = [
        budget(name="asks", then="hold", approval={"from": ("leads",)}, reason="Ask first."),
        budget(name="tells", then="notice"),
        budget(name="stops", limit=20),
    ]

    async def work(budgets: Budgets) -> None:
        def say(decision: Decision, kind: ActionKind = ActionKind.HTTP_REQUEST) -> Decision:
            return budgets.bounded(decision, kind, budgets.standing(ALICE, (), None))

        assert say(ALLOWED) is ALLOWED
        budgets.spend(ALICE, (), None, Spent(requests=10))
        held = say(ALLOWED).verdict
        assert isinstance(held, Hold)
        assert held.rule_id == "budget:asks"
        assert [each.from_groups for each in held.terms] == [("leads",)]
        assert held.reason.startswith("Ask first. The budget asks is used up: 10 of 10 requests")
        both = say(ASKED).verdict
        assert isinstance(both, Hold)
        assert (both.rule_id, len(both.terms)) == ("ask", 2)
        assert say(REFUSED) == REFUSED
        # What an answer asks for was counted with the answer.
        assert say(ALLOWED, ActionKind.LLM_TOOL_USE) is ALLOWED
        budgets.spend(ALICE, (), None, Spent(requests=10))
        stopped = say(ASKED).verdict
        assert isinstance(stopped, Deny)
        assert stopped.rule_id == "budget:stops"

    world.run(settings, work)


def test_observing_it_only_says_so(world: World) -> None:
    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, (), None, Spent(requests=10))
        standing = budgets.standing(ALICE, (), None)
        found = budgets.bounded(ALLOWED, ActionKind.HTTP_REQUEST, standing)
        assert (found.verdict, found.mode) == (ALLOWED.verdict, "observe")
        assert [(each.rule_id, each.verdict) for each in found.observed] == [
            ("budget:daily", "deny")
        ]

    world.run([budget()], work, observe=True)


def test_what_an_exchange_used(world: World) -> None:
    async def work(budgets: Budgets) -> None:
        reply = Reply(
            model="m", stop_reason=None, output="", input_tokens=1_000_000, output_tokens=2,
            cache_read_tokens=9, cache_write_tokens=1_000_000,
        )  # fmt: skip
        spent = budgets.closed("m", Closing(status=200, response_bytes=7, reply=reply))
        assert (spent.tokens, spent.received) == (2_000_002, 7)
        assert spent.cost == pytest.approx(4.000004)
        assert budgets.closed("", Closing(status=None, response_bytes=0)) == Spent()

    world.run([budget()], work)


def test_a_file_that_fails_lets_nothing_leave_and_loses_nothing(world: World) -> None:
    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, (), None, Spent(requests=1))
        budgets._writer.close()
        with pytest.raises(InternalError):
            await budgets.write()
        assert used(budgets) == [1]
        budgets._reader.close()
        with pytest.raises(InternalError):
            budgets.standing(BOB, (), None)

    world.run([budget()], work)


def test_what_is_written_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.budgets.ledger.EVERY", 0.001)

    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, (), None, Spent(requests=1))
        running = spawn(budgets.run(), name="budgets")
        other = world.open(budget())
        try:
            async with asyncio.timeout(30):
                while used(other) != [1]:
                    await other.write()
        finally:
            await other.close()
        budgets._closing.set()
        await running

    world.run([budget()], work)


def test_it_does_not_grow_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctor.budgets.ledger.MAX_POTS", 3)
    assert MAX_POTS > 3

    async def work(budgets: Budgets) -> None:
        budgets.spend(ALICE, (), None, Spent(requests=1))
        for number in range(10):
            used(budgets, f"i#{number}")
        assert len(budgets._counts) == 3
        assert used(budgets) == [1], "what waits is not forgotten"

    world.run([budget()], work)
