"""Signatures, against AWS's own examples and against botocore."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.credentials.sigv4 import (
    Keys,
    Outgoing,
    Scope,
    _pairs,
    canonical_path,
    canonical_request,
    sign,
    signature,
)
from proctor.errors import ClientError

GOLDEN = Path(__file__).parents[1] / "golden"
# From aws-c-auth (Apache-2.0), tests/aws-signing-test-suite/v4, those that are normalized.
AWS: dict[str, Any] = json.loads((GOLDEN / "sigv4_aws.json").read_text())
BOTOCORE: dict[str, Any] = json.loads((GOLDEN / "sigv4_botocore.json").read_text())
KEYS = Keys(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope(region="us-east-1", service="service")
NOW = 1440938160.0


def outgoing(**changes: Any) -> Outgoing:
    plain: dict[str, Any] = {
        "method": b"GET",
        "host": b"h.example.com",
        "target": b"/",
        "headers": [],
        "content": b"",
    }
    return Outgoing(**plain | changes)


def read(text: str) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """Method, target and headers of an example; a folded line goes on with the header above it."""
    first, *lines = text.partition("\n\n")[0].rstrip("\n").split("\n")
    method, _, rest = first.partition(" ")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        if line.startswith(" "):
            name, value = headers.pop()
            headers.append((name, value + b" " + line.strip().encode()))
        else:
            name_, _, value_ = line.partition(":")
            headers.append((name_.lower().encode(), value_.encode()))
    return method.encode(), rest.rpartition(" ")[0].encode(), headers


@pytest.mark.parametrize("name", AWS)
def test_examples_of_aws(name: str) -> None:
    example = AWS[name]
    method, target, headers = read(example["request"])
    when = b"20150830T123600Z"
    expected: list[str] = example["canonical"].split("\n")
    payload = expected[-1].encode()
    headers.append((b"x-amz-date", when))
    context = example["context"]
    if context["sign_body"]:
        headers.append((b"x-amz-content-sha256", payload))
    token = context["credentials"].get("token")
    if token and not context.get("omit_session_token"):
        headers.append((b"x-amz-security-token", token.encode()))
    path, _, query = target.partition(b"?")
    canonical = canonical_request(
        method, canonical_path(path, "service"), _pairs(query), headers, payload
    )
    assert canonical.decode() == example["canonical"]
    assert signature(canonical, KEYS, SCOPE, when).decode() == example["signature"]


@pytest.mark.parametrize("request_", BOTOCORE["requests"], ids=lambda item: item["target"])
def test_requests_signed_by_botocore(request_: dict[str, Any]) -> None:
    headers = [(name.encode(), value.encode()) for name, value in request_["headers"]]
    keys = Keys(
        access_key=KEYS.access_key,
        secret_key=KEYS.secret_key,
        session_token=request_["session_token"],
    )
    target, fields = sign(
        outgoing(
            method=request_["method"].encode(),
            host=request_["host"].encode(),
            target=request_["target"].encode(),
            headers=headers,
            content=request_["content"].encode(),
        ),
        keys,
        Scope(region=request_["region"], service=request_["service"]),
        BOTOCORE["now"],
    )
    assert target.decode() == request_["target"]
    assert dict(fields)[b"authorization"].decode() == request_["authorization"]


def test_a_signature_of_the_client_s_own_is_taken_out() -> None:
    theirs = [
        (b"Authorization", b"AWS4-HMAC-SHA256 Credential=AKIATHEIRS/x"),
        (b"X-Amz-Security-Token", b"theirs"),
        (b"X-Amz-Date", b"20000101T000000Z"),
        (b"x-amz-s3session-token", b"theirs"),
        (b"Accept", b"*/*"),
    ]
    target = b"/k?a=1&X-Amz-Signature=theirs&x%2Damz-credential=theirs&X-Amz-Expires=9&b"
    signed, fields = sign(outgoing(target=target, headers=theirs), KEYS, SCOPE, NOW)
    assert signed == b"/k?a=1&b="
    assert [name for name, _ in fields] == [
        b"Accept",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"authorization",
    ]
    assert b"theirs" not in repr((signed, fields)).lower().encode()


@pytest.mark.parametrize(
    ("sent", "leaves"),
    [
        (b"/?a=b+c", b"/?a=b%20c"),
        (b"/?a=%41%2f", b"/?a=A%2F"),
        (b"/?a&&b=", b"/?a=&b="),
        (b"/?a=x=y", b"/?a=x%3Dy"),
        (b"/?a=%zz", b"/?a=%25zz"),
        (b"/?", b"/?"),
        (b"/p+q%2f", b"/p+q%2f"),
    ],
)
def test_a_query_leaves_in_the_spelling_that_is_signed(sent: bytes, leaves: bytes) -> None:
    assert sign(outgoing(target=sent), KEYS, SCOPE, NOW)[0] == leaves


@pytest.mark.parametrize(
    ("path", "service", "expected"),
    [
        (b"/a//b/../c", "s3", b"/a//b/../c"),
        (b"/a b%20c+%2f", "s3", b"/a%20b%20c%2B%2F"),
        (b"", "s3", b"/"),
        (b"/a//b/../c", "es", b"/a/c"),
        (b"/a%20b", "es", b"/a%2520b"),
        (b"/..", "es", b"/"),
        (b"", "es", b"/"),
        (b"*", "es", b"/%2A"),
    ],
)
def test_paths(path: bytes, service: str, expected: bytes) -> None:
    assert canonical_path(path, service) == expected


def test_a_body_that_ends_in_a_checksum_is_told_so() -> None:
    said = (b"X-Amz-Content-SHA256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    _, fields = sign(outgoing(headers=[said]), KEYS, Scope(region="r", service="s3"), NOW)
    assert [value for name, value in fields if name.lower() == said[0].lower()] == [said[1]]


def test_a_body_signed_by_another_is_refused() -> None:
    said = (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
    with pytest.raises(ClientError) as caught:
        sign(outgoing(headers=[said]), KEYS, SCOPE, NOW)
    assert caught.value.code == "body-signed-in-parts"


@given(
    st.binary(max_size=60).map(lambda raw: b"/" + raw),
    st.lists(st.tuples(st.sampled_from([b"X-Amz-A", b"Content-Type", b"b"]), st.binary())),
)
def test_anything_is_signed(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    again, fields = sign(outgoing(target=target, headers=headers), KEYS, SCOPE, NOW)
    # What leaves signs to the same: nothing in it has two spellings.
    assert sign(outgoing(target=again, headers=fields), KEYS, SCOPE, NOW)[0] == again
    assert dict(fields)[b"authorization"].startswith(b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert again.partition(b"?")[0] == target.partition(b"?")[0]


def test_keys_show_themselves_nowhere() -> None:
    assert "wJalr" not in repr(KEYS)
