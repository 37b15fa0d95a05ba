"""A budget that is used up, as a client, the command line and the record have it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from proctor.testing import gateway
from proctor.testing.standin import KEY, StandIn, serving
from tests.support.held import eventually
from tests.support.outward import Outward, Plan, outward

pytestmark = pytest.mark.e2e

QUESTION = {
    "model": "claude-x",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "Hello"}],
}
BUDGETS = [
    {"name": "few", "over": "day", "of": "requests", "limit": 3, "soft": "60%"},
    {"name": "talk", "over": "day", "of": "tokens", "limit": 1_000_000},
]


@pytest.fixture(scope="module")
def model() -> Iterator[StandIn]:
    with serving(StandIn()) as found:
        yield found


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, model: StandIn) -> Iterator[Outward]:
    plan = Plan(
        destinations=[],
        listeners=[
            {
                "name": "claude",
                "kind": "reverse",
                "listen": "127.0.0.1:0",
                "upstream": model.url,
                "speaks": "anthropic",
                "credential": "anthropic",
            }
        ],
        credentials=[{"name": "anthropic", "header": "x-api-key", "value": {"env": "MODEL_KEY"}}],
        env={"MODEL_KEY": KEY},
        rules="rules: []\n",
        shipped=("anthropic.yaml",),
        more={"budgets": BUDGETS},
    )
    with outward(tmp_path_factory.mktemp("budgets") / "home", plan) as made:
        yield made


def ask(out: Outward, subject: str) -> httpx.Response:
    return httpx.post(
        f"http://{out.gateway.listeners['claude']}/v1/messages",
        json=QUESTION,
        headers={
            "authorization": f"Bearer {out.token(subject)}",
            "anthropic-version": "2023-06-01",
        },
        trust_env=False,
        timeout=30,
    )


def listed(out: Outward) -> list[dict[str, Any]]:
    done = gateway.command("budgets", "list", "--format", "json", cwd=out.folder)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_nothing_begins_once_it_is_used_up(out: Outward, model: StandIn) -> None:
    answers = [ask(out, "alice") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 451, 451]
    notices = [answer.headers.get("x-proctor-notice") for answer in answers[:3]]
    assert notices == [None, "budget few: 67% used", "budget few: 100% used"]
    message = answers[3].json()["error"]["message"]
    assert "The budget few is used up: 3 of 3 requests for you today." in message
    assert model.request_count == 3
    assert ask(out, "bob").status_code == 200, "it is alice's that is used up"
    flows = out.query("select rule_id, verdict from flows where subject = 'alice' order by seq")
    assert [(each["verdict"], each["rule_id"]) for each in flows[3:]] == [
        ("deny", "budget:few")
    ] * 2
    events = out.query("select kind from events where kind like 'budget.%' order by seq")
    assert [each["kind"] for each in events] == ["budget.soft", "budget.over"]

    def settled() -> list[dict[str, Any]] | None:
        rows = listed(out)
        return rows if len(rows) == 4 else None

    rows = {(each["who"], each["budget"]): each for each in eventually(settled, 20)}
    assert rows["local#alice", "few"]["standing"] == "over"
    assert rows["local#alice", "talk"]["used"] > 0


def test_somebody_begins_anew(out: Outward) -> None:
    who = ("few", "local#carol")
    assert [ask(out, "carol").status_code for _ in range(4)] == [200, 200, 200, 451]

    def begins() -> bool | None:
        return gateway.command("budgets", "reset", *who, cwd=out.folder).returncode == 0 or None

    assert eventually(begins, 20)
    assert eventually(lambda: ask(out, "carol").status_code == 200 or None, 20)
