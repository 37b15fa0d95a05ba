"""What witnesses signed of one writer's checkpoints: `cosignatures.jsonl`, beside them.

A line is a JSON object: `checkpoint`, the SHA-256 of the text that was signed, in hex; its `origin`
and `size`; `at`, when it came; and `line`, the signature as it stands in a note.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

NAME: Final = "cosignatures.jsonl"
_TAIL = 1 << 18
_MAX_LINE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """One cosignature.

    Attributes:
        checkpoint: SHA-256 of the checkpoint's text, in hex.
        origin: Of the checkpoint.
        size: Of the checkpoint.
        at: When it came, RFC 3339.
        line: The signature line, with its newline.
    """

    checkpoint: str
    origin: str
    size: int
    at: str
    line: str


def text_hash(text: str) -> str:
    """How `checkpoint` names a checkpoint's text."""
    return sha256(text.encode()).hexdigest()


def keep(folder: Path, found: Cosigned) -> None:
    """Add one; durable when this returns.

    Raises:
        OSError: The disk does not take it.
    """
    line = json.dumps(asdict(found), separators=(",", ":")).encode() + b"\n"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(folder / NAME, flags, 0o600)
    try:
        end = _whole(handle, os.fstat(handle).st_size)
        os.ftruncate(handle, end)
        os.pwrite(handle, line, end)
        os.fsync(handle)
    finally:
        os.close(handle)


def read(folder: Path) -> Iterator[Cosigned]:
    """All of them, in the order they came; a line that a crash cut short is left out.

    Raises:
        ValueError: A line is none of ours.
        OSError: They cannot be read.
    """
    path = folder / NAME
    if not path.exists():
        return
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            if not line.endswith(b"\n"):
                if len(line) == _MAX_LINE:
                    raise ValueError("a line that is too long")
                return
            yield _parse(line)


def newest(folder: Path, origin: str, key_name: str) -> Cosigned | None:
    """The last one that a witness signed of a log; None where the end of the file has none.

    Raises:
        ValueError: A line is none of ours.
        OSError: They cannot be read.
    """
    try:
        with (folder / NAME).open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
            file.seek(start)
            lines = file.read().split(b"\n")[1 if start else 0 : -1]
    except FileNotFoundError:
        return None
    begins = f"— {key_name} "
    for line in reversed(lines):
        found = _parse(line)
        if found.origin == origin and found.line.startswith(begins):
            return found
    return None


def _parse(line: bytes) -> Cosigned:
    try:
        found = Cosigned(**json.loads(line))
    except TypeError:
        raise ValueError("a line with other members") from None
    texts = (found.checkpoint, found.origin, found.at, found.line)
    if not all(isinstance(each, str) for each in texts) or type(found.size) is not int:
        raise ValueError("a member of another type")
    return found


def _whole(handle: int, size: int) -> int:
    """Where the last whole line ends."""
    start = max(0, size - _MAX_LINE)
    tail = os.pread(handle, size - start, start)
    return start + tail.rfind(b"\n") + 1 if b"\n" in tail else start
