"""Which keys may sign: the trail, as far as it hangs on the key that the verifier holds."""

from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from proctor.errors import ClientError, ConfigurationError
from proctor.evidence.keys import FOLDER, read_trail
from proctor.evidence.verify.findings import Findings
from proctor.tlog.note import KEY_SIZE, VerifierKey

# A gateway reads its key for each checkpoint, so another one is in force within moments.
_OVERLAP = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A key that may sign.

    Attributes:
        number: In the trail, from 1; 0 where there is no trail.
        public: Ed25519 public key, 32 bytes.
        since: From when on.
        until: Until when, or None for the one in force.
    """

    number: int
    public: bytes
    since: datetime
    until: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether it was in force at that time."""
        return self.since - _OVERLAP <= moment and (
            self.until is None or moment <= self.until + _OVERLAP
        )


ALWAYS: Final = datetime.min.replace(tzinfo=UTC) + _OVERLAP


def parse_key(text: str) -> bytes:
    """The 32 bytes of a public key that is given as vkey, PEM or base64.

    Raises:
        ConfigurationError: Code `verify-key-unreadable`.
    """
    text = text.strip()
    try:
        if text.startswith("-----BEGIN"):
            found = load_pem_public_key(text.encode())
            if isinstance(found, Ed25519PublicKey):
                return found.public_bytes_raw()
        elif "+" in text and text.count("+") >= 2 and len(text) > 60:  # noqa: PLR2004 - name+id+key
            return VerifierKey.parse(text).public
        else:
            raw = b64decode(text, validate=True)
            if len(raw) == KEY_SIZE:
                return raw
    except (ClientError, Base64Error, ValueError, TypeError):
        pass  # said below
    raise ConfigurationError(
        "verify-key-unreadable",
        "This is no public key of a record",
        got=f"{len(text)} characters",
        expected="what `proctor verify --print-key` prints, or an Ed25519 public key in PEM",
        hint="Never hand over record-key.pem itself: it is the private key.",
    )


def trusted(
    record: Path, store_id: str, key: bytes | None, findings: Findings
) -> tuple[TrustedKey, ...]:
    """The keys that may sign this record's checkpoints.

    Args:
        record: Its folder.
        store_id: Its name.
        key: What the verifier holds; None: the first key of the trail is believed.
        findings: Takes what is wrong with them.
    """
    try:
        steps = read_trail(record, store_id)
    except (ClientError, OSError, UnicodeDecodeError) as error:
        got = error.got if isinstance(error, ClientError) else type(error).__name__
        findings.problem(
            "key-trail-broken",
            "The trail of keys is not whole",
            file=FOLDER,
            found=got,
            expected="each key signed by itself and by the one before",
        )
        steps = []
    else:
        if not steps:
            findings.problem(
                "key-trail-missing",
                "The trail of keys is not there",
                file=FOLDER,
                expected="keys/000001.note",
            )
    if not steps:
        return (TrustedKey(number=0, public=key, since=ALWAYS, until=None),) if key else ()
    if key is None:
        findings.notice(
            "key-not-given",
            "No key was given, so the record's own first key was believed: that finds accidents,"
            " and those who have no key, but proves nothing against one who can rewrite the whole"
            " record",
        )
    elif key not in {step.public for step in steps}:
        findings.problem(
            "key-not-in-trail",
            "The key that was given is not one of the record's",
            file=FOLDER,
            found=f"{len(steps)} other keys",
            expected="the key that was given",
        )
        return ()
    ends = [step.since for step in steps[1:]]
    return tuple(
        TrustedKey(number=step.number, public=step.public, since=step.since, until=until)
        for step, until in zip(steps, [*ends, None], strict=True)
    )
