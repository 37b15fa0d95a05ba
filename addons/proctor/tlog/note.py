"""Signed notes (C2SP signed-note): a text, an empty line, and signatures over the text.

A verifier key ("vkey") is `name+key id+key`: the id is the start of a hash over name and key, so
that a key cannot be taken for another's. Only Ed25519 keys (type 0x01) sign; signatures of other
types are carried along and belong to nobody here.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proctor.errors import ClientError
from proctor.tlog.text import base64_bytes

ED25519: Final = 1
KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
MAX_NOTE: Final = 64 * 1024
MAX_SIGNATURES: Final = 100
_ID = 4
_DASH = "\u2014 "
# A name is not empty, and holds neither space nor plus.
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,256}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^\s+\x00-\x1f\x7f]{1,256})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,512})")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line.

    Attributes:
        name: Who says to have signed.
        key_id: Which key, four bytes.
        blob: The signature itself.
    """

    name: str
    key_id: bytes
    blob: bytes

    def line(self) -> str:
        """As it stands in a note, newline included."""
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.blob).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it.

    Attributes:
        text: What is signed; ends with a newline.
        signatures: In the order of their lines; none of them is verified yet.
    """

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        """The note as it stands in a file."""
        return f"{self.text}\n{''.join(signature.line() for signature in self.signatures)}"

    def signed_by(self, key: "VerifierKey") -> bool:
        """Whether `key` signed the text, by a line of its own name and id.

        One that is there and wrong makes it false, whatever other lines say.
        """
        own = [each for each in self.signatures if each.name == key.name and each.key_id == key.id]
        return bool(own) and all(key.verify(each.blob, self.text.encode()) for each in own)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under.

    Attributes:
        name: The signer's.
        public: Ed25519 public key, 32 bytes (RFC 8032, 5.1.5).
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        """Refuses a name that could not stand in a note, and what is no key."""
        if not _NAME.fullmatch(self.name) or len(self.public) != KEY_SIZE:
            raise ValueError("a verifier key has a name without spaces and plus, and 32 bytes")

    @property
    def id(self) -> bytes:
        """Start of the hash over name and key."""
        return key_id(self.name, ED25519, self.public)

    def __str__(self) -> str:
        """The vkey."""
        encoded = b64encode(bytes([ED25519]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made the signature (RFC 8032, 5.1.7)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    @classmethod
    def parse(cls, vkey: str) -> "VerifierKey":
        """Reads `name+id+key`.

        Raises:
            ClientError: Code `vkey-malformed`.
        """
        match = _VKEY.fullmatch(vkey.strip())
        raw = base64_bytes(match[3]) if match else None
        if match and raw and raw[0] == ED25519 and len(raw) == 1 + KEY_SIZE:
            key = cls(match[1], raw[1:])
            if key.id.hex() == match[2]:
                return key
        raise ClientError(
            "vkey-malformed",
            "This is no verifier key",
            got=f"{len(vkey)} characters",
            expected="name+id+key, as `proctor verify --print-key` shows it (C2SP signed-note)",
        )


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the name it signs under."""

    name: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> VerifierKey:
        """What verifies it."""
        return VerifierKey(self.name, self.key.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """Signs a note's text."""
        return Signature(self.name, self.public.id, self.key.sign(text.encode()))


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Four bytes that name a key: SHA-256(name || newline || type || key), its start."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_ID]


def signed(text: str, signers: Sequence[Signer]) -> Note:
    """A note over `text`, which ends with a newline."""
    return Note(text, tuple(signer.sign(text) for signer in signers))


def parse_note(data: str) -> Note:
    """Reads a note; verifies nothing.

    Raises:
        ClientError: Code `note-malformed`.
    """
    if len(data) > MAX_NOTE:
        raise _malformed(f"more than {MAX_NOTE} characters")
    # The last empty line parts text from signatures; earlier ones belong to the text.
    text, parting, below = data.rpartition("\n\n")
    if not parting or not below.endswith("\n"):
        raise _malformed("no empty line before signatures, or an unfinished last line")
    if _CONTROL.search(data):
        raise _malformed("control characters")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"more than {MAX_SIGNATURES} signatures")
    return Note(f"{text}\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = base64_bytes(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or not raw or len(raw) <= _ID:
        raise _malformed("a signature line that is none")
    return Signature(name, raw[:_ID], raw[_ID:])


def _malformed(got: str) -> ClientError:
    return ClientError(
        "note-malformed",
        "This is no signed note",
        got=got,
        expected="a text, an empty line, and lines `— name base64` (C2SP signed-note)",
    )
