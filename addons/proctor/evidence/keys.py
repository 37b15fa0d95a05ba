"""The key that signs checkpoints, and the trail that leads from the first key to today's.

The private key lies in proctor's own folder, never with the record. The trail lies with the record:
one signed note for each key, signed by itself and by the key before it, so that whoever has any one
of the public keys can tell which others belong to the record.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from proctor.audit.envelope import timestamp
from proctor.audit.store import private, replace, sync_folder, whole
from proctor.errors import ClientError, ConfigurationError
from proctor.tlog.note import MAX_NOTE, Note, Signer, VerifierKey, parse_note, signed

KEY_FILE: Final = "record-key.pem"
FOLDER: Final = "keys"
MAX_KEYS: Final = 1000
_FIRST = b64encode(bytes(32)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One key of the trail.

    Attributes:
        number: From 1.
        public: Ed25519 public key, 32 bytes.
        since: When it began.
        note: The statement itself.
    """

    number: int
    public: bytes
    since: datetime
    note: Note


def origin_of_keys(store_id: str) -> str:
    """The name under which keys speak of keys."""
    return f"proctor/{store_id}/keys"


def origin_of(store_id: str, writer: str) -> str:
    """The origin of a writer's checkpoints."""
    return f"proctor/{store_id}/{writer}"


def read_key(path: Path) -> Ed25519PrivateKey:
    """Reads the private key.

    Raises:
        FileNotFoundError: There is none yet.
        ConfigurationError: Codes `store-open-to-others`, `record-key-unreadable`.
    """
    private(path)
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            "record-key-unreadable",
            "The key that signs the record cannot be read",
            expected="an Ed25519 private key, PKCS #8, PEM",
            where=str(path),
        )
    return key


def make_key(path: Path) -> Ed25519PrivateKey:
    """Makes a key and keeps it, 0600. One that is there is replaced whole.

    Raises:
        OSError: The disk does not take it.
    """
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with whole(path, path.parent) as draft:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as target:
            target.write(pem)
    return key


def read_trail(record: Path, store_id: str) -> list[Step]:
    """Reads the trail and checks that each key was signed in by itself and the one before.

    Raises:
        ClientError: Codes `key-trail-broken`, `note-malformed`.
        OSError: It cannot be read.
    """
    paths = sorted((record / FOLDER).glob("*.note"))[: MAX_KEYS + 1]
    steps: list[Step] = []
    for path in paths:
        with path.open("rb") as source:
            data = source.read(MAX_NOTE + 1)
        steps.append(_step(data, store_id, steps))
        if path.name != _name(len(steps)):
            raise _broken(f"{path.name} where {_name(len(steps))} belongs")
    return steps


def begin_trail(record: Path, store_id: str, key: Ed25519PrivateKey, now: float) -> Step:
    """Writes the first statement.

    Raises:
        OSError: The disk does not take it.
    """
    return _write(record, store_id, [], [key], now)


def hand_over(
    record: Path, store_id: str, old: Ed25519PrivateKey, new: Ed25519PrivateKey, now: float
) -> Step:
    """Signs a new key in by the old one.

    Raises:
        ClientError: Code `key-trail-broken`: the old key is not the last of the trail.
        OSError: The disk does not take it.
    """
    steps = read_trail(record, store_id)
    if not steps or steps[-1].public != old.public_key().public_bytes_raw():
        raise _broken("a trail that does not end with the key in force")
    return _write(record, store_id, steps, [new, old], now)


def _write(
    record: Path,
    store_id: str,
    steps: Sequence[Step],
    keys: Sequence[Ed25519PrivateKey],
    now: float,
) -> Step:
    origin = origin_of_keys(store_id)
    public = b64encode(keys[0].public_key().public_bytes_raw()).decode()
    number = len(steps) + 1
    text = f"{origin}\n{number}\n{public}\ntime {timestamp(now)}\nafter {_after(steps)}\n"
    note = signed(text, [Signer(origin, key) for key in keys])
    folder = record / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(record)
    replace(folder / _name(number), str(note).encode(), folder)
    return _step(str(note).encode(), store_id, steps)


def _step(data: bytes, store_id: str, before: Sequence[Step]) -> Step:
    origin, number = origin_of_keys(store_id), len(before) + 1
    try:
        note = parse_note(data.decode())
        said_origin, said_number, encoded, time, after = note.text[:-1].split("\n")
        public = b64decode(encoded, validate=True)
        since = datetime.fromisoformat(time.removeprefix("time "))
        own = VerifierKey(origin, public)
    except (ClientError, ValueError) as error:
        raise _broken(f"no statement about a key as number {number}") from error
    if said_origin != origin or said_number != str(number) or since.tzinfo is None:
        raise _broken(f"another record's key, or another number, as number {number}")
    if after != f"after {_after(before)}":
        raise _broken(f"number {number} does not follow number {number - 1}")
    signers = [own, *(VerifierKey(origin, step.public) for step in before[-1:])]
    if not all(note.signed_by(key) for key in signers):
        raise _broken(f"number {number} is not signed by itself and the key before")
    return Step(number=number, public=public, since=since, note=note)


def _after(steps: Sequence[Step]) -> str:
    if not steps:
        return _FIRST
    return b64encode(sha256(steps[-1].note.text.encode()).digest()).decode()


def _name(number: int) -> str:
    return f"{number:06d}.note"


def _broken(got: str) -> ClientError:
    return ClientError(
        "key-trail-broken",
        "The trail of keys is not whole",
        got=got,
        expected="each key signed by itself and by the one before it",
    )
