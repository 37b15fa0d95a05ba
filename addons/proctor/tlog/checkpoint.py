"""Checkpoints (C2SP tlog-checkpoint): how large a log is and what its root is, as a note's text."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass

from proctor.errors import ClientError
from proctor.tlog.tree import HASH_SIZE

# No sign, no leading zeros, at most what 63 bits hold.
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one moment.

    Attributes:
        origin: Which log.
        size: Leaves in its tree.
        root: Root of the tree, 32 bytes.
        extensions: Further lines, without newlines.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The note's text."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Reads a note's text.

        Raises:
            ClientError: Code `checkpoint-malformed`.
        """
        lines = text.split("\n")
        if lines.pop() or len(lines) < 3 or not all(lines):  # noqa: PLR2004 - origin, size, root
            raise _malformed("fewer than three lines, an empty one, or one without an end")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size) or int(size) > MAX_SIZE:
            raise _malformed("a size that is no number")
        try:
            raw = b64decode(root, validate=True)
        except (Base64Error, ValueError):
            raw = b""
        if len(raw) != HASH_SIZE or b64encode(raw).decode() != root:
            raise _malformed("a root that is no hash")
        return cls(origin, int(size), raw, tuple(extensions))


def _malformed(got: str) -> ClientError:
    return ClientError(
        "checkpoint-malformed",
        "This is no checkpoint",
        got=got,
        expected="lines with origin, size and root (C2SP tlog-checkpoint)",
    )
