"""Legal holds: their file, their events, and what they cover."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.evidence import holds
from proctor.evidence.holds import ADDED, RELEASED, Hold, Subject

ONE = Hold(name="one", subject=Subject(session="s"), reason="", by="root", at="2026")
TWO = Hold(name="two", subject=Subject(), reason="why", by="root", at="2026")


@pytest.mark.parametrize(
    ("subject", "fits"),
    [
        (Subject(), True),
        (Subject(principal="i#alice"), True),
        (Subject(session="s"), True),
        (Subject(principal="i#alice", session="s"), True),
        (Subject(principal="i#alic"), False),
        (Subject(principal="i#alice", session="t"), False),
    ],
)
def test_whom_a_subject_fits(subject: Subject, fits: bool) -> None:  # noqa: FBT001 - a table
    assert subject.fits("i#alice", "s") is fits
    assert subject.meets(Subject(principal="i#alice", session="s")) is fits


def test_what_can_be_both() -> None:
    alice, run = Subject(principal="i#alice"), Subject(session="s")
    assert alice.meets(run)
    assert run.meets(alice)
    assert not alice.meets(Subject(principal="i#bob", session="s"))


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert holds.read(tmp_path) == {}
    holds.write(tmp_path, [TWO, ONE])
    assert holds.read(tmp_path) == {"one": ONE, "two": TWO}
    assert (tmp_path / holds.FILE).stat().st_mode & 0o777 == 0o600


def test_the_file_cut_anywhere_or_changed_is_an_error(tmp_path: Path) -> None:
    holds.write(tmp_path, [ONE])
    data = (tmp_path / holds.FILE).read_bytes()
    for size in range(len(data) - 2):
        (tmp_path / holds.FILE).write_bytes(data[:size])
        with pytest.raises(InternalError) as caught:
            holds.read(tmp_path)
        assert caught.value.code == "holds-unreadable"


@given(found=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_no_file_of_holds(tmp_path_factory: pytest.TempPathFactory, found: Any) -> None:
    folder = tmp_path_factory.mktemp("holds")
    (folder / holds.FILE).write_text(json.dumps({"holds": [found]}))
    with pytest.raises(InternalError):
        holds.read(folder)


def test_the_events_tell_what_is_in_force() -> None:
    said = [(ADDED, ONE.as_json()), (ADDED, TWO.as_json()), (RELEASED, ONE.as_json())]
    assert holds.told(said) == {"two": TWO}
    assert holds.told([(ADDED, {**ONE.as_json(), "more": 1})]) == {"one": ONE}
    with pytest.raises(InternalError):
        holds.told([(ADDED, {"name": "x"})])


def test_a_file_that_is_older_than_the_events_is_not_gone_by() -> None:
    assert holds.in_force({"one": ONE, "two": TWO}, {"two": TWO}) == (ONE, TWO)
    changed = Hold(name="two", subject=Subject(session="s"), reason="why", by="root", at="2026")
    for filed in ({}, {"one": ONE}, {"two": changed}):
        with pytest.raises(InternalError) as caught:
            holds.in_force(filed, {"two": TWO})
        assert caught.value.code == "holds-behind"


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "a" * 64, "ä", "a\n"])
def test_names(name: str) -> None:
    with pytest.raises(ClientError):
        holds.checked_name(name)


def test_its_stamp_is_another_whenever_the_file_is(tmp_path: Path) -> None:
    seen = [holds.stamp(tmp_path)]
    for each in ([], [ONE], [], [TWO]):
        holds.write(tmp_path, each)
        seen.append(holds.stamp(tmp_path))
    assert len(set(seen)) == len(seen)
    assert seen[-1] == holds.stamp(tmp_path)
