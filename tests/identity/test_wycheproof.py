"""C2SP's vectors for JSON Web Signature and Key, on our own reading of both."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from proctor.errors import AuthenticationError
from proctor.identity.jose import parse_jws
from proctor.identity.keys import KeySet, parse_key, parse_key_set
from tests.support.identity import shared_data

FILES = {
    "json_web_signature_test.json": (32, 369),
    "json_web_key_test.json": (1, 25),
    "json_web_crypto_test.json": (2, 81),
}
"""Vectors that are taken, and refused. Symmetric keys are refused, whatever the vector says."""


def vectors(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    path = shared_data() / "wycheproof" / name
    for group in json.loads(path.read_bytes())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def accepted(group: dict[str, Any], token: object) -> bool:
    """Whether the token would be believed, had the issuer published this key."""
    published = group.get("public") or group["private"]
    try:
        if "keys" in published:
            keys = parse_key_set(json.dumps(published).encode())
        else:
            key = parse_key(published)
            keys = KeySet(keys=() if key is None else (key,))
        # Some vectors are objects: the JSON serialization, which is no bearer token.
        jws = parse_jws(token if isinstance(token, str) else json.dumps(token))
    except (AuthenticationError, ValueError):
        return False
    return any(key.verifies(jws) for key in keys.find(jws))


def applies(group: dict[str, Any], test: dict[str, Any]) -> bool:
    """Whether a valid vector is one that we mean to take.

    Not: symmetric keys (whoever checks could sign), encrypted tokens, and four figures of RFC 7520
    whose key says it is for another algorithm than the token's (RFC 8725, 3.1).
    """
    published = group.get("public") or group["private"]
    symmetric = any(key["kty"] == "oct" for key in published.get("keys", [published]))
    mismatched = group["comment"].startswith("rfc7520") and test["tcId"] in {346, 347, 350, 351}
    return "jws" in test and not symmetric and not mismatched


@pytest.mark.parametrize("name", FILES)
def test_valid_vectors_are_taken_and_invalid_ones_refused(name: str) -> None:
    taken, refused = 0, 0
    for group, test in vectors(name):
        expected = test["result"] == "valid" and applies(group, test)
        token = test.get("jws", test.get("jwe"))
        assert accepted(group, token) == expected, (name, test["tcId"], test["comment"])
        taken, refused = taken + expected, refused + (not expected)
    assert (taken, refused) == FILES[name]
