"""The API by which a recorded session is sent again; who decides is tried in tests/e2e."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from proctor.approval.model import Reviewer
from proctor.console.problems import problem_json
from proctor.console.readings import Readings
from proctor.console.replayapi import ReplayApi
from proctor.errors import ProctorError
from proctor.replay.places import Place
from proctor.replay.plan import Direct, Plan
from proctor.replay.sending import Job, Replayer
from tests.console.samples import BOB, CAROL
from tests.console.stand import Stand
from tests.replay.test_plan import THERE
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, others, record, story


@dataclass
class Aims:
    """Finds every URL."""

    aimed: list[tuple[str, str, str]] = field(default_factory=list)

    async def aim(self, url: str, credential: str, ca: str) -> Direct:
        self.aimed.append((url, credential, ca))
        return replace(THERE, url=url, credential=credential, ca=ca)


@dataclass
class Remembers:
    """A replayer that sends nothing."""

    places: dict[str, Place] = field(
        default_factory=lambda: {
            "claude": Place(address="x:1", upstream="https://api.example"),
            "tickets": Place(address="x:2", upstream="https://t.example", speaks="http"),
        }
    )
    plans: list[tuple[Plan, str]] = field(default_factory=list)
    straight: Aims = field(default_factory=Aims)

    async def start(self, plan: Plan, reviewer: Reviewer, reason: str, policy: str) -> Job:
        assert policy
        self.plans.append((plan, reason))
        return Job(id="ap_1", plan=plan, by=reviewer, name="n")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replayapi")
    record(folder / "recordings", story, others)
    return folder


def post(
    folder: Path, body: dict[str, Any], who: Reviewer = CAROL, *, off: bool = False
) -> tuple[httpx.Response, Remembers]:
    kept = Remembers()
    house = Stand(folder).house
    house = replace(house, replayer=None if off else cast("Replayer", kept))

    async def signed(request: Request, following: Any) -> Response:
        request.state.reviewer = who
        answer: Response = await following(request)
        return answer

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProctorError)
        return problem_json(error)

    app = Starlette(
        routes=ReplayApi(house=house, readings=Readings(house.record)).routes(),
        exception_handlers={ProctorError: problem},
    )
    app.add_middleware(BaseHTTPMiddleware, dispatch=signed)

    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            return await client.post("/api/v1/replays", json=body)

    return asyncio.run(main()), kept


MINE = {"session": SESSION, "principal": ALICE.key, "to": "claude"}


def test_what_is_planned(recordings: Path) -> None:
    found, kept = post(recordings, MINE | {"last": 4, "betas": "b", "reason": " so "})
    assert found.status_code == 201
    ((plan, reason),) = kept.plans
    assert (plan.session, plan.principal, plan.upstream, plan.betas, reason) == (
        SESSION, ALICE.key, "https://api.example", "b", "so",
    )  # fmt: skip
    assert [each.turn for each in plan.requests] == [1, 2, 3, 4]
    assert plan.requests[0].path == "/v1/messages?beta=true"
    assert plan.requests[0].recorded.stop_reason == "tool_use"
    assert plan.requests[0].body.startswith(b'{"model"')
    assert found.json()["digest"] == plan.digest


def test_a_url(recordings: Path) -> None:
    url = "https://api.example/v2"
    found, kept = post(recordings, MINE | {"to": url, "credential": "key", "ca": "PEM", "last": 1})
    assert found.status_code == 201
    assert kept.straight.aimed == [(url, "key", "PEM")]
    ((plan, _),) = kept.plans
    assert plan.direct is not None
    assert (plan.listener, plan.upstream, plan.direct.credential) == ("replay", url, "key")
    assert found.json()["to"] == url


def test_a_listener_of_an_api_gets_what_came_through_it(recordings: Path) -> None:
    for body in (MINE | {"to": "tickets"}, MINE | {"from": "tickets"}):
        found, kept = post(recordings, body)
        assert (found.json()["code"], kept.plans) == ("replay-nothing", [])
        assert found.json()["got"] == "no request through that listener"


def test_what_was_refused_or_not_recorded_is_left_out(recordings: Path) -> None:
    _, kept = post(recordings, MINE)
    assert [each.turn for each in kept.plans[0][0].requests] == [1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "body-invalid"),
        ({"session": SESSION}, "body-invalid"),
        (MINE | {"session": "x" * 513}, "body-invalid"),
        (MINE | {"first": "1"}, "body-invalid"),
        (MINE | {"more": 1}, "body-invalid"),
        (MINE | {"session": "nope"}, "session-unknown"),
        (MINE | {"credential": "key"}, "body-invalid"),
        (MINE | {"ca": "PEM"}, "body-invalid"),
        ({"session": SESSION, "to": "claude"}, "session-ambiguous"),
        (MINE | {"first": 5, "last": 5}, "replay-nothing"),
        (MINE | {"betas": "a b"}, "replay-betas"),
        (MINE | {"reason": "x" * 10_000}, "approval-reason"),
    ],
)
def test_what_is_no_plan(recordings: Path, body: dict[str, Any], code: str) -> None:
    found, kept = post(recordings, body)
    assert (found.json()["code"], kept.plans) == (code, [])


def test_only_sessions_that_one_may_see(recordings: Path) -> None:
    found, kept = post(recordings, MINE, BOB)
    assert (found.status_code, found.json()["code"], kept.plans) == (403, "approval-role", [])


def test_where_nothing_is(recordings: Path, tmp_path: Path) -> None:
    assert post(recordings, MINE, off=True)[0].json()["code"] == "replay-listener"
    assert post(tmp_path, MINE)[0].json()["code"] == "record-empty"
