"""SCRAM-SHA-256 as a client."""

import base64
import hmac
from hashlib import pbkdf2_hmac, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import UpstreamError
from proctor.protocols.postgres.scram import MAX_ITERATIONS, Scram, prepared

# RFC 7677, 3; its client sends a name, and PostgreSQL's does not, so that proofs differ.
NONCE = "rOprNGfwEbeRWgbNEkqO"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
SERVER_FIRST = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)


def scram(binding: bytes | None = None, *, could_bind: bool = False) -> Scram:
    return Scram("pencil", binding=binding, could_bind=could_bind, nonce=NONCE)


def server_final(given: Scram, client_final: bytes) -> bytes:
    """What a server that knows the password says, by RFC 5802, 3; the proof is checked."""
    salted = pbkdf2_hmac("sha256", b"pencil", base64.b64decode(SALT), 4096)
    without_proof, _, proof = client_final.rpartition(b",p=")
    bare = given.first().partition(b"n=")
    message = b",".join((bare[1] + bare[2], SERVER_FIRST, without_proof))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(sha256(client_key).digest(), message, "sha256")
    found = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
    assert found == client_key
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return b"v=" + base64.b64encode(hmac.digest(server_key, message, "sha256"))


@pytest.mark.parametrize(
    ("binding", "could_bind", "header", "name"),
    [
        (None, False, b"n,,", "SCRAM-SHA-256"),
        (None, True, b"y,,", "SCRAM-SHA-256"),
        (b"hash", True, b"p=tls-server-end-point,,", "SCRAM-SHA-256-PLUS"),
    ],
)
def test_both_sides_prove_themselves(
    binding: bytes | None,
    could_bind: bool,  # noqa: FBT001 - a column of the table
    header: bytes,
    name: str,
) -> None:
    client = scram(binding, could_bind=could_bind)
    assert client.mechanism == name
    assert client.first() == header + b"n=,r=" + NONCE.encode()
    final = client.final(SERVER_FIRST)
    bound = base64.b64encode(header + (binding or b""))
    assert final.startswith(b"c=" + bound + b",r=" + NONCE.encode() + b"%hvYD")
    client.verify(server_final(client, final))


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"e=other-error",
        SERVER_FIRST.replace(b"rOpr", b"xOpr"),
        b"r=" + NONCE.encode() + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        SERVER_FIRST.replace(b"4096", b"0"),
        SERVER_FIRST.replace(b"4096", b"-1"),
        SERVER_FIRST.replace(b"4096", str(MAX_ITERATIONS + 1).encode()),
        SERVER_FIRST.replace(b"4096", b"9" * 50),
        SERVER_FIRST.replace(b"gQ==", b"gQ="),
        SERVER_FIRST + b",x=1",
        b"m=1," + SERVER_FIRST,
    ],
)
def test_a_challenge_that_is_wrong_is_not_answered(first: bytes) -> None:
    with pytest.raises(UpstreamError) as raised:
        scram().final(first)
    assert raised.value.code == "upstream-authentication"
    assert "pencil" not in str(raised.value)


@pytest.mark.parametrize("final", [b"", b"e=invalid-proof", b"v=", b"v=AAAA", b"v=!"])
def test_a_server_that_does_not_prove_itself_is_refused(final: bytes) -> None:
    client = scram()
    client.final(SERVER_FIRST)
    with pytest.raises(UpstreamError, match="upstream_tls"):
        client.verify(final)


def test_a_proof_before_its_time_is_none() -> None:
    with pytest.raises(UpstreamError, match="cannot be read"):
        scram().verify(b"v=" + base64.b64encode(b""))


def test_nonces_differ() -> None:
    first, second = (Scram("x", binding=None, could_bind=False).first() for _ in range(2))
    assert first != second
    assert len(first) > 24


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("I\u00adX", "IX"),  # RFC 4013, 3
        ("user", "user"),
        ("ª", "a"),
        ("Ⅸ", "IX"),
        ("a\u00a0b", "a b"),
        ("a\u0007é", "a\u0007é"),  # prohibited, so that PostgreSQL takes it as it is
        ("\u06271", "\u06271"),
        ("\u00ad", "\u00ad"),
    ],
)
def test_passwords_are_prepared(password: str, expected: str) -> None:
    assert prepared(password) == expected.encode()


@given(st.binary(max_size=120))
def test_any_challenge_is_answered_or_refused(first: bytes) -> None:
    client = scram()
    with pytest.raises(UpstreamError):
        client.final(first)
