"""What was read out of a pack, and how much of one may be read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from proctor.errors import ClientError
from proctor.model import Finding


@dataclass(slots=True, eq=False)
class PackError(ClientError):
    """A pack that cannot be read, or is more than may be read; nothing of it may pass.

    Its code is `git-pack-unreadable` or `git-pack-limit`.
    """

    status: int = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class PackLimits:
    """How much of one pack is read.

    Attributes:
        objects: In it.
        inflated: Bytes of all objects, deltas applied.
        object: Bytes of one object.
        depth: Deltas on top of one another; git makes at most 4095 (gitformat-pack).
        paths: Entries of trees that are looked at.
        changes: Changed paths that are told.
        findings: After which no more is looked for: it is refused by then.
        seconds: For all of it.
    """

    objects: int = 5_000_000
    inflated: int = 16 * 2**30
    object: int = 512 * 2**20
    depth: int = 4095
    paths: int = 20_000_000
    changes: int = 100_000
    findings: int = 200
    seconds: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit in a pack; ids are hex.

    Attributes:
        id: Its name.
        parents: Of the commits before it.
        tree: Of its files.
        author: E-mail address as written.
        committer: The same.
        subject: First line of its message.
    """

    id: str
    parents: tuple[str, ...]
    tree: str
    author: str
    committer: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChange:
    r"""A path that some commit changes.

    Attributes:
        path: As text; bytes that are no UTF-8 as `\\xNN`.
        blob: What stands there now, hex; empty where it is deleted.
        size: Of the blob, bytes; -1 where it is not in the pack.
        mode: Octal, such as `100644`, `120000` for a link, `160000` for a submodule.
    """

    path: str
    blob: str
    size: int
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PackReport:
    """What is in one pack.

    Attributes:
        objects: How many.
        bytes: Of the pack.
        inflated: Bytes of its objects.
        commits: In it, in its order.
        tags: Annotated tags: their id → the id that they name, hex.
        changes: What its commits change against all of their parents.
        between: What changes from the first to the second of each pair that was asked for.
        findings: Of its blobs: secrets, at `path:line`, and SECRET_PATH, at the path.
        missing: Commits, hex, whose trees are needed to tell what changes.
        incomplete: What could not be read, in words; empty where all was.
        names: SHA-256 over the ids of all its objects, sorted: the same for a pack of the same
            objects, however it is compressed.
        scanned: Bytes that were looked at.
        skipped: Bytes of binaries, which were not.
    """

    objects: int
    bytes: int
    inflated: int
    commits: tuple[Commit, ...] = ()
    tags: Mapping[str, str]
    changes: tuple[PathChange, ...] = ()
    between: tuple[PathChange, ...] = ()
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    names: str = ""
    scanned: int = 0
    skipped: int = 0

    def as_json(self) -> dict[str, Any]:
        """For another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "PackReport":
        """What `as_json` made.

        Raises:
            KeyError: It is something else.
            TypeError: The same.
        """
        return cls(
            objects=said["objects"],
            bytes=said["bytes"],
            inflated=said["inflated"],
            commits=tuple(
                Commit(**{**item, "parents": tuple(item["parents"])}) for item in said["commits"]
            ),
            tags=dict(said["tags"]),
            changes=tuple(PathChange(**item) for item in said["changes"]),
            between=tuple(PathChange(**item) for item in said["between"]),
            findings=tuple(Finding(**item) for item in said["findings"]),
            missing=tuple(said["missing"]),
            incomplete=tuple(said["incomplete"]),
            names=said["names"],
            scanned=said["scanned"],
            skipped=said["skipped"],
        )
