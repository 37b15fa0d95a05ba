"""Public keys of an issuer, each bound to its algorithms."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.identity.jose import parse_jws
from proctor.identity.keys import ALGORITHMS, MAX_SET, parse_key, parse_key_set
from proctor.testing.issuer import Signer
from tests.support.identity import header


@cache
def signer(algorithm: str) -> Signer:
    return Signer(algorithm, kid=f"key-{algorithm}")


def key_set(*jwks: dict[str, Any]) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def changed(algorithm: str = "ES256", **changes: Any) -> dict[str, Any]:
    full = {**signer(algorithm).jwk, **changes}
    return {name: value for name, value in full.items() if value is not None}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_verifies_its_own_and_nothing_else(algorithm: str) -> None:
    own = signer(algorithm)
    jws = parse_jws(own.sign(header(own), b"{}"))
    key = parse_key(own.jwk)
    assert key is not None
    assert key.verifies(jws)
    assert not key.verifies(parse_jws(own.sign(header(own), b"{}")[:-8] + "AAAAAAAA"))
    for other in ALGORITHMS.keys() - {algorithm}:
        assert not key.fits(other)
        assert not key.verifies(parse_jws(own.sign(header(own, {"alg": other}), b"{}")))
    assert not any(key.fits(name) for name in ("none", "HS256", "ES521", ""))


def test_a_key_without_alg_is_for_all_of_its_type() -> None:
    key = parse_key(changed("RS256", alg=None))
    assert key is not None
    assert [name for name in ALGORITHMS if key.fits(name)] == [
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
    ]


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        changed(use="enc"),
        changed(use=7),
        changed(key_ops=["encrypt"]),
        changed(key_ops=[]),
        changed(key_ops="verify"),
        changed(alg="RS256"),
        changed(alg="ES521"),
        changed(alg="HS256"),
        changed(alg="none"),
        changed(alg=7),
        changed(kid=7),
        changed(kty="RSA"),
        changed(kty="oct"),
        changed(kty=["EC"]),
        changed(crv="P-384"),
        changed(crv="secp256k1"),
        changed(crv=7),
        changed(x=None),
        changed(x=7),
        changed(x=changed()["x"] + "="),
        changed(y=changed()["x"]),
        changed("RS256", e="AQ"),
        changed("RS256", n="AQAB"),
        changed("RS256", n=None),
        changed("RS256", n="_" * 1500),
        changed("EdDSA", crv="Ed448"),
        changed("EdDSA", crv="X25519"),
        changed("EdDSA", x="AAAA"),
    ],
)
def test_keys_that_are_not_for_signatures_or_weak_are_passed_over(jwk: dict[str, Any]) -> None:
    assert parse_key(jwk) is None
    good = changed("ES384")
    found = parse_key_set(key_set(jwk, good))
    assert [key.kid for key in found.keys] == [good["kid"]]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "no valid JSON"),
        (b"<html>", "no valid JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "without a list"),
        (b'{"keys":{}}', "without a list"),
        (b'{"keys":[1]}', "without a list"),
        (b'{"keys":[]}', "without a key"),
        (b'{"keys":[{}]}', "without a key"),
        (b'{"keys":[],"keys":[]}', "stands twice"),
        (b"[" * 100_000, "no valid JSON"),
        (b" " * (MAX_SET + 1), "more than"),
        (key_set(*[changed()] * 101), "101 keys"),
        (key_set(changed(), changed("ES384", d="AAAA")), "secret"),
        (key_set(changed(), {"kty": "oct", "k": "AAAA"}), "secret"),
    ],
)
def test_sets_that_must_not_be_believed(raw: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_key_set(raw)


def test_a_key_is_found_by_name_and_type() -> None:
    found = parse_key_set(key_set(changed(), changed("ES384"), changed("EdDSA")))
    own = signer("ES256")
    assert [key.kid for key in found.find(parse_jws(own.sign(header(own), b"")))] == ["key-ES256"]
    for other in ({"kid": "key-ES384"}, {"kid": "key-RS256"}, {"alg": "RS256"}, {"kid": ""}):
        assert found.find(parse_jws(own.sign(header(own, other), b""))) == ()


def test_a_token_without_a_name_for_its_key_may_be_of_any_that_fits() -> None:
    ours = [Signer(kid=f"k{number}").jwk for number in range(20)]
    found = parse_key_set(key_set(changed("ES384"), *ours))
    own = signer("ES256")
    keys = found.find(parse_jws(own.sign(header(own, {"kid": None}), b"")))
    assert len(keys) == 8
    assert all(key.fits("ES256") for key in keys)


def test_two_keys_of_one_name_and_type_are_none() -> None:
    twin = Signer(kid="key-ES256").jwk
    found = parse_key_set(key_set(changed(), twin, changed("ES384", kid="key-ES256")))
    own = signer("ES256")
    assert found.find(parse_jws(own.sign(header(own), b""))) == ()
    other = signer("ES384")
    signed = other.sign(header(other, {"kid": "key-ES256"}), b"")
    assert len(found.find(parse_jws(signed))) == 1


values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())
members = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid"])


@given(st.sampled_from(["ES256", "RS256", "EdDSA"]), st.dictionaries(members, values))
def test_any_key_is_read_or_passed_over(algorithm: str, changes: dict[str, Any]) -> None:
    parse_key({**signer(algorithm).jwk, **changes})


@given(st.binary() | st.integers(0, 300).map(lambda end: key_set(changed())[:end]))
def test_any_document_is_a_set_or_a_value_error(raw: bytes) -> None:
    try:
        parse_key_set(raw)
    except ValueError as error:
        assert "key set" in str(error)  # noqa: PT017 - some are sets
