"""The installation's redaction key, from which surrogates, digests and the vault have theirs.

It is made once, by whichever process comes first, and shared by all: the same value has the same
surrogate on every door. Whoever holds it can test guesses against digests, so it is 0600.
"""

import contextlib
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private, make_folder

FILE = "redaction.key"
"""Name of the key file in the folder `state`."""

_SIZE = 32  # bytes, of the key and of all that is derived from it


@dataclass(frozen=True, slots=True)
class RedactionKeys:
    """Keys derived from the installation's one, 32 bytes each; none tells of another.

    Attributes:
        surrogate: For surrogates.
        digest: For digests of findings, and for `hash`.
        index: For names of the vault's rows.
        vault: Seals what stands in the vault.
        action: For digests of actions.
        approval: Seals what is hidden on a reviewer's card.
        origin: For digests of values that untrusted answers held.
    """

    surrogate: bytes = field(repr=False)
    digest: bytes = field(repr=False)
    index: bytes = field(repr=False)
    vault: bytes = field(repr=False)
    action: bytes = field(repr=False)
    approval: bytes = field(repr=False)
    origin: bytes = field(repr=False)


def derive(master: bytes) -> RedactionKeys:
    """The keys that come of one secret (HKDF, RFC 5869).

    Args:
        master: 32 random bytes.
    """
    labels = ("surrogate", "digest", "index", "vault", "action", "approval", "origin")
    return RedactionKeys(*(_expand(master, label) for label in labels))


def load_keys(state: Path) -> RedactionKeys:
    """The keys of this installation; its key file is made if it is not there.

    Args:
        state: The folder proctor keeps its own things in; made 0700 if it is missing.

    Raises:
        ConfigurationError: `open-to-others`, or `redaction-key-unusable`.
    """
    path = state / FILE
    try:
        make_folder(state)
        check_private(state, "proctor's own keys")
        if not path.exists():
            _make(path)
        check_private(path, "the redaction key")
        return derive(_read(path))
    except OSError as error:
        raise ConfigurationError(
            code="redaction-key-unusable",
            message="The redaction key cannot be used",
            got=error.strerror or type(error).__name__,
            expected=f"a regular file of ours, {_SIZE} bytes, mode 0600, in a folder of mode 0700",
            hint="Put it back from a copy; with a new one, older surrogates stay as they are.",
            where=str(path),
        ) from None


def _expand(master: bytes, label: str) -> bytes:
    info = b"proctor redaction " + label.encode()
    return HKDF(algorithm=SHA256(), length=_SIZE, salt=None, info=info).derive(master)


def _make(path: Path) -> None:
    """Make the file whole or not at all; who comes second keeps what the first has made."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SIZE))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> bytes:
    # Neither a link to somewhere else, nor a pipe that would keep us waiting.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "no regular file")
        key = file.read(_SIZE + 1)
    if len(key) != _SIZE:
        raise OSError(0, "not the size of a key")
    return key
