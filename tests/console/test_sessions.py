"""The file of sessions: what is in it, who finds what, and its bounds."""

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.approval.model import ApprovalError, Role, Via
from proctor.approval.settings import RolesSettings
from proctor.console import sessions as subject
from proctor.console.sessions import FILE, Sessions
from proctor.errors import ConfigurationError
from proctor.identity.local import LOCAL
from proctor.settings import ConsoleSettings
from tests.approval.samples import ISSUER, reviewer

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
ROLES = RolesSettings.model_validate({"reviewer": {"groups": ("dba",)}})


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def add(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def make(folder: Path, clock: Clock, **settings: Any) -> Sessions:
    return Sessions(
        folder / "state", ConsoleSettings(**settings), ROLES, issuer=ISSUER, clock=clock
    )


def test_a_session_is_found_by_its_name_alone(tmp_path: Path) -> None:
    clock = Clock()
    with_ = make(tmp_path, clock)
    alice = replace(reviewer("alice", "alice@corp", groups=("dba", 'x,"y')), name="Älice")
    raw = with_.open(alice)
    found = with_.find(raw, Via.CONSOLE)
    assert found is not None
    assert found.reviewer.subject == "alice"
    assert found.reviewer.human == "alice@corp"
    assert found.reviewer.name == "Älice"
    assert found.reviewer.groups == ("dba", 'x,"y')
    assert found.reviewer.roles == {Role.REVIEWER}
    assert found.ends_at == START + timedelta(hours=8)
    for other in ("", raw[:-1], raw + "x", raw.swapcase(), "\ud800"):
        assert with_.find(other, Via.CONSOLE) is None
    assert with_.find(raw, Via.CLI) is None
    assert with_.end(raw)
    assert not with_.end(raw)
    assert with_.find(raw, Via.CONSOLE) is None
    with_.close()


def test_the_file_holds_no_name_and_is_ours_alone(tmp_path: Path) -> None:
    with_ = make(tmp_path, Clock())
    raw = with_.open(reviewer("alice", via=Via.CLI))
    code = with_.put("cli", {"a": 1}, seconds=60)
    assert raw.startswith("pct_")
    for path in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        content = path.read_bytes()
        assert raw.encode() not in content
        assert raw[4:].encode() not in content
        assert code.encode() not in content
    with_.close()


def test_a_file_others_can_read_is_not_used(tmp_path: Path) -> None:
    make(tmp_path, Clock()).close()
    (tmp_path / "state" / FILE).chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        make(tmp_path, Clock())
    assert caught.value.code == "open-to-others"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    make(tmp_path, Clock()).close()
    (tmp_path / "state" / FILE).write_bytes(b"something else entirely, and long enough" * 100)
    with pytest.raises(ApprovalError) as caught:
        make(tmp_path, Clock())
    assert (caught.value.code, caught.value.status) == ("approvals-unavailable", 503)


def test_a_store_that_fails_signs_nobody_in(tmp_path: Path) -> None:
    with_ = make(tmp_path, Clock())
    raw = with_.open(reviewer("alice"))
    with_.close()
    with pytest.raises(ApprovalError):
        with_.find(raw, Via.CONSOLE)


def test_gateways_share_sessions(tmp_path: Path) -> None:
    clock = Clock()
    one, two = make(tmp_path, clock), make(tmp_path, clock)
    raw = one.open(reviewer("alice"))
    assert two.find(raw, Via.CONSOLE) is not None
    state = one.put("signin", {"nonce": "n"}, seconds=60)
    assert two.take("signin", state) == {"nonce": "n"}
    assert one.take("signin", state) is None
    two.end(raw)
    assert one.find(raw, Via.CONSOLE) is None
    one.close()
    two.close()


def test_ends(tmp_path: Path) -> None:
    clock = Clock()
    with_ = make(tmp_path, clock, idle=600.0, max_age=3600.0)
    page, cli = with_.open(reviewer("alice")), with_.open(reviewer("alice", via=Via.CLI))
    clock.add(601)
    assert with_.find(page, Via.CONSOLE) is None
    assert with_.find(cli, Via.CLI) is not None
    clock.add(3000)
    assert with_.find(cli, Via.CLI) is None
    # One whose sign-in was long ago when it was opened lasts no longer for that.
    late = with_.open(reviewer("bob", signed_in_at=clock.now - timedelta(seconds=3500)))
    clock.add(101)
    assert with_.find(late, Via.CONSOLE) is None
    with_.close()


def test_only_people_of_the_issuer_in_force_are_signed_in(tmp_path: Path) -> None:
    # Else whoever can read the local key would decide in earnest, once they had under --dev.
    clock = Clock()

    def opened(issuer: str | None, *, dev: bool) -> Sessions:
        return Sessions(
            tmp_path / "state", ConsoleSettings(), ROLES, issuer=issuer, clock=clock, dev=dev
        )

    trying = opened(LOCAL, dev=True)
    raw = trying.open(replace(reviewer("alice"), issuer=LOCAL))
    cli = trying.open(replace(reviewer("alice"), issuer=LOCAL, via=Via.CLI))
    old = trying.open(reviewer("bob"))
    assert trying.find(raw, Via.CONSOLE)
    assert trying.find(cli, Via.CLI)
    assert trying.find(old, Via.CONSOLE) is None
    for issuer in (LOCAL, ISSUER, None):
        earnest = opened(issuer, dev=False)
        assert earnest.find(raw, Via.CONSOLE) is None
        assert earnest.find(cli, Via.CLI) is None
        assert earnest.reviewer_of_subject("alice") is None
        assert (earnest.find(old, Via.CONSOLE) is not None) is (issuer == ISSUER)
        earnest.close()
    trying.close()


def test_a_shorter_max_age_counts_for_what_is_there(tmp_path: Path) -> None:
    clock = Clock()
    with_ = make(tmp_path, clock)
    raw = with_.open(reviewer("alice"))
    with_.close()
    clock.add(700)
    again = make(tmp_path, clock, max_age=600.0)
    assert again.find(raw, Via.CONSOLE) is None
    assert again.reviewer_of_subject("alice") is None
    again.close()


def test_what_is_good_once(tmp_path: Path) -> None:
    clock = Clock()
    with_ = make(tmp_path, clock)
    name = with_.put("cli", {"a": [1]}, seconds=60)
    assert with_.take("signin", name) is None
    assert with_.take("cli", "other") is None
    assert with_.take("cli", name) == {"a": [1]}
    assert with_.take("cli", name) is None
    old = with_.put("cli", {}, seconds=60)
    clock.add(60)
    assert with_.take("cli", old) is None
    assert with_.put("cli", {}, seconds=60, raw="chosen") == "chosen"
    with_.close()


def test_who_is_in_the_console_now(tmp_path: Path) -> None:
    clock = Clock()
    with_ = make(tmp_path, clock, idle=600.0)
    assert with_.reviewer_of_subject("alice") is None
    with_.open(reviewer("alice", via=Via.CLI))
    with_.open(reviewer("alice", issuer="local"))
    assert with_.reviewer_of_subject("alice") is None
    raw = with_.open(reviewer("alice"))
    found = with_.reviewer_of_subject("alice")
    assert found is not None
    assert found.via is Via.SLACK
    assert found.roles == {Role.REVIEWER}
    clock.add(601)
    assert with_.reviewer_of_subject("alice") is None
    with_.end(raw)
    with_.close()


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "_EACH", 3)
    monkeypatch.setattr(subject, "_PEOPLE", 5)
    monkeypatch.setattr(subject, "_ONCE", 4)
    clock = Clock()
    with_ = make(tmp_path, clock)

    def open_(name: str) -> str:
        clock.add(1)
        return with_.open(reviewer(name))

    alices = [open_("alice") for _ in range(5)]
    assert [with_.find(raw, Via.CONSOLE) is not None for raw in alices] == [
        False, False, True, True, True,
    ]  # fmt: skip
    for name in ("bob", "carol", "dave"):
        open_(name)
    assert with_.find(alices[2], Via.CONSOLE) is None
    assert with_.find(alices[3], Via.CONSOLE) is not None
    codes = []
    for _ in range(6):
        clock.add(1)
        codes.append(with_.put("cli", {}, seconds=60))
    assert [with_.take("cli", code) is not None for code in codes] == [False] * 2 + [True] * 4
    db = sqlite3.connect(tmp_path / "state" / FILE)
    assert db.execute("SELECT count(*) FROM sessions").fetchone() == (5,)
    db.close()
    with_.close()
