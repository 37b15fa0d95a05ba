"""Private keys in blocks, whole or cut off."""

import random

import pytest

from proctor.redaction.model import PRIVATE_KEY
from proctor.redaction.recognizers.blocks import SHAPES
from tests.redaction.recognizers.kinds import b64, noise
from tests.redaction.recognizers.shaped import found, values

_rng = random.Random(3)  # noqa: S311 - test data
BODY = "\n".join(b64(_rng, 48) for _ in range(6))


def pem(label: str, body: str = BODY) -> str:
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----"


@pytest.mark.parametrize(
    "label",
    [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
        "OpenVPN Static key V1",
    ],
)
def test_a_block_is_found_whole(label: str) -> None:
    assert found(SHAPES, f"a {pem(label)} b") == [(PRIVATE_KEY, pem(label))]


@pytest.mark.parametrize("broken", ["\\n", " ", "\r\n", "\n> ", '"\n+ "'])
def test_however_its_lines_are_broken(broken: str) -> None:
    text = pem("PRIVATE KEY").replace("\n", broken)

    assert values(SHAPES, f"key: {text}!") == [text]


def test_without_an_end_up_to_where_it_was_cut() -> None:
    whole = pem("RSA PRIVATE KEY")
    for cut in range(len("-----BEGIN RSA PRIVATE KEY-----\n") + 24, whole.index("-----END")):
        (value,) = values(SHAPES, whole[:cut])
        assert value == whole[:cut].rstrip()


def test_prose_about_a_block_is_none() -> None:
    assert (
        values(
            SHAPES, 'starts with "-----BEGIN PRIVATE KEY-----" and then some base64 text follows'
        )
        == []
    )
    assert values(SHAPES, pem("PUBLIC KEY")) == []
    assert values(SHAPES, pem("CERTIFICATE")) == []


def test_one_block_after_another() -> None:
    assert len(values(SHAPES, "\n".join([pem("EC PRIVATE KEY")] * 3))) == 3


def test_putty() -> None:
    mac = noise(_rng, 40, "0123456789abcdef")
    text = f"PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 6\n{BODY}\nPrivate-MAC: {mac}\n"

    got = "".join(values(SHAPES, text))

    assert BODY in got
    assert mac in got


def test_private_members_of_a_jwk() -> None:
    secret = noise(_rng, 43)

    assert values(SHAPES, f'{{"kty":"EC","x":"{noise(_rng, 43)}","d":"{secret}"}}') == [secret]


def test_age() -> None:
    key = "AGE-SECRET-KEY-1" + noise(_rng, 58, "ACDEFGHJKLMNPQRSTUVWXYZ023456789")

    assert values(SHAPES, f"# created\n{key}\n") == [key]
