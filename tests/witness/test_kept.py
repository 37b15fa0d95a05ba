"""What a witness has signed: kept through restarts and torn writes, and never an older one."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.errors import ClientError, ConfigurationError, InternalError
from proctor.tlog.cosignature import Cosigner
from proctor.tlog.note import Note
from proctor.witness import kept as kept_module
from proctor.witness.kept import Kept, name_of, read_heads
from tests.support.logs import ORIGIN, Log

COSIGNER = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
LOG = Log().add(8)


def note(size: int, log: Log = LOG) -> str:
    found = log.note(size)
    return str(Note(found.text, (*found.signatures, COSIGNER.sign(found.text, 1_700_000_000))))


def size_of(kept: Kept) -> int:
    head = kept.head(ORIGIN)
    return -1 if head is None else head.checkpoint.size


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        kept.append(note(3))
        kept.append(note(5))
    return tmp_path / "state"


def file_in(state: Path) -> Path:
    return state / "logs" / f"{name_of(ORIGIN)}.jsonl"


def test_it_is_there_after_a_restart(state: Path) -> None:
    with Kept(state, COSIGNER.public) as kept:
        assert size_of(kept) == 5
        head = kept.head(ORIGIN)
        assert head is not None
        assert head.note == note(5)
        lines = b"".join(kept.history(head)).splitlines()
        assert [json.loads(line) for line in lines] == [note(3), note(5)]
        kept.append(note(8))
        assert b"".join(kept.history(head)).count(b"\n") == 2, "up to that head"
    assert file_in(state).stat().st_mode & 0o777 == 0o600


def test_a_line_that_was_cut_anywhere_goes(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a thousand times would take its time
    path = file_in(state)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        expected = -1 if at < first else 3
        with Kept(state, COSIGNER.public) as kept:
            assert size_of(kept) == expected
            if at % 97 == 0:
                kept.append(note(8))
                assert path.read_bytes().endswith(json.dumps(note(8)).encode() + b"\n")
                assert path.read_bytes().count(b"\n") == (1 if at < first else 2)


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b'"text"', b"no JSON", json.dumps(str(LOG.note(8))).encode(), b""]
)
def test_a_last_line_that_is_not_its_own_is_refused(state: Path, line: bytes) -> None:
    with file_in(state).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(ConfigurationError) as caught:
        Kept(state, COSIGNER.public)
    assert caught.value.code == "witness-state"


def test_a_file_of_another_log_is_refused(state: Path) -> None:
    file_in(state).rename(state / "logs" / f"{'0' * 64}.jsonl")
    with pytest.raises(ConfigurationError):
        Kept(state, COSIGNER.public)


def test_it_never_goes_back(state: Path) -> None:
    with Kept(state, COSIGNER.public) as kept:
        with pytest.raises(InternalError, match="goes back"):
            kept.append(note(4))
        assert size_of(kept) == 5


def test_two_processes_are_not_one_witness(state: Path) -> None:
    with Kept(state, COSIGNER.public):
        with pytest.raises(ConfigurationError) as caught:
            Kept(state, COSIGNER.public)
        assert read_heads(state, COSIGNER.public)[name_of(ORIGIN)].checkpoint.size == 5
    assert caught.value.code == "witness-busy"
    with Kept(state, COSIGNER.public) as kept:
        assert size_of(kept) == 5


def test_a_disk_that_fails_leaves_it_as_it_was(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file_in(state).read_bytes()
    sync = os.fsync

    def fails(_: int) -> None:
        raise OSError(28, "No space left on device")

    with Kept(state, COSIGNER.public) as kept:
        monkeypatch.setattr(os, "fsync", fails)
        with pytest.raises(InternalError) as caught:
            kept.append(note(8))
        assert caught.value.code == "witness-state"
        assert size_of(kept) == 5
        assert file_in(state).read_bytes() == before
        monkeypatch.setattr(os, "fsync", sync)
        kept.append(note(8))
        assert size_of(kept) == 8


def test_what_is_answered_is_durable(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        sync(handle)
        synced.append(file_in(state).read_bytes())

    monkeypatch.setattr(os, "fsync", watched)
    with Kept(state, COSIGNER.public) as kept:
        kept.append(note(8))
    assert synced[-1].count(b"\n") == 3


def test_a_folder_that_others_can_read(state: Path) -> None:
    (state / "logs").chmod(0o755)
    with pytest.raises(ConfigurationError) as caught:
        Kept(state, COSIGNER.public)
    assert caught.value.code == "open-to-others"


def test_one_record_does_not_take_the_room_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "MAX_WRITERS", 2)
    logs = [Log(origin=f"proctor/{'4f' * 16}/w{n}").add(1) for n in range(3)]
    with Kept(tmp_path / "state", COSIGNER.public) as kept:
        for log in logs[:2]:
            kept.append(note(1, log))
        with pytest.raises(ClientError) as caught:
            kept.append(note(1, logs[2]))
        assert caught.value.code == "log-too-many"
        kept.append(note(1, logs[0]))
        kept.append(note(1, Log(origin=f"proctor/{'5a' * 16}/w0").add(1)))
        assert len(kept.heads()) == 3
