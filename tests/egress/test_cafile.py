"""The file: made once, private, whole, and changed by steps only."""

import json
import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import proctor
from proctor.egress import cafile
from proctor.egress.certificates import CA_LIFE, Role
from proctor.egress.constraints import Constraints
from proctor.errors import ClientError, ConfigurationError, ProctorError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANY = Constraints()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = cafile.path_in(tmp_path)
    cafile.create(found, ANY, now=NOW, by="alice")
    return found


def roles(authorities: cafile.Authorities) -> list[str]:
    return [ca.role.value for ca in authorities.cas]


def code(error: pytest.ExceptionInfo[ProctorError]) -> str:
    return error.value.code


def test_create(path: Path) -> None:
    found = cafile.load(path)
    assert (roles(found), found.step, found.by) == (["signs"], "create", "alice")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert cafile.create(path, ANY, now=NOW, by="bob") == found


def test_two_processes_make_one(tmp_path: Path) -> None:
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path;"
        "from proctor.egress import cafile; from proctor.egress.constraints import Constraints;"
        "print(cafile.create(Path(sys.argv[1]), Constraints(), now=datetime.now(UTC), by='x')"
        ".signs.fingerprint)"
    )
    command = [sys.executable, "-c", program, str(cafile.path_in(tmp_path))]
    env = {"PYTHONPATH": str(Path(proctor.__file__).parents[1])}
    two = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(2)]
    first, second = (each.communicate(timeout=300)[0] for each in two)
    assert first == second
    assert len(first) == 65


def test_of_many_at_once_one_is_first(tmp_path: Path) -> None:
    path = cafile.path_in(tmp_path)
    barrier = threading.Barrier(8)

    def race(_: int) -> tuple[str, bool]:
        barrier.wait()
        made = cafile.create(path, ANY, now=NOW, by="x").signs.fingerprint
        barrier.wait()
        try:
            cafile.prepare(path, ANY, now=NOW, by="x")
        except ClientError:
            return made, False
        return made, True

    with ThreadPoolExecutor(barrier.parties) as pool:
        made, prepared = zip(*pool.map(race, range(barrier.parties)), strict=True)
    assert len(set(made)) == 1
    assert sum(prepared) == 1


def test_threads_that_create_rotate_and_read(tmp_path: Path) -> None:
    """Whoever reads sees a whole state, though what was before is blanked."""
    path = cafile.path_in(tmp_path)
    cafile.create(path, ANY, now=NOW, by="x")
    done = threading.Event()
    troubles: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                cafile.load(path)
            except ConfigurationError as error:
                troubles.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    for _ in range(10):
        cafile.prepare(path, ANY, now=NOW, by="x")
        cafile.switch(path, by="x")
        cafile.drop(path, None, by="x")
    done.set()
    for each in readers:
        each.join()
    assert not troubles


def test_a_rotation(path: Path) -> None:
    (first,) = cafile.load(path).cas
    prepared = cafile.prepare(path, Constraints.parse(["corp.example"]), now=NOW, by="bob")
    assert (roles(prepared), prepared.signs) == (["signs", "next"], first)
    assert str(prepared.cas[1].constraints) == "corp.example"
    switched = cafile.switch(path, by="bob")
    assert (roles(switched), switched.step, switched.by) == (["signs", "old"], "switch", "bob")
    assert [ca.id for ca in switched.cas] == [prepared.cas[1].id, first.id]
    assert len(switched.trusted(NOW)) == 2
    dropped = cafile.drop(path, None, by="bob")
    assert [ca.id for ca in dropped.cas] == [prepared.cas[1].id]
    assert cafile.load(path) == dropped


def test_a_key_that_signs_no_longer_is_destroyed(path: Path) -> None:
    signing = json.loads(path.read_bytes())["authorities"][0]["key"]
    cafile.prepare(path, ANY, now=NOW, by="x")
    before = path.open("rb")  # stands for the blocks that a file system leaves behind
    with before:
        cafile.switch(path, by="x")
        assert not before.read().strip(b"\0")
    assert signing not in path.read_text()
    assert cafile.load(path).cas[1].key is None
    upcoming = cafile.prepare(path, ANY, now=NOW, by="x").cas[1]
    key = json.loads(path.read_bytes())["authorities"][1]["key"]
    cafile.drop(path, upcoming.id, by="x")
    assert key not in path.read_text()


def test_only_the_file_and_the_lock_are_left(path: Path) -> None:
    cafile.prepare(path, ANY, now=NOW, by="x")
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["authorities.json", "authorities.lock"]


def test_steps_out_of_order(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ClientError) as caught:
        cafile.switch(path, by="x")
    assert code(caught) == "ca-step"
    for name in (None, "0" * 8, cafile.load(path).signs.id):
        with pytest.raises(ClientError) as caught:
            cafile.drop(path, name, by="x")
        assert code(caught) == "ca-step"
    assert path.read_bytes() == before
    cafile.prepare(path, ANY, now=NOW, by="x")
    with pytest.raises(ClientError, match="next authority already"):
        cafile.prepare(path, ANY, now=NOW, by="x")
    with pytest.raises(ClientError, match="none that is old"):
        cafile.drop(path, None, by="x")


def test_old_ones_are_limited_and_dropped_together_or_one_by_one(path: Path) -> None:
    for _ in range(cafile.MAX_CAS - 1):
        cafile.prepare(path, ANY, now=NOW, by="x")
        cafile.switch(path, by="x")
    with pytest.raises(ClientError, match="too many old"):
        cafile.prepare(path, ANY, now=NOW, by="x")
    last = cafile.load(path).cas[-1]
    assert last.id not in {ca.id for ca in cafile.drop(path, last.id, by="x").cas}
    assert roles(cafile.drop(path, None, by="x")) == ["signs"]


def test_what_has_ended_is_trusted_no_longer(path: Path) -> None:
    found = cafile.load(path)
    assert found.trusted(NOW) == list(found.cas)
    assert found.trusted(NOW + CA_LIFE) == []


def test_rows_hold_no_key(path: Path) -> None:
    (row,) = cafile.load(path).rows()
    assert row["role"] == "signs"
    assert row["not_after"] == "2031-01-01T03:04:05+00:00"
    assert len(row["fingerprint"]) == 64
    assert "PRIVATE" not in json.dumps(row) + repr(cafile.load(path))


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602])
def test_a_key_that_others_can_reach_is_not_used(path: Path, mode: int) -> None:
    path.chmod(mode)
    for use in (cafile.load, lambda path: cafile.prepare(path, ANY, now=NOW, by="x")):
        with pytest.raises(ConfigurationError) as caught:
            use(path)
        assert code(caught) == "open-to-others"


def test_a_folder_that_others_can_reach_is_not_used(path: Path) -> None:
    path.parent.chmod(0o755)
    with pytest.raises(ConfigurationError) as caught:
        cafile.load(path)
    assert code(caught) == "open-to-others"
    with pytest.raises(ConfigurationError):
        cafile.create(path, ANY, now=NOW, by="x")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        cafile.load(cafile.path_in(tmp_path))
    assert code(caught) == "ca-missing"


def test_a_link_and_a_pipe_are_refused(path: Path) -> None:
    other = path.rename(path.with_name("elsewhere"))
    path.symlink_to(other)
    with pytest.raises(ConfigurationError) as caught:
        cafile.load(path)
    assert code(caught) == "ca-unusable"
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigurationError) as caught:
        cafile.load(path)
    assert code(caught) == "ca-unusable"


def changed(path: Path, **first: object) -> None:
    content = json.loads(path.read_bytes())
    content["authorities"][0] |= first
    path.write_text(json.dumps(content))


def _another_key(path: Path) -> None:
    cafile.prepare(path, ANY, now=NOW, by="x")
    changed(path, key=json.loads(path.read_bytes())["authorities"][1]["key"])


RSA = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"{" * (256 * 1024 + 1)),
        lambda path: path.write_bytes(path.read_bytes()[:-2]),
        lambda path: changed(path, key=None),
        lambda path: changed(path, key=RSA),
        lambda path: changed(path, certificate="nonsense"),
        lambda path: changed(path, role="next"),
        lambda path: changed(path, role="old"),
        lambda path: changed(path, more=1),
        _another_key,
    ],
)
def test_a_damaged_file(path: Path, damage: object) -> None:
    key = json.loads(path.read_bytes())["authorities"][0]["key"].splitlines()[1]
    assert callable(damage)
    damage(path)
    with pytest.raises(ConfigurationError) as caught:
        cafile.load(path)
    assert code(caught) == "ca-unusable"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert key not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.floats(0, 1), flip=st.integers(0, 255))
def test_whatever_the_file_holds(path: Path, cut: float, flip: int) -> None:
    whole = path.read_bytes()
    at = int(cut * (len(whole) - 1))
    try:
        for damaged in (whole[:at], whole[:at] + bytes([flip]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            try:
                found = cafile.load(path)
            except ConfigurationError as error:
                assert error.code == "ca-unusable"  # noqa: PT017 - it may as well be read
            else:
                assert found.signs.role is Role.SIGNS
    finally:
        path.write_bytes(whole)
