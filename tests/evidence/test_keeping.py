"""The key in force, under rotation."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proctor.audit.store import Store
from proctor.errors import ConfigurationError
from proctor.evidence.keeping import Keeping, rotate
from proctor.evidence.keys import KEY_FILE, make_key, read_trail


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.at(tmp_path / "recordings")
    store.create()
    return store


def test_the_first_start_makes_key_and_trail(store: Store, tmp_path: Path) -> None:
    keeping = Keeping(store, tmp_path / "state")
    (step,) = keeping.steps
    assert keeping.signer("x").public.public == step.public
    assert Keeping(store, tmp_path / "state").steps == keeping.steps


def test_a_rotated_key_is_used_at_once(store: Store, tmp_path: Path) -> None:
    keeping = Keeping(store, tmp_path / "state")
    before = keeping.signer("x").public
    step = rotate(store, tmp_path / "state", 1_900_000_000)
    assert (step.number, keeping.signer("x").public.public) == (2, step.public)
    assert before.public != step.public
    assert [each.public for each in read_trail(store.path, store.id())] == [
        before.public, step.public,
    ]  # fmt: skip
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]


def test_a_rotation_that_was_cut_off_is_finished(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    first = Keeping(store, state).signer("x").public
    make_key((state / KEY_FILE).with_suffix(".next"))
    assert Keeping(store, state).signer("x").public == first  # that one was never signed in
    move = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if path.name == "record-key.next":
            raise KeyboardInterrupt
        return move(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(store, state, 1_900_000_000)
    keeping = Keeping(store, state)
    assert keeping.signer("x").public != first
    assert (len(keeping.steps), keeping.signer("x").public.public) == (2, keeping.steps[-1].public)
    assert [path.name for path in state.iterdir()] == [KEY_FILE]


def test_without_its_key_a_record_is_not_gone_on_with(store: Store, tmp_path: Path) -> None:
    Keeping(store, tmp_path / "state")
    make_key(tmp_path / "state" / KEY_FILE)
    for got in ("another key", "no key"):
        with pytest.raises(ConfigurationError) as caught:
            Keeping(store, tmp_path / "state")
        assert (caught.value.code, caught.value.got) == ("record-key-missing", got)
        (tmp_path / "state" / KEY_FILE).unlink(missing_ok=True)
    assert not (tmp_path / "state" / KEY_FILE).exists()


def test_a_folder_that_takes_no_key(store: Store, tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("/proc/self/net")  # takes no files, even from root
    with pytest.raises(ConfigurationError) as caught:
        Keeping(store, tmp_path / "state")
    assert caught.value.code == "record-key-unwritable"
    assert not list(store.path.glob("keys/*"))


def test_many_that_begin_at_once(store: Store, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Keeping(store, state), range(8)))
    publics = {each.signer("x").public for each in made}
    assert len(publics) == 1
    assert len(read_trail(store.path, store.id())) == 1


def test_two_that_rotate_at_once(store: Store, tmp_path: Path) -> None:
    Keeping(store, tmp_path / "state")
    with ThreadPoolExecutor(4) as pool:
        steps = list(pool.map(lambda number: rotate(store, tmp_path / "state", number), range(8)))
    assert sorted(step.number for step in steps) == list(range(2, 10))
    assert len(read_trail(store.path, store.id())) == 9
    Keeping(store, tmp_path / "state")  # the key in force is the last of the trail
