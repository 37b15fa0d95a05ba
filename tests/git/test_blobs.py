"""Blobs: windows of large ones, what is known again, what is no text."""

import gzip
from collections.abc import Sequence

import pytest

from proctor.git.blobs import OVERLAP, WINDOW, BlobScanner, windows
from proctor.redaction.model import Budget, Detector, Leaf, Spot
from proctor.redaction.settings import RedactionSettings
from tests.git.test_packreading import WORD, Words


class Counted(Words):
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def examine(self, leaves: Sequence[Leaf], budget: Budget) -> dict[int, tuple[Spot, ...]]:
        self.asked += 1
        return super().examine(leaves, budget)


def scanner(detector: Detector) -> BlobScanner:
    return BlobScanner(detector, RedactionSettings(), key=b"k" * 32)


def test_windows_overlap_and_know_their_lines() -> None:
    data = b"line\n" * (WINDOW // 2)
    found = list(windows(data))
    assert found[0] == (0, data[:WINDOW])
    assert found[1][0] == (WINDOW - OVERLAP) // 5
    assert b"".join([found[0][1], *(each[OVERLAP:] for _, each in found[1:])]) == data
    assert list(windows(b"")) == [(0, b"")]


def test_a_secret_far_inside_is_found_once_with_its_line() -> None:
    lines = (WINDOW - OVERLAP + 1000) // 5
    data = b"line\n" * lines + WORD.encode() + b"\n" + b"line\n" * 10_000
    found = scanner(Words()).scan(data)
    assert [(item.line, item.type) for item in found] == [(lines + 1, "API_KEY")]


@pytest.mark.parametrize(
    "data",
    [
        ("\ufeff" + WORD).encode("utf-16-le"),
        ("\ufeff" + WORD).encode("utf-16-be"),
        (WORD + " and more words").encode("utf-16-le"),
        (WORD + " and more words").encode("utf-16-be"),
        gzip.compress(b"x" * 100 + WORD.encode()),
        b"\x7fELF\0\1\2" + WORD.encode() + b" and more\0\1\2" * 9,
    ],
    ids=["le", "be", "le-bare", "be-bare", "gzip", "binary"],
)
def test_texts_that_are_written_otherwise(data: bytes) -> None:
    assert [item.type for item in scanner(Words()).scan(data)] == ["API_KEY"]


@pytest.mark.parametrize(
    "data",
    [b"\x1f\x8b\x08 no gzip", gzip.compress(b"x" * 999)[:-20], b"\xff\xfe\xd8", b"\0" * 99],
    ids=["no gzip", "cut off", "half a letter", "nothing"],
)
def test_what_only_looks_like_it(data: bytes) -> None:
    assert scanner(Words()).scan(data) == ()


def test_a_clean_blob_is_looked_at_once() -> None:
    words = Counted()
    looking = scanner(words)
    for _ in range(3):
        assert looking.scan(b"nothing in it") == ()
    assert words.asked == 1
    assert looking.scanned == 3 * len(b"nothing in it")
    assert len([looking.scan(WORD.encode()) for _ in range(2)]) == 2
    assert words.asked == 3  # what is found is found again
