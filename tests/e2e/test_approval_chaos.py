"""Gateways that die while actions are held: nothing is lost, doubled or sent without approval."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest

from proctor.testing.gateway import Gateway, running
from tests.support.held import House, eventually, fresh, housed
from tests.support.installation import CACHE, REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROUNDS = 40
CHAOS = REPOSITORY / "scripts" / "bench" / "chaos.py"


def test_nothing_is_lost_doubled_or_sent_without_approval() -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    done = subprocess.run(
        [sys.executable, CHAOS, f"--rounds={ROUNDS}", f"--seed={seed}", "--cache", CACHE],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert sum(found["did"].values()) == ROUNDS
    assert found["arrived"] >= 8  # those that waited when every gateway was killed, at least
    assert found["decisions"] >= found["arrived"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("chaos") / "house") as made:
        yield made


@pytest.fixture
def third(house: House) -> Iterator[Gateway]:
    """One more gateway on the same store, to be ended."""
    with running(house.more(), env={}) as gateway:
        yield gateway


@pytest.mark.parametrize("end", [Gateway.terminate, Gateway.kill])
def test_what_is_held_outlives_its_gateway(
    house: House, third: Gateway, end: Callable[[Gateway], None]
) -> None:
    path = fresh()
    waiting = house.sending(path, gateway=third)
    name = house.held(path)["id"]
    end(third)
    if end is Gateway.terminate:
        answer = waiting.result()
        assert answer.status_code == 451
        assert answer.json()["code"] == "approval-pending"
        assert name in answer.text
        assert "stopped" in answer.text
        eventually(lambda: house.get(name)["waiting"] is False or None)
        assert third.wait() == 0
    else:
        with pytest.raises(httpx.TransportError):
            waiting.result()
    assert house.get(name)["state"] == "pending"
    assert house.reached(path) == 0
    # Another gateway takes the decision, and the retry.
    assert house.vote(name, house.person()).body["state"] == "approved"
    assert house.send(path).status_code == 200
    assert house.get(name)["state"] == "used"
    assert house.reached(path) == 1


def test_a_decision_of_one_gateway_reaches_another(house: House) -> None:
    path = fresh()
    waiting = house.sending(path, gateway=house.dev)
    name = house.held(path)["id"]
    assert house.vote(name, house.person()).status == 200  # asked of the other
    assert waiting.result().status_code == 200
    assert house.reached(path) == 1


def test_what_a_dead_gateway_decided_is_put_on_record_by_another(
    house: House, third: Gateway
) -> None:
    path = fresh()
    waiting = house.sending(path, gateway=third)
    name = house.held(path)["id"]
    assert house.vote(name, house.person(), gateway=third).status == 200
    third.kill()
    # It died at any moment: then nothing, or all of it, has happened.
    try:
        assert waiting.result().status_code == 200
    except httpx.TransportError:
        assert house.reached(path) <= 1
    sql = f"select distinct state from approvals where approval_id = '{name}'"  # noqa: S608 - ours
    expected = {"pending", "approved", *(["used"] if house.reached(path) else [])}
    eventually(lambda: expected <= house.query(sql, "state") or None, 40)
