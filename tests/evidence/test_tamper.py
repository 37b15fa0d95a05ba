"""Whatever is changed in a record is found; and where nothing was, nothing is."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.evidence.verify.verifier import Asked, Report, verify
from tests.support.tampering import CHANGES, make, trials

SEED = 20261122
# So late that every promise of another checkpoint has run out.
LATE = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tampered")
    return make(folder / "recordings", folder / "state")


def look(path: Path, *, quick: bool = False) -> Report:
    return verify(Asked(record=path, now=LATE, quick=quick))


@pytest.mark.parametrize("quick", [False, True])
def test_a_record_that_nobody_changed_is_whole(record: Path, *, quick: bool) -> None:
    report = look(record, quick=quick)
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


@pytest.mark.slow
@pytest.mark.parametrize("quick", [False, True])
def test_more_of_every_kind(record: Path, tmp_path: Path, *, quick: bool) -> None:
    for trial in trials(record, tmp_path / "copy", 2 * len(CHANGES), SEED + 2):
        assert look(tmp_path / "copy", quick=quick).findings.problems, trial


@pytest.mark.slow
def test_bytes_anywhere(record: Path, tmp_path: Path) -> None:
    for trial in trials(record, tmp_path / "copy", 100, SEED + 1, kinds=["flip a byte"]):
        assert look(tmp_path / "copy").findings.problems, trial


def test_a_moved_copy_is_whole(record: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(record, copy)
    assert look(copy).findings.codes() == set()
