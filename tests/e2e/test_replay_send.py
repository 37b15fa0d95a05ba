"""Recorded requests, sent again: nothing leaves before another human has said yes to exactly it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.held import Answer, House, eventually, fresh, housed, well
from tests.support.recorded import answer, text
from tests.support.scripted import Conversation

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PATH = "/v1/messages?beta=true"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("resent") / "house") as made:
        yield made
        well(made)


@pytest.fixture
def session(house: House) -> str:
    """A session of alice's with two turns, and an upstream that answers otherwise ever since."""
    name = str(uuid.uuid4())
    house.model.reset(saying("as then"))
    for words in ("one", "two"):
        said = house.send(PATH, body=asked(words), listener="model", X_Claude_Code_Session_Id=name)
        assert said.status_code == 200, said.text
    house.model.reset(saying("as now"))
    return name


def asked(words: str) -> bytes:
    message = {"role": "user", "content": words}
    return json.dumps({"model": "m", "max_tokens": 9, "messages": [message]}).encode()


def saying(words: str) -> Any:
    def script(conversation: Conversation) -> None:
        body = answer(text(words))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        while True:
            conversation.request()
            conversation.send(head.encode() + b"\r\n\r\n" + body)

    return script


def carol(house: House) -> str:
    return house.person("carol", "admins", "reviewers")


def start(house: House, name: str, token: str = "", **more: Any) -> Answer:
    body = {"session": name, "to": "model", "reason": "Is it still so?"} | more
    return house.api("POST", "replays", token or carol(house), body)


def ended(house: House, name: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = house.api("GET", f"replays/{name}", carol(house)).body
        return found if found["stage"] not in {"waiting", "sending"} else None

    return eventually(look)


def bodies(house: House) -> list[bytes]:
    return [request.partition(b"\r\n\r\n")[2] for request in house.model.requests]


def test_another_human_says_yes_and_answers_are_compared(house: House, session: str) -> None:
    job = start(house, session).body
    assert (job["stage"], job["requests"], job["to"]) == ("waiting", 2, "model")
    found = house.get(job["id"])
    assert (found["digest"], found["subject"]) == (job["digest"], "carol")
    shown = json.dumps(found["card"])
    assert session in shown
    assert job["digest"] in shown
    assert house.vote(job["id"], carol(house)).code == "approval-not-yours"
    assert bodies(house) == []
    assert house.vote(job["id"], house.person("bob")).body["state"] == "approved"
    done = ended(house, job["id"])
    assert (done["stage"], done["problem"]) == ("done", "")
    assert bodies(house) == [asked("one"), asked("two")]
    first, second = done["results"]
    assert (first["turn"], first["differs"], second["turn"]) == (1, ["text"], 2)
    assert first["diff"][-2:] == ["-as then", "+as now"]
    # It is a session of its own, whose name says what it is of.
    assert done["recorded_as"].endswith(f"-of-{session}")
    sessions = house.query("select session_id || ' ' || subject as who from sessions", "who")
    assert f"{done['recorded_as']} carol" in sessions
    events = house.query("select detail from events where kind like 'replay.%'", "detail")
    assert sum(job["id"] in detail for detail in events) == 2
    assert house.get(job["id"])["state"] == "used"


def test_an_approval_is_for_one_time_and_one_plan(house: House, session: str) -> None:
    job = start(house, session, first=1, last=1).body
    again = start(house, session, first=1, last=1).body
    assert again["id"] == job["id"]  # the same, asked for twice, is asked once
    for other in (
        start(house, session, first=2, last=2),
        start(house, session, to="unseen", first=1, last=1),
        start(house, session, first=1, last=1, betas="x-1"),
    ):
        assert other.body["id"] != job["id"]
    assert house.vote(job["id"], house.person("bob")).status == 200
    assert ended(house, job["id"])["stage"] == "done"
    assert bodies(house) == [asked("one")]
    assert house.vote(job["id"], house.person("bob")).code == "approval-state"
    fresh = start(house, session, first=1, last=1).body
    assert fresh["id"] != job["id"]
    assert fresh["stage"] == "waiting"
    assert bodies(house) == [asked("one")]


def test_to_a_url_nothing_of_the_gateway_s_is_put_in(house: House, session: str) -> None:
    url = f"http://127.0.0.1:{house.model.port}/base"
    job = start(house, session, to=url).body
    assert (job["stage"], job["to"], job["upstream"]) == ("waiting", url, url)
    shown = json.dumps(house.get(job["id"])["card"])
    assert f"{url}, through no listener" in shown
    assert bodies(house) == []
    assert house.vote(job["id"], house.person("bob")).body["state"] == "approved"
    done = ended(house, job["id"])
    assert (done["stage"], [each["differs"] for each in done["results"]]) == (
        "done", [["text"], ["text"]],
    )  # fmt: skip
    for request in house.model.requests:
        assert request.startswith(b"POST /base/v1/messages?beta=true HTTP/1.1\r\n")
        head = request.partition(b"\r\n\r\n")[0].lower()
        assert b"authorization" not in head
        assert session.encode() not in head
    assert bodies(house) == [asked("one"), asked("two")]


def test_what_was_asked_of_an_api_is_held_by_the_rules_again(house: House) -> None:
    name, path = str(uuid.uuid4()), f"{fresh()}?x=1"
    waiting = house.sending(
        path, body=b'{"n":1}', X_Claude_Code_Session_Id=name, content_type="application/json"
    )
    bare = path.partition("?")[0]
    assert house.vote(house.held(bare)["id"], house.person("bob")).status == 200
    assert waiting.result().status_code == 200
    before = house.reached(path)
    url = f"http://127.0.0.1:{house.things.port}"
    body = {"session": name, "to": url, "from": "things"}
    nowhere = house.api("POST", "replays", carol(house), body | {"to": f"{url}/elsewhere"})
    assert (nowhere.status, nowhere.code) == (451, "policy-denied")  # no rule allows that path
    job = house.api("POST", "replays", carol(house), body).body
    assert job["stage"] == "waiting", job
    found = house.get(job["id"])
    assert [each["rule_id"] for each in found["terms"]] == ["replay", "held"]
    assert house.reached(path) == before
    assert house.vote(job["id"], house.person("bob")).body["state"] == "approved"
    done = ended(house, job["id"])
    (result,) = done["results"]
    assert (done["stage"], result["method"], result["path"], result["differs"]) == (
        "done", "POST", path, [],
    )  # fmt: skip
    assert house.reached(path) == before + 1
    assert house.things.requests[-1].endswith(b'\r\n\r\n{"n":1}')
    # Through a listener, the listener holds it: carol's own request, for somebody else to approve.
    job = house.api("POST", "replays", carol(house), {"session": name, "to": "things"}).body
    assert house.vote(job["id"], house.person("bob")).body["state"] == "approved"
    held = house.held(bare, beside=(job["id"],))
    assert held["subject"] == "carol"
    assert house.vote(held["id"], house.person("bob")).status == 200
    assert ended(house, job["id"])["stage"] == "done"
    assert house.reached(path) == before + 2


def test_no_is_no(house: House, session: str) -> None:
    job = start(house, session).body
    house.end(job["id"])
    done = ended(house, job["id"])
    assert (done["stage"], done["problem"]) == ("refused", "it was denied")
    assert bodies(house) == []


def test_it_can_be_cancelled_by_who_asked_and_is_not_approved_then(
    house: House, session: str
) -> None:
    job = start(house, session).body
    stranger = house.person("bob")
    assert house.api("GET", f"replays/{job['id']}", stranger).status == 404
    assert house.api("DELETE", f"replays/{job['id']}", stranger).status == 404
    done = house.api("DELETE", f"replays/{job['id']}", carol(house)).body
    assert done["stage"] == "cancelled"
    assert house.vote(job["id"], house.person("bob")).code == "approval-state"
    assert bodies(house) == []


def test_who_may_not_ask(house: House, session: str) -> None:
    assert start(house, session, house.agent()).status == 401
    assert start(house, session, house.person("bob")).code == "approval-role"
    assert start(house, session, house.person("eve", "nobody")).status == 403
    assert bodies(house) == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"to": "things"}, "replay-nothing"),  # nothing of this session came through it
        ({"to": "elsewhere"}, "replay-listener"),
        ({"to": "http://192.0.2.1"}, "replay-url"),
        ({"to": "https://169.254.169.254/latest"}, "replay-address"),
        ({"to": "https://127.0.0.1:1", "ca": "no"}, "replay-ca"),
        ({"to": "http://127.0.0.1:1", "credential": "key"}, "replay-credential"),
        ({"first": 5, "last": 9}, "replay-nothing"),
        ({"betas": "x\r\nx-api-key: y"}, "replay-betas"),
        ({"session": ""}, "body-invalid"),
        ({"session": "nope"}, "session-unknown"),
        ({"reason": "x" * 10_000}, "approval-reason"),
        ({"first": "1"}, "body-invalid"),
    ],
)
def test_what_cannot_be_asked_for(
    house: House, session: str, more: dict[str, Any], code: str
) -> None:
    found = start(house, session, **more)
    assert (found.status >= 400, found.code) == (True, code)
    assert bodies(house) == []


def test_a_replay_s_pass_is_nobody_else_s(house: House) -> None:
    said = house.send(PATH, body=asked("x"), listener="model", token="proctor-replay.guess")
    assert said.status_code == 401
