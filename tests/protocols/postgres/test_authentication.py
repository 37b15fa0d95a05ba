"""How proctor signs in at a server."""

import contextlib
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256, sha512

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import UpstreamError
from proctor.protocols.postgres.authentication import Authentication, end_point


def asked(kind: int, rest: bytes = b"") -> bytes:
    return kind.to_bytes(4, "big") + rest


def one(
    password: str | None = "secret", *, private: bool = True, binding: bytes | None = None
) -> Authentication:
    return Authentication("alice", password, private=private, binding=binding)


BOTH = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"


@pytest.mark.parametrize("password", ["secret", None])
def test_a_server_that_trusts_is_believed(password: str | None) -> None:
    found = one(password)
    assert not found.answer(asked(0))
    assert found.done


def test_cleartext_goes_where_nobody_reads_along() -> None:
    assert one().answer(asked(3)) == b"p\0\0\0\x0bsecret\0"
    with pytest.raises(UpstreamError, match="no TLS"):
        one(private=False).answer(asked(3))


def test_md5() -> None:
    inner = md5(b"secretalice", usedforsecurity=False).hexdigest().encode()
    outer = md5(inner + b"salt", usedforsecurity=False).hexdigest().encode()
    expected = b"md5" + outer + b"\0"
    assert one(private=False).answer(asked(5, b"salt")) == b"p" + b"\0\0\0\x28" + expected


@pytest.mark.parametrize("kind", [3, 5, 10])
def test_a_password_that_is_not_there_is_missed(kind: int) -> None:
    with pytest.raises(UpstreamError) as raised:
        one(None).answer(asked(kind, BOTH if kind == 10 else b"salt"))
    assert raised.value.code == "upstream-credential"


@pytest.mark.parametrize(
    ("offered", "binding", "chosen", "header"),
    [
        (BOTH, b"hash", b"SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,"),
        (BOTH, None, b"SCRAM-SHA-256", b"n,,"),
        (b"SCRAM-SHA-256\0\0", b"hash", b"SCRAM-SHA-256", b"y,,"),
        (b"SCRAM-SHA-256\0\0", None, b"SCRAM-SHA-256", b"n,,"),
        (b"OTHER\0SCRAM-SHA-256\0\0", None, b"SCRAM-SHA-256", b"n,,"),
    ],
)
def test_the_channel_is_bound_wherever_it_can_be(
    offered: bytes, binding: bytes | None, chosen: bytes, header: bytes
) -> None:
    said = one(binding=binding).answer(asked(10, offered))
    name, _, rest = said[5:].partition(b"\0")
    assert name == chosen
    assert int.from_bytes(rest[:4], "big") == len(rest) - 4
    assert rest[4:].startswith(header + b"n=,r=")


@pytest.mark.parametrize(
    ("offered", "binding"),
    [
        (b"SCRAM-SHA-256-PLUS\0\0", None),
        (b"OAUTHBEARER\0\0", b"hash"),
        (b"\0", None),
        (b"", None),
    ],
)
def test_no_common_way_is_said(offered: bytes, binding: bytes | None) -> None:
    with pytest.raises(UpstreamError, match="cannot be gone"):
        one(binding=binding).answer(asked(10, offered))


@pytest.mark.parametrize("kind", [0, 3, 5, 10, 12])
def test_scram_is_not_left_in_the_middle(kind: int) -> None:
    """A server that cannot prove that it knows the password is not believed."""
    found = one()
    found.answer(asked(10, BOTH))
    with pytest.raises(UpstreamError):
        found.answer(asked(kind, b"salt"))
    assert not found.done


@pytest.mark.parametrize("kind", [1, 2, 6, 7, 8, 9, 11, 12, 13, 0xFFFFFFFF])
def test_other_ways_are_refused(kind: int) -> None:
    with pytest.raises(UpstreamError, match="cannot be gone"):
        one().answer(asked(kind))


def test_nothing_comes_after_the_end() -> None:
    found = one()
    found.answer(asked(0))
    with pytest.raises(UpstreamError):
        found.answer(asked(3))


@given(st.integers(0, 14), st.binary(max_size=80))
def test_anything_is_answered_or_refused(kind: int, rest: bytes) -> None:
    with contextlib.suppress(UpstreamError):
        one().answer(asked(kind, rest))


def certificate(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, by: object) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, by)  # type: ignore[arg-type] # of the kinds below
    )
    return made.public_bytes(serialization.Encoding.DER)


def test_a_certificate_is_hashed_as_it_was_signed() -> None:
    """RFC 5929, 4.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    by_256, by_512 = certificate(key, hashes.SHA256()), certificate(key, hashes.SHA512())
    assert end_point(by_256) == sha256(by_256).digest()
    assert end_point(by_512) == sha512(by_512).digest()


def test_some_certificates_cannot_be_bound_to() -> None:
    assert end_point(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None
    assert end_point(b"no certificate") is None
