"""witness.yaml: who is known by which key, and what is refused with its line."""

from pathlib import Path

import pytest

from proctor.errors import ClientError, ConfigurationError
from proctor.tlog.note import VerifierKey
from proctor.witness.settings import LogSettings, WitnessSettings, item_for, load
from tests.support.logs import ORIGIN, Log

KEY = Log().key
PREFIX = f"proctor/{'4f' * 16}/"
HEAD = "name: witness.example/w1\nlisten: 127.0.0.1:0\nkey: k.pem\nstate: state/\n"


def settings(tmp_path: Path, more: str = "", head: str = HEAD) -> WitnessSettings:
    path = tmp_path / "witness.yaml"
    path.write_text(head + more)
    return load(path)


def prefixed() -> str:
    item = item_for(KEY, PREFIX)
    return f"  - {{prefix: {item['prefix']}, key: {item['key']}}}\n"


def test_a_log_by_its_key(tmp_path: Path) -> None:
    found = settings(tmp_path, f"logs:\n  - {KEY}\n  - {{vkey: {KEY}}}\n")
    assert found.keys_for(ORIGIN) == (KEY, KEY)
    assert found.keys_for(f"{PREFIX}w1") == ()
    assert found.key == tmp_path / "k.pem"


def test_all_writers_by_a_prefix(tmp_path: Path) -> None:
    found = settings(tmp_path, "logs:\n" + prefixed())
    for writer in ("w0", "w17", "keys"):
        assert found.keys_for(PREFIX + writer) == (VerifierKey(PREFIX + writer, KEY.public),)
    for origin in ("", PREFIX[:-1], f"x{ORIGIN}", f"proctor/{'4e' * 16}/w0", f"{PREFIX}w 0"):
        assert found.keys_for(origin) == ()


def test_a_key_that_was_rotated_stands_beside_the_old_one(tmp_path: Path) -> None:
    found = settings(tmp_path, f"logs:\n{prefixed()}  - {Log(seed=2).key}\n")
    assert found.keys_for(ORIGIN) == (KEY, Log(seed=2).key)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (f"logs: [{{vkey: {KEY}, prefix: {PREFIX}}}]", "wrong-value"),
        (f"logs: [{{prefix: {PREFIX}}}]", "wrong-value"),
        ("logs: [{}]", "wrong-value"),
        (f"logs: [{{prefix: {PREFIX[:-1]}, key: {'A' * 43}=}}]", "wrong-value"),
        (f"logs: [{{prefix: {PREFIX}, key: {'A' * 42}}}]", "wrong-value"),
        (f"logs: [{str(KEY)[:-4]}]", "vkey-malformed"),
        ("log: []", "unknown-key"),
        ("plaintext: true\ntls: {cert: a, key: b}", "wrong-value"),
    ],
)
def test_what_is_refused(tmp_path: Path, more: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, more)
    assert caught.value.code == code
    assert "witness.yaml:" in caught.value.where


def test_other_machines_come_over_tls(tmp_path: Path) -> None:
    off = HEAD.replace("127.0.0.1:0", "10.0.0.1:7380")
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, head=off)
    assert caught.value.code == "plaintext-listener"
    assert settings(tmp_path, "tls: {cert: a.pem, key: b.pem}\n", off).tls is not None
    assert settings(tmp_path, "plaintext: true\n", off).plaintext


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\\tb"])
def test_a_name_that_could_not_stand_in_a_note(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        settings(tmp_path, head=HEAD.replace("witness.example/w1", f'"{name}"'))


def test_a_file_that_holds_no_keys(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no witness\.yaml"):
        settings(tmp_path, head="- a\n")


def test_a_prefix_belongs_to_its_key() -> None:
    assert item_for(KEY, None) == {"vkey": str(KEY)}
    for prefix in (PREFIX[:-1], "proctor/other/", ""):
        with pytest.raises(ClientError) as caught:
            item_for(KEY, prefix)
        assert caught.value.code == "prefix-wrong"


def test_what_a_record_prints_as_its_key_is_for_all_its_writers() -> None:
    key = Log(origin=f"proctor/{'4f' * 16}/keys").key
    found = LogSettings.model_validate(item_for(key, None))
    assert found.prefix == f"proctor/{'4f' * 16}/"
    assert found.key_for(ORIGIN) is not None


@pytest.mark.parametrize("end", ["w0/x", "", "/w0", "../w0"])
def test_a_prefix_is_for_names_right_below_it(end: str) -> None:
    prefix = f"proctor/{'4f' * 16}/"
    found = LogSettings.model_validate(item_for(Log().key, prefix))
    assert found.key_for(prefix + end) is None
    assert found.key_for(f"{prefix}w12") is not None
