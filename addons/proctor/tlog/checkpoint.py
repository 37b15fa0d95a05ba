"""Checkpoints (C2SP tlog-checkpoint): how large a log is and what its root is, as a note's text."""

from base64 import b64encode
from dataclasses import dataclass

from proctor.errors import ClientError
from proctor.tlog.text import decimal_of, hash_of


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
        number = decimal_of(size)
        if number is None:
            raise _malformed("a size that is no number")
        raw = hash_of(root)
        if raw is None:
            raise _malformed("a root that is no hash")
        return cls(origin, number, raw, tuple(extensions))


def _malformed(got: str) -> ClientError:
    return ClientError(
        "checkpoint-malformed",
        "This is no checkpoint",
        got=got,
        expected="lines with origin, size and root (C2SP tlog-checkpoint)",
    )
