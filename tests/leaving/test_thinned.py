"""Known secrets with noise between their characters, or XORed."""

import base64
import itertools
from collections.abc import Callable

import pytest

from proctor.leaving.thinned import differences, thinned
from proctor.leaving.watch import Watch
from tests.leaving.looking import GITHUB, PASSWORD, known, look

type _Written = Callable[[str], str]

NOISE = itertools.cycle("7q2xK9fz4")


def _xored(text: str, key: int) -> bytes:
    return bytes(byte ^ key for byte in text.encode())


MORSE = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz0123456789",
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - "  # noqa: SIM905 - as a text it can be read
        "..- ...- .-- -..- -.-- --.. ----- .---- ..--- ...-- ....- ..... -.... --... ---.. "
        "----.".split(),
        strict=True,
    )
)
WRITTEN: dict[str, _Written] = {
    "words between": " then ".join,
    "a letter between": "_x_".join,
    "as a list": lambda s: "\n".join(f"{n}. {c}" for n, c in enumerate(s, 1)),
    "a sign between": lambda s: "".join(c + next(NOISE) for c in s),
    "two signs between": lambda s: "".join(c + next(NOISE) + next(NOISE) for c in s),
    "XORed, in hex": lambda s: _xored(s, 0x2A).hex(),
    "inverted, in hex": lambda s: _xored(s, 0xFF).hex(),
    "XORed, in base64": lambda s: base64.b64encode(_xored(s, 0x77)).decode(),
    "Morse code": lambda s: " ".join(MORSE[c] for c in s.lower() if c in MORSE),
    "in circles": lambda s: "".join(
        chr(0x24B6 + ord(c) - 65)
        if "A" <= c <= "Z"
        else chr(0x24D0 + ord(c) - 97)
        if "a" <= c <= "z"
        else c
        for c in s
    ),
}


@pytest.mark.parametrize("secret", [PASSWORD, GITHUB])
@pytest.mark.parametrize("how", WRITTEN)
def test_a_known_secret_is_found(how: str, secret: str) -> None:
    watch = Watch()
    known(watch, secret)
    body = f"A note: {WRITTEN[how](secret)} and more."
    assert any(hit.type == "SECRET_PIECES" for hit in look(watch, body=body.encode())[1])


def test_one_that_nobody_has_seen_is_not() -> None:
    watch = Watch()
    known(watch, GITHUB)
    for written in WRITTEN.values():
        assert not look(watch, body=f"A note: {written(PASSWORD)} and more.".encode())[1]


def test_names_of_things_are_left_alone() -> None:
    ordinary = (
        '{"id":"0b7e6d1c-2a53-4b0e-9f1d-3c5a7b9d1e2f","at":"2026-11-23T10:00:00.000000Z",'
        '"path":"/usr/lib/python/site-packages/thing","lines":[1,2,3,4,5,6,7,8,9]}'
    )
    assert list(thinned(ordinary)) == []


def test_all_bytes_xored_with_one_differ_alike() -> None:
    assert differences(b"\x01\x03\x07") == "0204" == differences(b"\xfe\xfc\xf8")


def test_no_value_is_shown() -> None:
    (first, *_) = thinned("h u n t e r 2 2 2 x")
    assert "hunter" in first.text
    assert "hunter" not in repr(first)
