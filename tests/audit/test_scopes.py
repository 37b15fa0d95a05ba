"""Which scope content belongs to."""

import json
from datetime import timedelta

import pytest

from proctor.audit import scopes
from proctor.audit.content import BIRTH, BLOCK
from proctor.audit.scopes import Scopes, born_at
from proctor.model import Session
from tests.support.envelopes import ALICE, BOB, START, run


class Stand:
    """Scopes with a clock to turn and the lines they write."""

    def __init__(self) -> None:
        self.now = START.timestamp()
        self.lines: list[tuple[int, str]] = []
        self.scopes = Scopes(
            "w0", lambda sort, members: self.lines.append((sort, members)), lambda: self.now
        )


def test_one_for_each_principal_and_run() -> None:
    stand = Stand()
    later = Session(id="s1", client="", started=START + timedelta(hours=1))
    keys = [(ALICE, run()), (BOB, run()), (ALICE, run("s2")), (ALICE, later), (ALICE, None)]
    names = {stand.scopes.get(*key).id for key in keys}
    assert len(names) == 5
    assert {stand.scopes.get(*key).id for key in keys} == names


def test_its_birth_is_on_record() -> None:
    stand = Stand()
    scope = stand.scopes.get(ALICE, run())
    sort, members = stand.lines[0]
    birth = json.loads("{" + members + "}")
    assert sort == BIRTH
    assert birth["scope"] == scope.id
    assert (birth["principal"], birth["session_id"]) == (ALICE, "s1")
    assert len(bytes.fromhex(birth["salt"])) == 32
    scope.put(b"x")
    assert [sort for sort, _ in stand.lines] == [BIRTH, BLOCK]


def test_names_sort_by_writer_and_birth() -> None:
    stand = Stand()
    names = []
    for number in range(5):
        stand.now += 0.01
        names.append(stand.scopes.get(ALICE, run(str(number))).id)
    assert names == sorted(names)
    assert all(name.startswith("w0.") for name in names)


def test_without_a_session_one_for_each_day() -> None:
    stand = Stand()
    first = stand.scopes.get(ALICE, None)
    stand.now += 24 * 3600
    assert stand.scopes.get(ALICE, None) is not first


def test_those_that_rest_are_dropped() -> None:
    stand = Stand()
    first = stand.scopes.get(ALICE, run())
    other = stand.scopes.get(BOB, run())
    stand.now += scopes.IDLE - 1
    assert stand.scopes.get(ALICE, run()) is first
    stand.now += 2
    assert stand.scopes.get(ALICE, run()) is first
    assert len(stand.scopes) == 1
    assert stand.scopes.get(BOB, run()) is not other


def test_there_are_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "MAX_SCOPES", 5)
    stand = Stand()
    for number in range(20):
        stand.now += 2
        stand.scopes.get(ALICE, run(str(number)))
        assert len(stand.scopes) <= 5


def test_nor_too_many_blocks_in_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scopes, "MAX_SEEN", 10)
    stand = Stand()
    for number in range(5):
        stand.now += 2
        scope = stand.scopes.get(ALICE, run(str(number)))
        for block in range(6):
            scope.put(b"%d" % block)
    stand.now += 2
    stand.scopes.get(ALICE, run("4"))
    assert len(stand.scopes) == 1


def test_what_is_erased_goes_on_elsewhere() -> None:
    stand = Stand()
    mine, hers = stand.scopes.get(ALICE, run()), stand.scopes.get(BOB, run())
    before = mine.put(b"typed" * 40)
    names = {mine.id, hers.id}
    assert stand.scopes.alive() == names
    stand.now += 1
    assert stand.scopes.renew(lambda _name, principal, _: principal == ALICE) == [before.scope]
    assert mine.id not in names
    assert hers.id in names
    assert stand.scopes.get(ALICE, run()) is mine
    after = mine.put(b"typed" * 40)  # stored anew, and under another salt
    assert (after.scope, after.blocks) == (mine.id, "0")
    assert after.hash != before.hash
    assert born_at(mine.id) == int(stand.now * 1000)


def test_what_somebody_still_holds_is_alive() -> None:
    stand = Stand()
    held = stand.scopes.get(ALICE, run())
    name = stand.scopes.get(BOB, run()).id
    stand.now += scopes.IDLE + 1
    assert stand.scopes.alive() == {held.id}
    before = held.id
    assert name != before
    assert stand.scopes.renew(lambda _name, _principal, _session: True) == [before]
