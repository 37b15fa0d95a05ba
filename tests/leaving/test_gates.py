"""Which codes there may be."""

import base64

import pytest

from proctor.leaving import gates


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        (base64.b32encode(b"sixteen letters!").decode(), gates.BASE32),
        ("115 107 45 97 110 116 45 97", gates.CODES),
        ("01110011 01101011 " * 4, gates.BINARY),
        ("a-b-c-d-e-f-g-h-i", gates.APART),
        ("=73=6B=2D=61=6E", gates.QUOTED),
        ("+AHMAawAtAGE-", gates.UTF7),
        ("AKIA1", gates.MIXED),
    ],
)
def test_a_code_is_noticed(text: str, gate: int) -> None:
    assert gate in gates.present(text)


def test_ordinary_text_has_none() -> None:
    assert gates.present("The quick brown fox jumps over the lazy dog.\n") == frozenset()
