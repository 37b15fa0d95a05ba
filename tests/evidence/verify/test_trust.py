"""Which keys may sign, and when."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proctor.audit.store import Store
from proctor.errors import ConfigurationError
from proctor.evidence.keys import origin_of_keys, read_trail
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.trust import parse_key, trusted
from proctor.tlog.note import VerifierKey

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
RAW = KEY.public_bytes_raw()


def test_a_key_in_each_of_its_forms() -> None:
    pem = KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (str(VerifierKey("proctor/x/keys", RAW)), pem, b64encode(RAW).decode()):
        assert parse_key(f"{text}\n") == RAW


def test_what_is_no_key_is_refused_and_not_repeated() -> None:
    vkey = str(VerifierKey("proctor/x/keys", RAW))
    wrong = [
        "",
        "x",
        b64encode(RAW[1:]).decode(),
        vkey[:-3],
        vkey.replace("proctor/x", "proctor/y"),
    ]
    wrong += ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "\u00e9" * 44]
    for text in wrong:
        with pytest.raises(ConfigurationError) as caught:
            parse_key(text)
        assert caught.value.code == "verify-key-unreadable"
        assert len(text) < 9 or text not in str(caught.value)


def test_any_key_of_the_trail_leads_to_all(original: Path) -> None:
    store_id = Store.at(original).id()
    steps = read_trail(original, store_id)
    findings = Findings()
    found = [trusted(original, store_id, step.public, findings) for step in steps]
    for keys in found:
        assert [key.public for key in keys] == [each.public for each in steps]
    assert not findings.counts
    first, second = found[0]
    later = steps[1].since + timedelta(hours=1)
    assert (first.covers(later), second.covers(later)) == (False, True)
    assert second.covers(datetime(2000, 1, 1, tzinfo=UTC)) is False


def test_another_key_leads_to_none(original: Path) -> None:
    findings = Findings()
    assert trusted(original, Store.at(original).id(), RAW, findings) == ()
    assert findings.codes() == {"key-not-in-trail"}


def test_without_a_key_the_trail_is_believed_and_that_is_said(original: Path) -> None:
    findings = Findings()
    assert len(trusted(original, Store.at(original).id(), None, findings)) == 2
    assert (findings.codes(), findings.codes(Level.NOTICE)) == (set(), {"key-not-given"})


def test_every_byte_of_the_trail(copy: Path) -> None:
    path = copy / "keys/000002.note"
    store_id, data = Store.at(copy).id(), path.read_bytes()
    assert origin_of_keys(store_id).encode() in data
    for at in range(len(data)):
        for changed in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            path.write_bytes(changed)
            findings = Findings()
            trusted(copy, store_id, None, findings)
            assert findings.codes() == {"key-trail-broken"}, at
    (copy / "keys/000001.note").unlink()
    path.unlink()
    findings = Findings()
    assert trusted(copy, store_id, None, findings) == ()
    assert findings.codes() == {"key-trail-missing"}
