"""The key in force, as the file says it: another process may have rotated it."""

import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.store import Store
from proctor.errors import ConfigurationError
from proctor.evidence.keys import (
    KEY_FILE,
    Step,
    begin_trail,
    hand_over,
    make_key,
    read_key,
    read_trail,
)
from proctor.tlog.note import Signer


class Keeping:
    """Reads the key again whenever its file has changed.

    Attributes:
        steps: The trail, as of the start.
    """

    def __init__(self, store: Store, state: Path) -> None:
        """Makes the key and begins the trail where there is neither.

        Raises:
            ConfigurationError: Codes `record-key-missing`, `record-key-unreadable`,
                `record-key-unwritable`, `store-open-to-others`.
            ClientError: Code `key-trail-broken`.
            OSError: The disk does not take or give it.
        """
        self._path = state / KEY_FILE
        self._print: tuple[int, int, int] | None = None
        self._key: Ed25519PrivateKey | None = None
        # Two that start at once would make two first keys, and one would be lost.
        with store.alone():
            self.steps: list[Step] = _settled(store, self._path)

    def signer(self, name: str) -> Signer:
        """The key in force, under a name.

        Raises:
            ConfigurationError, OSError: It cannot be read any more.
        """
        return Signer(name, self._current())

    def _current(self) -> Ed25519PrivateKey:
        found = self._path.stat()
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._key is None or seen != self._print:
            self._key, self._print = read_key(self._path), seen
        return self._key


def _settled(store: Store, path: Path) -> list[Step]:
    """The trail, begun if it was not, and ending with the key that is at `path`."""
    steps = read_trail(store.path, store.id())
    if not steps:
        key = read_key(path) if path.exists() else _first_key(path)
        steps = [begin_trail(store.path, store.id(), key, time.time())]
    _finish(path, steps[-1])
    if not path.exists() or read_key(path).public_key().public_bytes_raw() != steps[-1].public:
        raise ConfigurationError(
            "record-key-missing",
            "The key that signs this record is not here",
            got="another key" if path.exists() else "no key",
            expected=f"the key number {steps[-1].number} of the record's trail",
            hint="Restore it from a copy, or begin a new record: another `audit.path`.",
            where=str(path),
        )
    return steps


def _first_key(path: Path) -> Ed25519PrivateKey:
    try:
        return make_key(path)
    except OSError as error:
        raise ConfigurationError(
            "record-key-unwritable",
            "The key that is to sign the record cannot be written",
            got=error.strerror or type(error).__name__,
            expected="a folder `state` that proctor's own user may write to",
            where=str(path),
        ) from None


def _draft(path: Path) -> Path:
    return path.with_suffix(".next")


def _finish(path: Path, step: Step) -> None:
    """Puts a new key in its place that is in the trail already: a rotation was cut off there."""
    draft = _draft(path)
    if draft.exists() and read_key(draft).public_key().public_bytes_raw() == step.public:
        draft.replace(path)


def rotate(store: Store, state: Path, now: float) -> Step:
    """Makes a new key, signs it in by the old one, and puts it in the old one's place.

    Raises:
        ConfigurationError, ClientError: The old key is not there, or the trail is not whole.
        OSError: The disk does not take it.
    """
    path = state / KEY_FILE
    draft = _draft(path)
    with store.alone():  # two at once would both be the next key, and one be lost
        _settled(store, path)
        old = read_key(path)
        new = make_key(draft)
        step = hand_over(store.path, store.id(), old, new, now)
        draft.replace(path)
    return step
