"""What is uploaded is what was announced, or nothing leaves."""

import tempfile
from hashlib import sha256
from pathlib import Path

import pytest

from proctor.errors import ClientError, InternalError
from proctor.git.filespool import FileSpool

DATA = b"an object"


def spool(folder: Path, *, size: int = len(DATA), limit: int = 100) -> FileSpool:
    def make() -> tuple[int, Path]:
        handle, name = tempfile.mkstemp(dir=folder)
        return handle, Path(name)

    return FileSpool(make, sha256(DATA).hexdigest(), size, limit)


def test_as_it_came(tmp_path: Path) -> None:
    kept = spool(tmp_path)
    for byte in DATA:
        kept.feed(bytes([byte]))
    kept.finish()
    assert b"".join(kept.pieces()) == DATA
    assert kept.head == b""
    kept.path.write_bytes(DATA[:-1])
    with pytest.raises(InternalError):
        list(kept.pieces())
    kept.close()
    kept.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("came", [b"", DATA[:-1], b"an abject", DATA + b"x"])
def test_something_else(tmp_path: Path, came: bytes) -> None:
    kept = spool(tmp_path)

    def all_of_it() -> None:
        kept.feed(came)
        kept.finish()

    with pytest.raises(ClientError) as caught:
        all_of_it()
    assert caught.value.code == "git-lfs-object"
    kept.close()


def test_too_large(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"limits\.pack"):
        spool(tmp_path, limit=3)
    assert list(tmp_path.iterdir()) == []
