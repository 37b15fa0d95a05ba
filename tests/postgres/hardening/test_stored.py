"""What was done, on disk."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.postgres.hardening.model import Step, Wanted
from proctor.postgres.hardening.stored import Applied, Plans

WANTED = Wanted(listener="orders", database="../shop", role="a/b", schema="masked", columns=())
APPLIED = Applied(
    listener="orders",
    database="../shop",
    role="a/b",
    schema="masked",
    columns=(("public", "users", "email"),),
    at="2031-05-06T07:08:09+00:00",
    steps=(
        Step(what="one", sql=("A",), undo=("NOT A", "NOT AA")),
        Step(what="two", sql=("B",), undo=("NOT B",)),
    ),
    before={"table x": "r"},
    after={},
)


def test_kept_and_forgotten(tmp_path: Path) -> None:
    plans = Plans(tmp_path / "state")
    assert plans.load(WANTED) is None
    plans.keep(WANTED, APPLIED)
    assert plans.load(WANTED) == APPLIED
    path = plans.path(WANTED)
    assert path.parent == tmp_path / "state/postgres"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    plans.forget(WANTED)
    plans.forget(WANTED)
    assert plans.load(WANTED) is None


def test_the_last_is_undone_first() -> None:
    assert APPLIED.undo == ("NOT B", "NOT A", "NOT AA")


def test_one_that_others_can_write_is_not_run(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    plans.keep(WANTED, APPLIED)
    plans.path(WANTED).chmod(0o666)
    with pytest.raises(ConfigurationError) as caught:
        plans.load(WANTED)
    assert caught.value.code == "open-to-others"


def test_cut_at_every_byte(tmp_path: Path) -> None:
    plans = Plans(tmp_path)
    plans.keep(WANTED, APPLIED)
    path = plans.path(WANTED)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(ConfigurationError) as caught:
            plans.load(WANTED)
        assert caught.value.code == "harden-plan"


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_something_else_is_none(data: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Applied.of(data)
