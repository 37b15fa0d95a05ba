"""Cosignatures (C2SP tlog-cosignature): what others sign that saw a log's checkpoint.

A cosignature says: at this time, this is the largest tree of that log I have seen, and it has only
grown. Ed25519 keys of type 0x04; the time is in whole seconds since 1970.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proctor.errors import ClientError
from proctor.tlog.note import KEY_SIZE, SIGNATURE_SIZE, Note, Signature, key_id, parse_note
from proctor.tlog.text import MAX_SIZE, base64_bytes

COSIGNATURE: Final = 4
"""The type of the keys (C2SP signed-note, signature types)."""

_TIME = 8
# A name is not empty, and holds neither space nor plus.
_VKEY = re.compile(r"([^\s+\x00-\x1f\x7f]{1,256})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,512})")
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,256}")


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A cosigner's public key and its name.

    Attributes:
        name: The cosigner's.
        public: Ed25519 public key, 32 bytes (RFC 8032, 5.1.5).
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        """Refuses a name that could not stand in a note, and what is no key."""
        if not _NAME.fullmatch(self.name) or len(self.public) != KEY_SIZE:
            raise ValueError("a cosigner has a name without spaces and plus, and 32 bytes")

    @property
    def id(self) -> bytes:
        """Start of the hash over name and key."""
        return key_id(self.name, COSIGNATURE, self.public)

    def __str__(self) -> str:
        """The vkey."""
        encoded = b64encode(bytes([COSIGNATURE]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    def times(self, note: Note) -> tuple[int, ...]:
        """When this cosigner signed the note, in seconds since 1970; none if it did not.

        Raises:
            ClientError: Code `cosignature-wrong`: a line of its name and id does not verify, so
                that the whole note is to be rejected (C2SP signed-note, signatures).
        """
        return tuple(
            self._time(each, note.text)
            for each in note.signatures
            if each.name == self.name and each.key_id == self.id
        )

    def _time(self, signature: Signature, text: str) -> int:
        time = int.from_bytes(signature.blob[:_TIME], "big")
        if not self._made(signature, text, time):
            raise ClientError(
                "cosignature-wrong",
                "A cosignature does not hold",
                got=f"one by {self.name}",
                expected="a signature of that key over this checkpoint",
                status=403,
            )
        return time

    def _made(self, signature: Signature, text: str, time: int) -> bool:
        if len(signature.blob) != _TIME + SIGNATURE_SIZE or not 0 < time <= MAX_SIZE:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(
                signature.blob[_TIME:], _message(time, text)
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    @classmethod
    def parse(cls, vkey: str) -> "CosignerKey":
        """Reads `name+id+key`.

        Raises:
            ClientError: Code `cosigner-malformed`.
        """
        match = _VKEY.fullmatch(vkey.strip())
        raw = base64_bytes(match[3]) if match else None
        if match and raw and raw[0] == COSIGNATURE and len(raw) == 1 + KEY_SIZE:
            key = cls(match[1], raw[1:])
            if key.id.hex() == match[2]:
                return key
        raise ClientError(
            "cosigner-malformed",
            "This is no witness's key",
            got=f"{len(vkey)} characters",
            expected="name+id+key, as `proctor witness show` prints it (C2SP tlog-cosignature)",
        )


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A private key and the name it cosigns under."""

    name: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> CosignerKey:
        """What verifies it."""
        return CosignerKey(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str, time: int) -> Signature:
        """Cosigns a checkpoint.

        Args:
            text: The whole text of the note, as the log signed it.
            time: Seconds since 1970, more than 0.
        """
        if not 0 < time <= MAX_SIZE:
            raise ValueError("a cosignature has a time after 1970")
        blob = time.to_bytes(_TIME, "big") + self.key.sign(_message(time, text))
        return Signature(self.name, self.public.id, blob)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many of which cosigners it takes.

    Attributes:
        keys: Those who count; a key counts once, whatever its names.
        needed: How many of them.
    """

    keys: tuple[CosignerKey, ...]
    needed: int

    def __post_init__(self) -> None:
        """Refuses what could never be met, or always is."""
        if not 0 < self.needed <= len({key.public for key in self.keys}):
            raise ValueError("at least one, and at most as many as there are keys")

    def check(self, note: Note) -> dict[str, int]:
        """Refuses a note that too few have cosigned.

        Returns:
            The cosigners' names, and when each last signed it, in seconds since 1970.

        Raises:
            ClientError: Codes `cosignatures-missing`, `cosignature-wrong`.
        """
        found = {key: max(times) for key in self.keys if (times := key.times(note))}
        count = len({key.public for key in found})
        if count < self.needed:
            raise ClientError(
                "cosignatures-missing",
                "Too few witnesses have signed the checkpoint",
                got=str(count),
                expected=f"at least {self.needed} of {len(self.keys)}",
                status=403,
            )
        return {key.name: time for key, time in found.items()}


def parse_lines(data: str, text: str) -> Note:
    """What a witness answered, as a note over the text that it was sent.

    Raises:
        ClientError: Code `note-malformed`.
    """
    return parse_note(f"{text}\n{data}")


def signers(note: Note, keys: Sequence[CosignerKey]) -> tuple[Signature, ...]:
    """The lines of a note that are of these keys, without a look at what they sign."""
    known = {(key.name, key.id) for key in keys}
    return tuple(each for each in note.signatures if (each.name, each.key_id) in known)


def _message(time: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
