"""What would be sent, and its digest."""

from dataclasses import replace

import pytest

from proctor.errors import ClientError
from proctor.model import ActionKind
from proctor.replay.outcome import Outcome
from proctor.replay.plan import MAX_REQUESTS, Direct, Plan, Request, checked

ONE = Request(turn=1, path="/v1/messages", model="m", body=b"{}", recorded=Outcome(status=200))
API = Request(
    turn=3, kind=ActionKind.HTTP_REQUEST, method="PUT", path="/items/7?x=1", model="",
    content_type="application/json", body=b"{}", recorded=Outcome(status=201),
)  # fmt: skip
THERE = Direct(
    url="https://api.example", host="api.example", port=443, tls=True, base="",
    addresses=("203.0.113.7",),
)  # fmt: skip
PLAN = Plan(
    session="s", principal="i#a", listener="claude", upstream="https://api.example", betas="",
    requests=(ONE, replace(ONE, turn=2, body=b'{"a":1}')),
)  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, session="t"),
        replace(PLAN, principal="i#b"),
        replace(PLAN, listener="claud", upstream="ehttps://api.example"),
        replace(PLAN, upstream="https://api.example:1"),
        replace(PLAN, betas="x"),
        replace(PLAN, requests=PLAN.requests[::-1]),
        replace(PLAN, requests=PLAN.requests[:1]),
        replace(PLAN, requests=(ONE, replace(ONE, body=b'{"a":2}'))),
        replace(PLAN, requests=(ONE, replace(ONE, path="/v1/messages?beta=true", body=b'{"a":1}'))),
        replace(PLAN, requests=(ONE, replace(PLAN.requests[1], method="PUT"))),
        replace(PLAN, requests=(ONE, replace(PLAN.requests[1], kind=ActionKind.HTTP_REQUEST))),
        replace(PLAN, requests=(ONE, replace(PLAN.requests[1], content_type="text/plain"))),
        replace(PLAN, direct=THERE),
    ],
)
def test_every_change_changes_the_digest(other: Plan) -> None:
    assert other.digest != PLAN.digest


@pytest.mark.parametrize(
    "other",
    [
        replace(THERE, url="https://api.example/v2"),
        replace(THERE, addresses=("203.0.113.8",)),
        replace(THERE, addresses=("203.0.113.7", "203.0.113.8")),
        replace(THERE, credential="key"),
        replace(THERE, ca="key"),
    ],
)
def test_so_does_every_change_of_where_a_url_leads(other: Direct) -> None:
    assert replace(PLAN, direct=other).digest != replace(PLAN, direct=THERE).digest


def test_the_digest_is_of_what_leaves() -> None:
    assert PLAN.digest == replace(PLAN).digest
    recorded = replace(ONE, recorded=Outcome(status=500))
    assert replace(PLAN, requests=(recorded, PLAN.requests[1])).digest == PLAN.digest
    assert PLAN.size == 9


def test_what_is_said_in_a_body_is_not_in_a_repr() -> None:
    assert "a" not in repr(replace(ONE, body=b"aaa")).partition("body")[2]


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (replace(PLAN, requests=(ONE,) * (MAX_REQUESTS + 1)), "replay-too-much"),
        (replace(PLAN, requests=(replace(ONE, body=b"x" * (64 * 2**20 + 1)),)), "replay-too-much"),
        (replace(PLAN, betas="a b"), "replay-betas"),
        (replace(PLAN, betas="a\n"), "replay-betas"),
    ],
)
def test_too_much(plan: Plan, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        checked(plan)
    assert caught.value.code == code


def test_enough() -> None:
    assert checked(replace(PLAN, betas="a-1,b.2")).betas == "a-1,b.2"
