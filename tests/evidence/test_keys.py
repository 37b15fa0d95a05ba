"""Keys, and the trail from the first to today's."""

import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.errors import ClientError, ConfigurationError
from proctor.evidence.keys import (
    FOLDER,
    KEY_FILE,
    begin_trail,
    hand_over,
    make_key,
    origin_of,
    origin_of_keys,
    read_key,
    read_trail,
)

ID = "ab" * 16
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(4)]


def trail(folder: Path, count: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    begin_trail(folder, ID, KEYS[0], 1_800_000_000)
    for number in range(1, count):
        hand_over(folder, ID, KEYS[number - 1], KEYS[number], 1_800_000_000 + number)
    return folder


def test_a_key_is_kept_for_us_alone(tmp_path: Path) -> None:
    key = make_key(tmp_path / "state" / KEY_FILE)
    assert (tmp_path / "state" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert read_key(tmp_path / "state" / KEY_FILE).private_bytes_raw() == key.private_bytes_raw()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path / KEY_FILE)
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(ConfigurationError) as caught:
        read_key(tmp_path / KEY_FILE)
    assert caught.value.code == "store-open-to-others"


def test_what_is_no_key(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("-----BEGIN PRIVATE KEY-----\nsecretsecret\n")
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        read_key(tmp_path / KEY_FILE)
    assert caught.value.code == "record-key-unreadable"
    assert "secret" not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        read_key(tmp_path / "none")


def test_the_trail_leads_from_key_to_key(tmp_path: Path) -> None:
    steps = read_trail(trail(tmp_path / "r"), ID)
    assert [step.number for step in steps] == [1, 2, 3]
    assert [step.public for step in steps] == [
        key.public_key().public_bytes_raw() for key in KEYS[:3]
    ]
    assert [len(step.note.signatures) for step in steps] == [1, 2, 2]
    assert read_trail(tmp_path, ID) == []


def test_names() -> None:
    assert origin_of(ID, "w0") == f"proctor/{ID}/w0"
    assert origin_of_keys(ID) == f"proctor/{ID}/keys"


def test_only_the_key_in_force_signs_another_in(tmp_path: Path) -> None:
    trail(tmp_path / "r", 2)
    with pytest.raises(ClientError) as caught:
        hand_over(tmp_path / "r", ID, KEYS[0], KEYS[3], 1_800_000_009)
    assert caught.value.code == "key-trail-broken"
    assert len(read_trail(tmp_path / "r", ID)) == 2


def test_another_record_s_trail_is_not_this_one_s(tmp_path: Path) -> None:
    trail(tmp_path / "r")
    with pytest.raises(ClientError, match="trail"):
        read_trail(tmp_path / "r", "cd" * 16)


def test_any_byte_changed_breaks_it(tmp_path: Path) -> None:
    trail(tmp_path / "r", 2)
    path = tmp_path / "r" / FOLDER / "000002.note"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ClientError) as caught:
            read_trail(tmp_path / "r", ID)
        assert caught.value.code == "key-trail-broken"


def test_a_key_taken_out_or_put_in_breaks_it(tmp_path: Path) -> None:
    trail(tmp_path / "r")
    shutil.copytree(tmp_path / "r", tmp_path / "out")
    (tmp_path / "out" / FOLDER / "000002.note").unlink()
    with pytest.raises(ClientError):
        read_trail(tmp_path / "out", ID)
    forged = tmp_path / "forged"
    forged.mkdir()
    begin_trail(forged, ID, KEYS[0], 1_800_000_000)
    hand_over(forged, ID, KEYS[0], KEYS[3], 1_800_000_001)
    shutil.copy(forged / FOLDER / "000002.note", tmp_path / "r" / FOLDER)
    with pytest.raises(ClientError, match="trail"):  # the third was signed by another second
        read_trail(tmp_path / "r", ID)
