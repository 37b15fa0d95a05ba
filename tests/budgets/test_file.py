"""The file that processes share."""

import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proctor.budgets.file import KEEP, NAME, BudgetFile, forget
from proctor.budgets.model import Pot
from proctor.errors import ConfigurationError, InternalError

ALICE, BOB = "https://idp.example#alice", "https://idp.example#bob"
POT = Pot("daily", ALICE, 86_400, ALICE)
TEAM = Pot("team", "dev", 86_400, "")
NOW = 100_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "state" / NAME


@pytest.fixture
def file(path: Path) -> Iterator[BudgetFile]:
    with closing(BudgetFile(path)) as opened:
        yield opened


def test_what_all_add_is_summed(file: BudgetFile, path: Path) -> None:
    assert file.used(POT) == 0
    assert file.add({POT: 2.5, TEAM: 1}, {}, NOW) == {POT: 2.5, TEAM: 1}
    with closing(BudgetFile(path)) as other:
        assert other.add({POT: 1}, {}, NOW) == {POT: 3.5}
    assert file.used(POT) == 3.5
    assert dict(file.all()) == {POT: 3.5, TEAM: 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_people_are_counted_once_by_the_kind_of_which_most_were_seen(file: BudgetFile) -> None:
    mails = frozenset({("EMAIL_ADDRESS", "a"), ("EMAIL_ADDRESS", "b"), ("PERSON", "x")})
    assert file.add({}, {POT: mails}, NOW) == {POT: 2}
    names = frozenset({("PERSON", each) for each in "xyz"})
    assert file.add({}, {POT: names}, NOW) == {POT: 3}
    assert file.add({}, {POT: mails}, NOW) == {POT: 3}


def test_what_is_long_over_goes(file: BudgetFile) -> None:
    file.add({POT: 1}, {}, NOW)
    file.add({TEAM: 1}, {TEAM: frozenset({("PERSON", "x")})}, NOW + KEEP + 1)
    assert [pot for pot, _ in file.all()] == [TEAM]


def test_somebody_is_forgotten(file: BudgetFile, path: Path) -> None:
    run = Pot("run", f"{ALICE} s1", 0, ALICE)
    others = Pot("daily", BOB, 86_400, BOB)
    file.add({POT: 1, run: 1, others: 1, TEAM: 1}, {}, NOW)
    forget(path, ALICE)
    assert {pot for pot, _ in file.all()} == {others, TEAM}


def test_a_budget_begins_anew(file: BudgetFile) -> None:
    file.add({POT: 1, TEAM: 1}, {}, NOW)
    assert file.reset("daily", {BOB}) == 0
    assert file.reset("daily", {ALICE}) == 1
    assert file.used(POT) == 0
    assert file.used(TEAM) == 1


def test_names_may_be_anything(file: BudgetFile) -> None:
    odd = Pot("daily", "i#\ud800'\0;--", 0, "i#\ud800'\0;--")
    assert file.add({odd: 1}, {}, NOW) == {odd: 1}
    assert file.all() == [(odd, 1.0)]


def test_no_file_of_ours(path: Path) -> None:
    BudgetFile(path).close()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        BudgetFile(path)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(ConfigurationError):
        BudgetFile(path)


def test_a_file_that_is_open_to_others(path: Path) -> None:
    BudgetFile(path).close()
    path.chmod(0o644)
    with pytest.raises(ConfigurationError):
        BudgetFile(path)


def test_a_file_that_fails_is_an_error(path: Path) -> None:
    file = BudgetFile(path)
    file.close()
    with pytest.raises(InternalError) as raised:
        file.used(POT)
    assert raised.value.code == "budgets-unavailable"
    assert raised.value.__cause__ is None


def test_nothing_to_forget(tmp_path: Path) -> None:
    forget(tmp_path / NAME, ALICE)
    assert not (tmp_path / NAME).exists()
