"""What is written in characters that nobody sees is read."""

import base64
from collections.abc import Callable

import pytest

from proctor.leaving.unseen import LEAST, unseen
from proctor.leaving.watch import Watch
from tests.leaving.looking import AWS, PASSWORD, known, look

ZERO, ONE, APART = "\u200b", "\u200c", "\u200d"


def bits(value: str, size: int = 8, zero: str = ZERO, one: str = ONE) -> str:
    digits = "".join(f"{ord(sign):0{size}b}" for sign in value)
    return digits.replace("0", zero).replace("1", one)


def selected(value: str) -> str:
    codes = value.encode()
    return "".join(chr(0xFE00 + n if n < 16 else 0xE0100 + n - 16) for n in codes)


WAYS: dict[str, Callable[[str], str]] = {
    "bits": bits,
    "bits the other way round": lambda value: bits(value, zero=ONE, one=ZERO),
    "seven bits": lambda value: bits(value, 7),
    "other signs": lambda value: bits(value, zero="\u2060", one="\ufeff"),
    "a sign between": lambda value: APART.join(bits(each) for each in value),
    "no zeros before": lambda value: APART.join(
        f"{ord(each):b}".replace("0", ZERO).replace("1", ONE) for each in value
    ),
    "words between": lambda value: "a ".join(bits(each) for each in value),
    "variation selectors": lambda value: "\U0001f600" + selected(value),
    "bits of base64": lambda value: bits(base64.b64encode(value.encode()).decode()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_in_them_is_found(way: str) -> None:
    watch = Watch()
    known(watch, PASSWORD)
    for value in (AWS, PASSWORD):
        body = f"hello {WAYS[way](value)} there".encode()
        searched, hits = look(watch, body=body, kind="text/plain")
        assert searched or hits, value
        assert all("invisible characters" in hit.words for hit in hits), hits


def test_it_says_where() -> None:
    text = f"hello {bits('nothing!')} there"
    found = [text[start:end] for start, end, said in unseen(text) if said == b"nothing!"]
    assert found == [bits("nothing!")]


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f " * 40,
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 " * 80),
        ZERO * 500,
        (ZERO + "word") * 200,
        bits("abc"),
    ],
)
def test_ordinary_texts_hold_nothing(text: str) -> None:
    searched, hits = look(Watch(), body=text.encode(), kind="text/plain")
    assert not searched
    assert not hits


def test_a_few_say_nothing() -> None:
    assert not list(unseen("a" + ZERO * (LEAST - 1)))
