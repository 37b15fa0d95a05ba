"""Text in bytes that are none."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proctor.leaving.gathered import PACKED, Place
from proctor.leaving.packed import MOST, strings
from proctor.leaving.watch import Watch
from proctor.redaction.model import Budget, RedactionError
from tests.leaving.looking import GITHUB, PASSWORD, WHO, budget, detector, known


def tar(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("app/.env")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def zipped(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("notes.txt", b"nothing here, and for long " * 20)
        archive.writestr("app/.env", content)
    return made.getvalue()


WAYS: Mapping[str, Callable[[bytes], bytes]] = {
    "PNG": lambda c: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x1ftEXtComment\0" + c + b"\0\1\2\3",
    "tar": tar,
    "gzip": lambda c: gzip.compress(c, mtime=0),
    "two gzips": lambda c: gzip.compress(gzip.compress(c, mtime=0), mtime=0),
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "tar.gz": lambda c: gzip.compress(tar(c), mtime=0),
    "tar.xz": lambda c: lzma.compress(tar(c)),
    "zip": zipped,
    "zip, stored": lambda c: zipped(c, zipfile.ZIP_STORED),
    "zip in tar.gz": lambda c: gzip.compress(tar(zipped(c)), mtime=0),
    "PDF": lambda c: b"%PDF-1.7\n1 0 obj\n<<>>\nstream\r\n" + zlib.compress(c) + b"\nendstream",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_packed_is_read_and_known_again(way: str) -> None:
    text = strings(WAYS[way](f"PASSWORD={PASSWORD}\nTOKEN={GITHUB}\n".encode()), budget())
    assert PASSWORD in text
    watch = Watch()
    known(watch, PASSWORD)
    hits = watch.trace(
        WHO, "a.example", [Place(-1, PACKED, text, "body", "")], detector(), budget()
    )
    assert {(hit.type, hit.place.leaf) for hit in hits} == {
        ("SECRET_PIECES", PACKED),
        ("API_KEY", PACKED),
    }


def test_what_an_archive_of_source_code_says_beside_a_word_is_no_key() -> None:
    text = 'password = "Zx81Spectrum"\nAuthorization: Ed25519PrivateKey\nsecret = "s3cr3t-value"\n'
    places = [Place(-1, PACKED, text, "body", "")]
    assert Watch().trace(WHO, "a.example", places, detector(), budget()) == []


def test_a_bomb_is_read_to_a_bound() -> None:
    bomb = gzip.compress(gzip.compress(b"a" * (8 * MOST)))
    assert len(strings(bomb, budget())) < 3 * MOST
    many = zipped(b"b" * (2 * MOST)) * 20
    assert len(strings(many, budget())) < 3 * MOST


def test_it_stops_when_the_time_is_up() -> None:
    with pytest.raises(RedactionError):
        strings(b"abcdefghij", Budget(-1, 10, time.monotonic))


@given(st.sampled_from(sorted(WAYS)), st.integers(0, 400), st.binary(max_size=8))
def test_broken_at_any_byte(way: str, at: int, noise: bytes) -> None:
    raw = WAYS[way](b"PASSWORD=hunter2hunter2")
    strings(raw[:at], budget())
    strings(raw[:at] + noise + raw[at + len(noise) :], budget())


@given(st.binary(max_size=300))
def test_any_bytes(raw: bytes) -> None:
    for line in filter(None, strings(raw, budget()).split("\n")):
        assert line.isascii()
        assert line.isprintable() or "\t" in line


def test_what_is_random_has_next_to_none() -> None:
    raw = random.Random(5).randbytes(2**18)  # noqa: S311 - the same in every run
    assert len(strings(raw, budget())) < 2**12
