"""A push on disk: as it came, bounded, and gone in the end."""

import gzip
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ClientError, InternalError
from proctor.git.spool import Spool
from proctor.protocols.git.pktline import FLUSH, pkt

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40
HEAD = pkt(f"{A} {B} refs/heads/main".encode() + b"\0report-status") + FLUSH
GONE = pkt(f"{A} {ZERO} refs/heads/main".encode() + b"\0report-status") + FLUSH
PACK = b"PACK" + bytes(range(256)) * 40


def made(folder: Path) -> Callable[[], tuple[int, Path]]:
    def make() -> tuple[int, Path]:
        handle, name = tempfile.mkstemp(dir=folder)
        return handle, Path(name)

    return make


def fed(spool: Spool, data: bytes) -> None:
    spool.feed(data)
    spool.finish()


@settings(max_examples=40)
@given(st.integers(0, len(HEAD + PACK)), st.booleans())
def test_a_push_cut_anywhere(cut: int, zipped: bool) -> None:  # noqa: FBT001 - drawn
    with tempfile.TemporaryDirectory() as folder:
        data = gzip.compress(HEAD + PACK) if zipped else HEAD + PACK
        cut %= len(data)
        spool = Spool(made(Path(folder)), 10**6, "gzip" if zipped else "")
        spool.feed(data[:cut])
        spool.feed(data[cut:])
        push = spool.finish()
        assert push.commands[0].new == B
        assert (spool.head, b"".join(spool.pieces()), spool.size) == (HEAD, PACK, len(PACK))
        spool.close()
        spool.close()
        assert not os.listdir(folder)  # noqa: PTH208 - as plain as it gets


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "git-malformed"),
        (HEAD[:-1], "git-malformed"),
        (HEAD, "git-malformed"),
        (GONE + b"PACK", "git-malformed"),
        (FLUSH + b"PACK", "git-malformed"),
        (HEAD + b"x" * 3000, "git-push-size"),
    ],
)
def test_what_is_no_push(tmp_path: Path, data: bytes, code: str) -> None:
    spool = Spool(made(tmp_path), 2000)
    with pytest.raises(ClientError) as caught:
        fed(spool, data)
    assert caught.value.code == code
    spool.close()


@pytest.mark.parametrize(
    "data", [b"no gzip at all", gzip.compress(HEAD + PACK)[:-9]], ids=["none", "cut off"]
)
def test_what_is_no_gzip(tmp_path: Path, data: bytes) -> None:
    spool = Spool(made(tmp_path), 10**6, "gzip")
    with pytest.raises(ClientError, match="git's protocol"):
        fed(spool, data)
    spool.close()


def test_more_behind_its_gzip(tmp_path: Path) -> None:
    spool = Spool(made(tmp_path), 10**6, "gzip")
    with pytest.raises(ClientError, match="git's protocol"):
        spool.feed(gzip.compress(HEAD + PACK) + b"GET / HTTP/1.1")
    spool.close()


def test_a_bomb(tmp_path: Path) -> None:
    spool = Spool(made(tmp_path), 10**6, "gzip")
    with pytest.raises(ClientError, match=r"limits\.pack"):
        spool.feed(gzip.compress(HEAD + bytes(50 * 2**20)))
    assert spool.path.stat().st_size <= 2 * 10**6
    spool.close()


def test_a_deletion_and_a_question(tmp_path: Path) -> None:
    for data in (GONE, FLUSH):
        spool = Spool(made(tmp_path), 1000)
        spool.feed(data)
        spool.finish()
        assert list(spool.pieces()) == []
        spool.close()


def test_another_coding(tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        Spool(made(tmp_path), 1000, "br")
    assert caught.value.status == 415
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_cut_does_not_leave(tmp_path: Path) -> None:
    spool = Spool(made(tmp_path), 10**6)
    spool.feed(HEAD + PACK)
    spool.finish()
    os.truncate(spool.path, 10)
    with pytest.raises(InternalError, match="as it came"):
        list(spool.pieces())
    spool.close()
    with pytest.raises(InternalError) as caught:
        list(spool.pieces())
    assert caught.value.code == "git-spool"
