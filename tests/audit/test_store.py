"""The store on disk."""

import json
import stat
from pathlib import Path

import pytest

from proctor.audit.store import SCHEMA_VERSION, Store, private, replace, sync_folder, whole
from proctor.errors import ConfigurationError


def test_everything_is_our_own(tmp_path: Path) -> None:
    store = Store.at(tmp_path / "a" / "recordings")
    store.create()
    for path in [store.path, *store.path.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    name = store.id()
    said = {"schema_version": SCHEMA_VERSION, "id": name}
    assert json.loads((store.path / "store.json").read_text()) == said
    Store.at(store.path).create()
    assert store.id() == name  # for good
    store.create()  # again is harmless


@pytest.mark.parametrize("mode", [0o701, 0o740, 0o755, 0o770, 0o702])
def test_open_to_others(tmp_path: Path, mode: int) -> None:
    store = Store.at(tmp_path / "recordings")
    store.create()
    store.path.chmod(mode)
    with pytest.raises(ConfigurationError) as caught:
        store.create()
    assert caught.value.code == "store-open-to-others"
    assert f"{mode:04o}" in caught.value.got
    assert "chmod" in caught.value.hint


def test_a_folder_inside_open_to_others(tmp_path: Path) -> None:
    store = Store.at(tmp_path / "recordings")
    store.create()
    store.content.chmod(0o755)
    with pytest.raises(ConfigurationError, match="Others can reach"):
        store.create()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f'{{"schema_version": {SCHEMA_VERSION + 1}}}', "store-too-new"),
        ('{"schema_version": "2"}', "store-too-new"),
        ("{}", "store-unreadable"),
        ("[]", "store-unreadable"),
        ("", "store-unreadable"),
        ("\xff", "store-unreadable"),
    ],
)
def test_version(tmp_path: Path, text: str, code: str) -> None:
    store = Store.at(tmp_path / "recordings")
    store.create()
    (store.path / "store.json").write_text(text, encoding="latin-1")
    with pytest.raises(ConfigurationError) as caught:
        store.check()
    assert caught.value.code == code
    assert caught.value.where.endswith("store.json")


@pytest.mark.parametrize("name", ["re*", "re?", "[re]", "{re}"])
def test_a_path_that_sql_would_take_for_a_pattern(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Store.at(tmp_path / name).create()
    assert caught.value.code == "store-path-odd"
    assert not (tmp_path / name).exists()


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    replace(target, b"old", tmp_path)

    def fail() -> None:
        with whole(target, tmp_path) as draft:
            draft.write_bytes(b"ne")
            raise OSError("halfway")

    with pytest.raises(OSError, match="halfway"):
        fail()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    private(target)
    sync_folder(tmp_path)
