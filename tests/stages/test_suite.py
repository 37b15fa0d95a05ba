"""Every way in which the whole must stay shut, through a live proxy."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proctor.stages.recording import Recording
from proctor.stages.redaction import Redaction
from proctor.stages.suite import ORDER
from tests.support.origin import Origin
from tests.support.screened import screens
from tests.support.stand import ANSWER, OK, error_of, house, listener, post, running

STAGES = [make for make in ORDER if hasattr(make, "request") or hasattr(make, "requestheaders")]


def _breakable() -> list[tuple[int, str]]:
    hooks = ("requestheaders", "early_request", "request", "server_connect")
    return [(i, hook) for i, make in enumerate(ORDER) for hook in hooks if hasattr(make, hook)]


def _raise(_data: object) -> None:
    raise RuntimeError("broken on purpose")


def _raise_later(_data: object) -> Awaitable[None]:
    async def later() -> None:
        raise RuntimeError("broken on purpose")

    return later()


def _cancelled(_data: object) -> None:
    raise KeyError("broken on purpose")


@pytest.mark.parametrize("fail", [_raise, _raise_later, _cancelled])
@pytest.mark.parametrize(("stage", "hook"), _breakable())
def test_every_stage_that_raises_shuts_the_way(
    stage: int, hook: str, fail: Callable[[object], Any]
) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        setattr(this.suite.stages_in_order[stage], hook, fail)
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 502 ")), answer
    error_of(answer)
    assert (origin.received, len(origin.requests)) == (b"", 0)


@pytest.mark.parametrize("stage", [i for i, make in enumerate(ORDER) if make in STAGES])
def test_every_stage_that_is_missing_shuts_the_way(stage: int) -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        order = this.suite.stages_in_order
        this.suite.stages_in_order = order[:stage] + order[stage + 1 :]
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    if stage == len(ORDER) - 1:
        # Without exit as a stage the wire still asks it; the launcher refuses to start so.
        assert answer.startswith(b"HTTP/1.1 200 ")
    else:
        assert answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 451 ")), answer
        assert origin.received == b""


@pytest.mark.parametrize("fail", [_raise, _raise_later, _cancelled])
@pytest.mark.parametrize(
    ("stage", "hook"),
    [
        (stage, hook)
        for stage in (Redaction, Recording)
        for hook in ("responseheaders", "early_response", "response")
        if hasattr(stage, hook)
    ],
)
def test_an_answer_that_cannot_be_looked_at_is_not_passed_on(
    tmp_path: Path, stage: type, hook: str, fail: Callable[[object], Any]
) -> None:
    with Origin(OK) as origin, screens(tmp_path / "state") as ours:
        this = house(listener(origin.port), screens=ours)
        broken = next(s for s in this.suite.stages_in_order if isinstance(s, stage))
        setattr(broken, hook, fail)
        with running(this) as proxy:
            answer = proxy.request("claude", post())
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"hello" not in answer


@pytest.mark.parametrize("hook", ["responseheaders", "early_response"])
def test_redaction_that_is_missing_on_the_way_back_lets_nothing_through(
    tmp_path: Path, hook: str
) -> None:
    with Origin(OK) as origin, screens(tmp_path / "state") as ours:
        this = house(listener(origin.port), screens=ours)
        redaction = next(s for s in this.suite.stages_in_order if isinstance(s, Redaction))
        setattr(redaction, hook, lambda _flow: None)
        with running(this) as proxy:
            answer = proxy.request("claude", post())
        assert this.suite.open_exchanges == 0
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"hello" not in answer


def test_several_listeners_in_one_process() -> None:
    with Origin(OK) as first, Origin(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2") as second:
        this = house(listener(first.port), listener(second.port, name="tickets", speaks="http"))
        with running(this, "claude", "tickets") as proxy:
            assert proxy.request("claude", post()).endswith(ANSWER)
            assert proxy.request("tickets", post(path="/any")).endswith(b"2")
            refused = proxy.request("tickets", post(token=None))
    assert b"content-type: application/problem+json" in refused
    assert (len(first.requests), len(second.requests)) == (1, 1)
