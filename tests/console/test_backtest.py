"""Trying rules over the record, in the console."""

import asyncio
import dataclasses
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import ApprovalError, Role
from proctor.console.backtest import MAX_RULES, Run, Tries
from proctor.console.house import House
from proctor.errors import ClientError
from proctor.policy.engine import load_policy
from proctor.policy.features import Features
from tests.console.samples import BOB
from tests.console.stand import Stand, asked, words
from tests.support.judged import START, Desk, judged, rules

THEN = "rules: [{id: all, on: [llm.request, llm.tool_use, http.request], then: allow}]\n"
NEW = """
rules:
  - {id: rm, on: llm.tool_use, match: "Bash(rm *)", then: hold, approval: {from: [ops]}}
"""
AUDITOR = dataclasses.replace(BOB, roles=frozenset({Role.AUDITOR}))


async def play(desk: Desk) -> None:
    await desk.turn(("Bash", {"command": "rm x"}))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("tried")
    then = rules(folder / "rules", THEN)
    judged(folder / "recordings", then, play)
    policy = load_policy(then, features=Features())
    stand = Stand(folder, now=lambda: START + timedelta(hours=1))
    return dataclasses.replace(stand.house, policy=lambda: policy, rules=then)


def tried(house: House, text: str, place: str = "beside", **more: Any) -> Run:
    async def main() -> Run:
        tries = Tries(house, **more)
        task = tries.start(text, place, "7d", AUDITOR)
        with pytest.raises(ClientError, match="goes on"):
            tries.start(text, place, "7d", AUDITOR)
        await task
        assert tries.run is not None
        assert not tries.run.running
        return tries.run

    return asyncio.run(main())


def test_beside_the_rules_in_force_and_instead_of_them(house: House) -> None:
    run = tried(house, NEW)
    assert run.error is None
    assert run.report is not None
    assert (run.done, run.of) == (1, 1)
    assert run.report["changes"]["newly-held"] == 1
    assert run.report["changes"]["newly-denied"] == 0
    alone = tried(house, NEW, "instead")
    assert alone.report is not None
    assert alone.report["changes"]["newly-denied"] == 1


def test_in_place_of_one_of_the_files_in_force(house: House) -> None:
    run = tried(house, THEN.replace("then: allow", "then: deny"), "for:rules.yaml")
    assert run.report is not None
    assert run.report["changes"]["newly-denied"] == 2
    twice = tried(house, THEN)
    assert twice.error is not None
    assert "stands twice" in twice.error.message


def test_wrong_rules_say_where(house: House) -> None:
    run = tried(house, "rules:\n  - {id: x}\n")
    assert run.error is not None
    assert run.error.code == "rule-invalid"
    assert run.error.message.startswith("tried-in-the-console.yaml:2")


def test_a_limit_of_time(house: House) -> None:
    run = tried(house, NEW, seconds=0.0)
    assert run.error is not None
    assert run.error.code == "backtest-too-long"


def test_no_secret_of_the_gateway_s_goes_along(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    start = asyncio.create_subprocess_exec

    async def watched(*args: Any, **more: Any) -> Any:
        seen.append(more["env"])
        return await start(*args, **more)

    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    monkeypatch.setattr(asyncio, "create_subprocess_exec", watched)
    assert tried(house, NEW).error is None
    assert "secret" not in seen[0].values()
    assert seen[0]["PATH"] == os.environ["PATH"]


def test_a_process_that_ends_without_an_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    run = tried(house, NEW)
    assert run.error is not None
    assert run.error.code == "backtest-failed"


@pytest.mark.parametrize(
    ("text", "place", "span"),
    [(" ", "beside", "7d"), ("x" * (MAX_RULES + 1), "beside", "7d"), ("x", "", "7d"),
     ("x", "beside", "900d"), ("x", "for:none.yaml", "7d"), ("x", "for:../rules/rules.yaml", "7d")],
)  # fmt: skip
def test_what_cannot_be_tried(house: House, text: str, place: str, span: str) -> None:
    with pytest.raises(ClientError) as caught:
        Tries(house).start(text, place, span, AUDITOR)
    assert caught.value.code == "form-invalid"


def test_the_page(tmp_path: Path) -> None:
    stand = Stand(tmp_path, reviewer=AUDITOR)
    text = words(asked(stand, "/backtest").text)
    assert "Try rules" in text
    wrong = asked(stand, "/backtest", fields={"rules": "<b>", "place": "", "span": "7d"})
    assert wrong.status == 400
    assert "&lt;b&gt;" in wrong.text
    assert asked(stand, "/backtest/run", part=True).status == 200


def test_the_page_begins_with_a_file(tmp_path: Path) -> None:
    then = rules(tmp_path / "rules", THEN)
    (then / "other.yaml").write_text("# <i>\n" + NEW)
    stand = Stand(tmp_path, reviewer=AUDITOR, rules=then)
    assert 'href="/backtest?from=other.yaml"' in asked(stand, "/backtest").text
    shown = asked(stand, "/backtest?from=other.yaml").text
    assert "# &lt;i&gt;" in shown
    assert '<option value="for:other.yaml" selected>' in shown
    for name in ("none.yaml", "../rules/rules.yaml", "%2Fetc%2Fpasswd", "a%00b"):
        assert asked(stand, f"/backtest?from={name}").status == 400
    (then / "other.yaml").write_text("#" * (MAX_RULES + 1))
    assert asked(stand, "/backtest?from=other.yaml").status == 400


def test_reviewers_do_not_see_whose_actions_these_were(tmp_path: Path) -> None:
    for path in ("/backtest", "/backtest/run"):
        assert asked(Stand(tmp_path), path).status == 403
    assert asked(Stand(tmp_path), "/backtest?from=rules.yaml").status == 403
    assert asked(Stand(tmp_path), "/backtest", fields={"rules": "x"}).status == 403
    assert issubclass(ApprovalError, ClientError)
