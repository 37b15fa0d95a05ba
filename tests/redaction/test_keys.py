"""The installation's redaction key."""

import os
import threading
from dataclasses import fields
from pathlib import Path

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.keys import FILE, RedactionKeys, derive, load_keys


def refused(state: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_keys(state)
    return caught.value.code


def test_the_key_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    state = tmp_path / "state"
    old = os.umask(0)
    try:
        first = load_keys(state)
    finally:
        os.umask(old)
    assert (state / FILE).stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in state.iterdir()] == [FILE]
    assert load_keys(state) == first
    assert load_keys(tmp_path / "other") != first


def test_derived_keys_differ_and_stay_the_same_over_versions() -> None:
    keys = derive(bytes(range(32)))
    assert len({getattr(keys, each.name) for each in fields(keys)}) == len(fields(keys)) == 7
    # Another derivation would lose every surrogate and every digest in existing records.
    assert keys == RedactionKeys(
        surrogate=bytes.fromhex("49b7a3f5abee75ec33b26e9a8a75424eb886b83edcf1be90c5f971fd2818c20b"),
        digest=bytes.fromhex("5ad72cab76ca59e7ff4e98ce9679395cd46b0b9e1a27aeba5d6a98da9ba13ed4"),
        index=bytes.fromhex("1c6053ffb59ef482b929715353f779e61f088250c77b56b8f1a10626cb2ed625"),
        vault=bytes.fromhex("34c3c93a9f301715fea2b7b5a6ce060be4224578a466491020acbd0ce91ba92d"),
        action=bytes.fromhex("f7c0e967ee986a18707c4240ba6150d2188851ae2fa96e79fb460045d004d8c1"),
        approval=bytes.fromhex("4b53acc672239d8e738b075edd268680e8af55c8088d86655476376ba8874857"),
        origin=bytes.fromhex("d29d4ac71cf291d167aa7ea2f36322c94ba480018b4635d8153b791a93a389cd"),
    )


def test_keys_are_not_shown(tmp_path: Path) -> None:
    keys = load_keys(tmp_path / "state")
    assert repr(keys) == "RedactionKeys()"


def test_those_who_come_at_once_get_the_same(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    start = threading.Barrier(8)
    made: list[RedactionKeys] = []

    def work() -> None:
        start.wait()
        made.append(load_keys(state))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert all(keys == made[0] for keys in made)
    assert [path.name for path in state.iterdir()] == [FILE]


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    state = tmp_path / "state"
    load_keys(state)
    (state / FILE).chmod(0o604)
    assert refused(state) == "open-to-others"
    (state / FILE).chmod(0o600)
    state.chmod(0o755)
    assert refused(state) == "open-to-others"
    state.chmod(0o700)
    load_keys(state)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_the_wrong_size_is_not_used(tmp_path: Path, size: int) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / FILE).write_bytes(bytes(size))
    (tmp_path / FILE).chmod(0o600)
    assert refused(tmp_path) == "redaction-key-unusable"
    assert len((tmp_path / FILE).read_bytes()) == size


def test_only_a_regular_file_is_a_key(tmp_path: Path) -> None:
    state = tmp_path / "state"
    load_keys(state)
    (state / FILE).rename(tmp_path / "moved")
    (state / FILE).symlink_to(tmp_path / "moved")
    assert refused(state) == "redaction-key-unusable"
    (state / FILE).unlink()
    os.mkfifo(state / FILE, 0o600)
    assert refused(state) == "redaction-key-unusable"
    (state / FILE).unlink()
    (state / FILE).symlink_to(tmp_path / "nowhere")
    assert refused(state) == "file-unreadable"
