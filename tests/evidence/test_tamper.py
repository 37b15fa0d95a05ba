"""Whatever is changed in a record is found; and where nothing was, nothing is."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.evidence.verify.verifier import Asked, Report, verify
from tests.support.changes import CHANGES
from tests.support.keyholder import HOLDERS, Past
from tests.support.tampering import make, trials

SEED = 20261122
# So late that every promise of another checkpoint has run out.
LATE = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("tampered")
    return Past(state=folder / "state", older=folder / "older", other=folder / "other")


@pytest.fixture(scope="module")
def record(past: Past) -> Path:
    return make(past.state.parent / "recordings", past.state, past=past)


def look(path: Path, *, full: bool = False) -> Report:
    return verify(Asked(record=path, now=LATE, full=full))


@pytest.mark.parametrize("full", [False, True])
def test_a_record_that_nobody_changed_is_whole(record: Path, *, full: bool) -> None:
    report = look(record, full=full)
    assert report.findings.codes() == set()
    assert {each.writer: each.records == each.proved for each in report.writers} == {
        "w0": True,
        "w1": True,
    }
    assert {each.key for each in report.writers} == {2}


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_every_kind_of_change_is_found(record: Path, tmp_path: Path, kind: str) -> None:
    for trial in trials(record, tmp_path / "copy", 1, SEED, kinds=[kind]):
        assert look(tmp_path / "copy").findings.problems, trial


@pytest.mark.parametrize("kind", sorted(HOLDERS))
def test_what_is_done_with_the_key_is_found(
    record: Path, past: Past, tmp_path: Path, kind: str
) -> None:
    key = past.key.public_key().public_bytes_raw()
    for each in (past.older, past.other):
        assert verify(Asked(record=each, key=key, now=LATE)).findings.codes() == set()
    copy = tmp_path / "copy"
    for trial in trials(record, copy, 1, SEED, kinds=[kind], past=past):
        found = verify(Asked(record=copy, key=key, kept=trial.kept, now=LATE)).findings.codes()
        assert (
            found
            & {
                "put an older copy of all back": {"rolled-back"},
                "write on an older copy of all": {"forked", "rolled-back"},
                "cut a writer back to where it once ended": {"rolled-back"},
                "a second history, signed with the key": {"forked"},
                "hide with the key that there was no gateway for a time": {"gap-in-time"},
            }[kind]
        ), trial


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_more_of_every_kind(record: Path, tmp_path: Path, *, full: bool) -> None:
    for trial in trials(record, tmp_path / "copy", 2 * len(CHANGES), SEED + 2):
        assert look(tmp_path / "copy", full=full).findings.problems, trial


@pytest.mark.slow
def test_bytes_anywhere(record: Path, tmp_path: Path) -> None:
    for trial in trials(record, tmp_path / "copy", 100, SEED + 1, kinds=["flip a byte"]):
        assert look(tmp_path / "copy").findings.problems, trial


def test_a_moved_copy_is_whole(record: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(record, copy)
    assert look(copy).findings.codes() == set()
