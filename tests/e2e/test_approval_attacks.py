"""Ways past the people who decide. What counts is what the upstream saw, and it saw nothing."""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from sqlite3 import connect
from typing import Any

import pytest

from proctor.approval.model import Approval, State
from proctor.approval.serial import decode, encode
from tests.support.held import RULES, House, eventually, fresh, housed, refused, well

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NOW: Callable[[], int] = lambda: int(time.time())  # noqa: E731 - in tables below
FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "alice")
UNSIGNED = {"alg": "none", "typ": "at+jwt"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with housed(tmp_path_factory.mktemp("attacks") / "house") as made:
        yield made
        well(made)


# Who decides.


def forged(house: House) -> str:
    """Bob's token, without a signature."""
    head, payload, _ = house.person().split(".")
    head = base64.urlsafe_b64encode(json.dumps(UNSIGNED).encode()).rstrip(b"=").decode()
    return f"{head}.{payload}."


NOBODY: dict[str, tuple[Callable[[House], str], int, str]] = {
    "the agent itself": (lambda h: h.agent(), 401, "token-audience"),
    "an agent in the group": (
        lambda h: h.issuer.token("bot", groups=["reviewers"]), 401, "token-audience"),
    "an agent with a time of sign-in": (
        lambda h: h.issuer.token("bot", groups=["reviewers"], auth_time=NOW()),
        401, "token-audience"),
    "a token for both": (
        lambda h: h.person(audience=["proctor", "proctor-console"]), 401, "token-audience"),
    "a machine": (lambda h: h.person(auth_time=None), 401, "signin-auth-time"),
    "a sign-in of last week": (
        lambda h: h.person(auth_time=NOW() - 7 * 86400), 401, "signin-too-old"),
    "a sign-in of tomorrow": (lambda h: h.person(auth_time=NOW() + 86400), 401, "signin-claims"),
    "the local issuer": (lambda h: h.local("bob", "reviewers"), 401, "signin-local"),
    "no signature": (forged, 401, "token-algorithm"),
    "no token": (lambda _: "pct_made-up", 401, "signin-ended"),
    "no role": (lambda h: h.person("bob", "dev"), 403, "approval-role"),
    "an admin who is no reviewer": (lambda h: h.person("bob", "admins"), 403, "approval-role"),
    "another group": (lambda h: h.person("bob", "others"), 403, "approval-group"),
    "whoever asked": (lambda h: h.person("alice"), 403, "approval-not-yours"),
    "in capitals": (lambda h: h.person("ALICE"), 403, "approval-not-yours"),
    "in full width": (lambda h: h.person(FULL_WIDTH), 403, "approval-not-yours"),
    "another account of theirs": (
        lambda h: h.person("account-7", person="alice"), 403, "approval-not-yours"),
}  # fmt: skip


@pytest.mark.parametrize("who", NOBODY)
def test_who_decides_nothing(house: House, who: str) -> None:
    token, status, code = NOBODY[who]
    path = fresh()
    waiting = house.sending(path)
    name = house.held(path)["id"]
    for word in ("approve", "deny"):
        said = house.vote(name, token(house), word)
        assert (said.status, said.code) == (status, code), said.body
    found = house.get(name)
    assert (found["state"], found["votes"]) == ("pending", [])
    house.end(name)
    assert refused(waiting.result(), "approval-denied")
    assert house.reached(path) == 0


def test_the_human_behind_the_bot_that_asks(house: House) -> None:
    path = fresh()
    waiting = house.sending(path, token=house.agent("bot-1", person="bob"))
    name = house.held(path)["id"]
    for token in (house.person("bob"), house.person("x", person="Bob"), house.person("bot-1")):
        assert house.vote(name, token).code == "approval-not-yours"
    house.end(name)
    assert refused(waiting.result(), "approval-denied")
    assert house.reached(path) == 0


def test_one_human_with_two_issuers_is_one(house: House) -> None:
    path = fresh("/two/")
    waiting = house.sending(path)
    name = house.held(path)["id"]
    assert house.vote(name, house.person("bob")).body["state"] == "pending"
    # Under --dev the local issuer's tokens decide, too.
    for token in (
        house.local("bob", "reviewers"),
        house.person("bob"),
        house.person("account-9", person="BOB"),
    ):
        said = house.vote(name, token, gateway=house.dev)
        assert (said.status, said.code) == (409, "approval-twice")
    assert house.reached(path) == 0
    assert house.vote(name, house.person("carol")).body["state"] == "approved"
    assert waiting.result().status_code == 200
    assert house.reached(path) == 1


def test_without_the_role_no_glass_breaks(house: House) -> None:
    path = fresh("/two/")
    waiting = house.sending(path)
    name = house.held(path)["id"]
    said = house.vote(name, house.person("bob"), break_glass=True)
    assert (said.status, said.code) == (403, "approval-role")
    said = house.vote(name, house.person("frank", "firefighters"), break_glass=True, reason="")
    assert (said.status, said.code) == (400, "approval-reason")
    said = house.vote(name, house.person("alice", "firefighters"), break_glass=True)
    assert (said.status, said.code) == (403, "approval-not-yours")
    assert house.get(name)["state"] == "pending"
    house.end(name)
    assert refused(waiting.result(), "approval-denied")
    assert house.reached(path) == 0


@pytest.mark.parametrize(
    ("prefix", "asked"),
    [
        ("/held/", {"grant_for": "1m"}),  # the rule allows none
        ("/granted/", {"grant_for": "11m"}),
        ("/granted/", {"grant_for": "5m", "pattern": "*"}),
        ("/granted/", {"grant_for": "5m", "pattern": "POST http://*"}),
    ],
)
def test_a_grant_that_is_wider_than_the_rule(
    house: House, prefix: str, asked: dict[str, Any]
) -> None:
    path = fresh(prefix)
    waiting = house.sending(path)
    name = house.held(path)["id"]
    said = house.vote(name, house.person(), **asked)
    assert (said.status, said.code) == (403, "grant-too-wide"), said.body
    assert house.get(name)["state"] == "pending"
    house.end(name)
    assert refused(waiting.result(), "approval-denied")
    assert house.reached(path) == 0


@pytest.mark.parametrize("who", [("bob", "reviewers"), ("alice", "dev"), ("f", "firefighters")])
def test_who_does_not_kill(house: House, who: tuple[str, str]) -> None:
    asked = {"scope": "all", "target": "", "reason": "mine"}
    for gateway in (house.earnest, house.dev):
        said = house.api("POST", "kills", house.person(*who), asked, gateway)
        assert (said.status, said.code) == (403, "approval-role")
    assert house.api("POST", "kills", house.agent(), asked).status == 401
    assert house.api("GET", "kills", house.person("dave", "admins")).body["kills"] == []


# What was approved.


def approved(house: House, path: str, **how: Any) -> str:
    """An approval that is given after nobody could wait any longer."""
    waiting = house.sending(path, prefer="wait=1", **how)
    name: str = house.held(path)["id"]
    assert refused(waiting.result(), "approval-pending")
    assert house.vote(name, house.person()).status == 200
    assert house.get(name)["waiting"] is False
    return name


def test_an_approval_is_used_once(house: House) -> None:
    path = fresh()
    name = approved(house, path)
    again = [house.sending(path, gateway=each) for each in (house.earnest, house.dev) * 3]
    fresh_name = house.held(path)["id"]
    assert fresh_name != name
    house.end(fresh_name)
    # Whoever was second by a moment hears that it is used, the others that theirs was denied.
    codes = sorted(each.result().status_code for each in again)
    assert codes[0] == 200
    assert set(codes[1:]) <= {409, 451}
    assert house.reached(path) == 1
    assert house.get(name)["state"] == "used"


CHANGES: dict[str, dict[str, Any]] = {
    "one byte": {"body": b"{ }"},
    "one more": {"body": b"{}\n"},
    "none": {"body": b""},
    "a query": {"path": "?x=1"},
    "a slash": {"path": "/"},
    "a method": {"method": "PUT"},
    "a header": {"x_target": "production"},
    "a header's value": {"x_kind": "b"},
    "a type": {"content_type": "application/xml"},
    "another's": {"subject": "mallory"},
    "a listener": {"listener": "aside"},
    "a session": {"x_claude_code_session_id": "another"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_request_is_another(house: House, change: str) -> None:
    how = dict(CHANGES[change])
    token = house.agent(how.pop("subject", "alice"))
    path = fresh()
    base: dict[str, Any] = {"x_kind": "a", "content_type": "application/json"}
    name = approved(house, path, **base)
    other = path + how.pop("path", "")
    waiting = house.sending(other, token=token, **base | how)
    second = house.held(path)["id"]
    assert second != name
    assert house.reached(path) == house.reached(other) == 0
    house.end(second)
    assert refused(waiting.result(), "approval-denied")
    assert house.reached(path) == house.reached(other) == 0
    # The same passes.
    assert house.send(path, **base).status_code == 200
    assert house.reached(path) == 1
    assert house.get(name)["state"] == "used"


def test_after_its_end_an_approval_lets_nothing_pass(house: House) -> None:
    path = fresh("/short/")
    name = approved(house, path)
    eventually(lambda: house.get(name)["state"] == "expired" or None)
    waiting = house.send(path)
    assert refused(waiting, "approval-pending")
    assert name not in waiting.text
    assert house.reached(path) == 0


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("then: hold\n    approval: {from: [reviewers], wait", "then: deny #", "policy-denied"),
        ("[reviewers], wait: 30s, ttl: 10m}", "[others], wait: 1s, ttl: 10m}", "approval-pending"),
        ("], wait: 30s, ttl: 10m}", "], count: 2, wait: 1s, ttl: 10m}", "approval-pending"),
    ],
)
def test_rules_that_became_stricter(house: House, before: str, after: str, code: str) -> None:
    path, second = fresh(), fresh()
    given = approved(house, path)
    waiting = house.sending(second)
    name = house.held(second)["id"]
    try:
        house.rules(RULES.replace(before, after))
        assert refused(house.send(path), code)
        # What waits was asked for under the old rules; they are asked again once it is approved.
        assert house.vote(name, house.person()).body["state"] == "approved"
        assert refused(waiting.result(), "approval-void")
    finally:
        house.rules(RULES)
    assert house.get(name)["state"] == "cancelled"
    assert house.reached(path) == house.reached(second) == 0
    house.vote(given, house.person(), "deny")


# The store.


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("how", ["read", "write", "beside"])
def test_another_user_does_not_get_at_the_store(house: House, how: str) -> None:
    path = house.folder / "recordings" / "approvals.db"
    program = (
        "import os, sqlite3, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "path, how = sys.argv[1:]\n"
        "if how == 'read': open(path, 'rb').read(1)\n"
        "if how == 'write': sqlite3.connect(path).execute('DELETE FROM approvals')\n"
        "if how == 'beside': open(path + '-wal', 'r+b')\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, path, how],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "PermissionError" in done.stderr or "unable to open database" in done.stderr


def tampered(house: House, name: str, change: Callable[[Approval], Approval]) -> None:
    """What only proctor's own user, or root, can do."""
    path = house.folder / "recordings" / "approvals.db"
    with closing(connect(path, timeout=30)) as database, database:
        (data,) = database.execute("SELECT data FROM approvals WHERE id = ?", (name,)).fetchone()
        found = change(decode(Approval, data))
        database.execute(
            "UPDATE approvals SET data = ?, state = ? WHERE id = ?",
            (encode(found), found.state.value, name),
        )


def test_a_flipped_approval_is_none_without_votes(house: House) -> None:
    # Who can write the store can also forge votes; but a state by itself is no leave.
    path = fresh()
    waiting = house.sending(path, prefer="wait=1")
    name = house.held(path)["id"]
    assert refused(waiting.result(), "approval-pending")
    tampered(house, name, lambda found: replace(found, state=State.APPROVED, by="x#bob"))
    assert refused(house.send(path), "approval-state")
    assert house.reached(path) == 0
    house.end(name)


def test_a_vote_of_whoever_asked_counts_for_nothing_even_in_the_store(house: House) -> None:
    path = fresh()
    name = approved(house, path)

    def own(found: Approval) -> Approval:
        (vote,) = found.votes
        return replace(found, votes=(replace(vote, identities=frozenset({"alice"})),))

    tampered(house, name, own)
    assert refused(house.send(path), "approval-state")
    assert house.reached(path) == 0
    house.end(name)
