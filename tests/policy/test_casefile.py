"""What rules could see, kept and read back."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.model import (
    Action,
    ActionKind,
    Allow,
    CredentialSource,
    Decision,
    Finding,
    LlmFields,
    McpFields,
    Principal,
    RecordMode,
    Session,
)
from proctor.policy import casefile
from proctor.record import Ruling, Seen

ALICE = Principal(issuer="https://idp", subject="alice", human="carol", issued_at=12.5)
RUN = Session(
    id="s", client="c", started=datetime(2026, 1, 1, tzinfo=UTC), turns=3, repository="/r"
)
LLM = LlmFields(
    model="m", stream=True, max_tokens=7, tools=("a", "b"), features=("f",), request_class="x"
)
SEEN = Seen(
    size=9,
    headers={"user-agent": "u", "x-app": None},
    content_type="application/json",
    operation="op",
    violations=("v",),
    credential=CredentialSource.INJECTED,
    llm=LLM,
    server="srv",
    folder="/r",
    cut=True,
)
FOUND = Finding(type="EMAIL_ADDRESS", location="body", direction="request", score=0.5)


def ruling(*actions: Action, findings: tuple[Finding, ...] = ()) -> Ruling:
    decision = Decision(verdict=Allow(rule_id="a"))
    return Ruling(
        verdict=decision.verdict,
        decisions=(decision,) * len(actions),
        digests=("",) * len(actions),
        actions=actions,
        record=RecordMode.FULL,
        policy_version="v",
        findings=findings,
    )


def action(**more: Any) -> Action:
    return Action(kind=ActionKind.LLM_REQUEST, listener="l", target="t", **more)


def written(*args: Any) -> bytes:
    made = casefile.write(*args)
    assert made is not None
    return made[0]


def test_there_and_back() -> None:
    data = written(ALICE, RUN, "/r", SEEN, (ruling(action(), findings=(FOUND,)),))
    kept = casefile.read(data, "m", stream=True)
    assert kept == casefile.Kept(
        human="carol",
        issued_at=12.5,
        repository="/r",
        turns=3,
        size=9,
        headers={"user-agent": "u", "x-app": None},
        content_type="application/json",
        operation="op",
        violations=("v",),
        credential=CredentialSource.INJECTED,
        llm=LLM,
        server="srv",
        findings=((FOUND,),),
        cut=True,
    )


def test_what_has_reached_the_run_and_what_came_of_it() -> None:
    run = replace(RUN, exposed=("PASSWORD",), suspicious=0.9)
    acts = (ruling(action(budget={"day": 0.5})), ruling(action(tainted=True)))
    kept = casefile.read(written(ALICE, run, "", SEEN, acts))
    assert kept is not None
    assert (kept.exposed, kept.suspicious) == (("PASSWORD",), 0.9)
    assert kept.tainted == (False, True)
    assert kept.budget == {"day": 0.5}


def test_what_stays_the_same_is_cut_off() -> None:
    one = casefile.write(ALICE, RUN, "/r", SEEN, (ruling(action()),))
    other = casefile.write(ALICE, replace(RUN, turns=4), "/r", SEEN, (ruling(action()),))
    assert one is not None
    assert other is not None
    (first, (cut,)), (second, (other_cut,)) = one, other
    assert cut == other_cut
    assert first[:cut] == second[:cut]
    assert first[cut:] != second[cut:]
    assert json.loads(first)["turns"] == 3


def test_a_folder_that_the_record_does_not_hold_is_left_out() -> None:
    data = written(ALICE, RUN, "", SEEN, (ruling(action()),))
    assert b"/r" not in data
    kept = casefile.read(data)
    assert kept is not None
    assert kept.repository is None


def test_what_may_not_be_kept_is_not_known() -> None:
    bare = Seen(size=1, headers={}, content_type=None, operation=None, violations=None)
    kept = casefile.read(written(ALICE, None, "", bare, (ruling(action()),)))
    assert kept is not None
    assert (kept.content_type, kept.operation, kept.violations) == (None, None, None)
    assert (kept.turns, kept.llm, kept.headers) == (None, None, {})


def test_questions_in_an_answer_keep_their_method_alone() -> None:
    mcp = McpFields(server="jira", method="sampling/createMessage", arguments={"secret": "value"})
    data = written(ALICE, RUN, "/r", None, (ruling(action(mcp=mcp)), ruling(action())))
    assert b"value" not in data
    kept = casefile.read(data)
    assert kept is not None
    assert (kept.server, kept.asked) == ("jira", ("sampling/createMessage", ""))


def test_what_cannot_be_written_is_not_kept() -> None:
    assert casefile.write(ALICE, None, "", replace(SEEN, server="\ud800"), ()) is None
    large = replace(SEEN, headers={"a": "x" * casefile.MAX_SIZE})
    assert casefile.write(ALICE, None, "", large, ()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"v": 2}, {"iat": "x"}, {"human": 1}, {"headers": []}, {"headers": {"a": 1}},
        {"cred": "other"}, {"llm": {}}, {"bad": "text"}, {"turns": None}, {"found": [[[1, 2]]]},
        {"size": {}}, {"asked": [1]},
    ],
)  # fmt: skip
def test_what_is_none_of_ours_counts_as_not_kept(changed: dict[str, Any]) -> None:
    said = json.loads(written(ALICE, RUN, "/r", SEEN, (ruling(action()),)))
    assert casefile.read(json.dumps({**said, **changed}).encode()) is None


def test_cut_at_every_byte() -> None:
    data = written(ALICE, RUN, "/r", SEEN, (ruling(action(), findings=(FOUND,)),))
    assert all(casefile.read(data[:end]) is None for end in range(len(data)))


@given(st.binary(max_size=60) | st.just(b"[]") | st.just(b"null"))
def test_anything_at_all(data: bytes) -> None:
    casefile.read(data)
