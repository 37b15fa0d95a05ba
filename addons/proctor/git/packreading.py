"""All that is told of one pack: runs in a process of its own (see packjob)."""

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Final

from proctor.git.blobs import BlobScanner, Sighting
from proctor.git.history import LINK, Entry, History, text
from proctor.git.packfile import BLOB, HASHES, Pack
from proctor.git.packreport import PackLimits, PackReport, PathChange
from proctor.git.secretpaths import Places, SecretPaths
from proctor.model import Finding
from proctor.redaction.model import SECRET_PATH

PATH_DETECTOR: Final = "proctor:git/secret-path"
_SECRET_PATHS: Final = 50
"""Of these that are told; one is enough to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked about a pack.

    Attributes:
        path: Of the pack.
        loose: It is no pack but one file: its name. "" for a pack.
        bases: Packs with more commits and trees, which are not looked at themselves.
        algorithm: `sha1` or `sha256`.
        limits: How much is read.
        direction: `request` or `response`: of the findings.
        detect: Whether blobs are looked at.
        history: Whether it is told what commits change.
        between: Pairs of commits, hex, the first perhaps empty: what changes between them.
        repository: Its name, for what is remembered of it.
        secret_paths: Patterns.
        places: File in which it is remembered what lies at secret paths; None for nowhere.
    """

    path: Path
    loose: str = ""
    bases: tuple[Path, ...] = ()
    algorithm: str = "sha1"
    limits: PackLimits = field(default_factory=PackLimits)
    direction: str = "request"
    detect: bool = True
    history: bool = True
    between: tuple[tuple[str, str], ...] = ()
    repository: str = ""
    secret_paths: tuple[str, ...] = ()
    places: Path | None = None


class Reading:
    """Reads one pack.

    Args:
        order: What is asked.
        scanner: Looks at blobs; None where that is not asked.
        clock: Monotonic, seconds.
    """

    def __init__(
        self,
        order: Order,
        scanner: BlobScanner | None = None,
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._order = order
        self._scanner = scanner if order.detect else None
        self._clock = clock
        self._history = History(order.limits, HASHES[order.algorithm]().digest_size)
        self._sizes: dict[bytes, int] = {}
        self._seen: dict[bytes, tuple[Sighting, ...]] = {}
        self._found = 0
        self._secret = SecretPaths(order.secret_paths)

    def report(self) -> PackReport:
        """All that is told of it.

        Raises:
            PackError: It cannot be read, or is more than may be.
        """
        if self._order.loose:
            return self._file()
        with ExitStack() as stack:
            for path in self._order.bases:
                self._base(path, stack)
            before = frozenset(self._history.commits)
            trees = frozenset(self._history.trees)
            pack = self._pack(self._order.path, stack)
            self._take(pack)
            size = self._order.path.stat().st_size
        own = [item for item in self._history.commits if item not in before]
        new_trees = [item for item in self._history.trees if item not in trees]
        changes, missing = self._changes(own) if self._order.history else ([], [])
        between = self._between(missing) if self._order.history else []
        tags = map(bytes.fromhex, self._history.tags)
        names = b"".join(sorted({*own, *new_trees, *tags, *self._sizes}))
        return PackReport(
            objects=pack.count,
            bytes=size,
            inflated=pack.inflated,
            commits=tuple(self._history.commits[item] for item in own),
            tags=self._history.tags,
            changes=tuple(changes[: self._order.limits.changes]),
            between=tuple(between[: self._order.limits.changes]),
            findings=tuple(self._findings(own, new_trees)),
            missing=tuple(missing),
            incomplete=tuple(self._incomplete(pack, len(changes) + len(between))),
            names=sha256(names).hexdigest(),
            scanned=self._scanner.scanned if self._scanner else 0,
            skipped=self._scanner.skipped if self._scanner else 0,
        )

    def _file(self) -> PackReport:
        """One file, looked at as a blob."""
        size = self._order.path.stat().st_size
        seen: tuple[Sighting, ...] = ()
        if size and self._scanner:
            with (
                self._order.path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                seen = self._scanner.scan(data)
        place = f"lfs/{self._order.loose[:12]}"
        return PackReport(
            objects=1,
            bytes=size,
            inflated=size,
            tags={},
            findings=tuple(self._sighted(place, seen)),
            scanned=self._scanner.scanned if self._scanner else 0,
            skipped=self._scanner.skipped if self._scanner else 0,
        )

    def _sighted(self, place: str, seen: Iterable[Sighting]) -> Iterator[Finding]:
        for each in seen:
            where = f"{place}:{each.line}" if each.line else place
            yield self._finding(each.type, where, each.detector, each.score, each.digest)

    def _incomplete(self, pack: Pack, changes: int) -> Iterator[str]:
        if pack.missing:
            yield f"{len(pack.missing)} objects rest on others that are not in the pack"
        if changes > self._order.limits.changes:
            yield f"more than {self._order.limits.changes} paths change"

    def _pack(self, path: Path, stack: ExitStack) -> Pack:
        file = stack.enter_context(path.open("rb"))
        if not path.stat().st_size:
            return Pack(b"", self._order.limits, algorithm=self._order.algorithm)
        contents = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        stack.callback(contents.close)
        return Pack(
            contents, self._order.limits, algorithm=self._order.algorithm, clock=self._clock
        )

    def _base(self, path: Path, stack: ExitStack) -> None:
        for item in self._pack(path, stack).objects():
            self._history.add(item)

    def _take(self, pack: Pack) -> None:
        for item in pack.objects():
            if item.type != BLOB:
                self._history.add(item)
                continue
            self._sizes[item.id] = len(item.data)
            if self._scanner and self._found < self._order.limits.findings:
                seen = self._scanner.scan(item.data)
                if seen:
                    self._seen[item.id] = seen
                    self._found += len(seen)

    def _changes(self, commits: Sequence[bytes]) -> tuple[list[PathChange], list[str]]:
        """Paths that some commit changes against every parent, and commits that are needed."""
        known: dict[tuple[bytes, Entry], None] = {}
        missing: dict[str, None] = {}
        for name in commits:
            commit = self._history.commits[name]
            new = bytes.fromhex(commit.tree)
            sides: list[dict[bytes, Entry]] = []
            unknown: set[bytes] = set()
            for parent in commit.parents or ("",):
                old = self._tree(parent)
                if old is None or (old and old not in self._history.trees):
                    missing[parent] = None
                    continue
                sides.append(dict(self._history.changed(old, new, unknown)))
            if unknown:
                missing.update(dict.fromkeys((commit.id, *commit.parents)))
            if sides:
                rest = sides[1:]
                same = {
                    path: entry
                    for path, entry in sides[0].items()
                    if all(path in side for side in rest)
                }
                known.update(dict.fromkeys(same.items()))
            else:  # nobody knows what it was: all that came with it
                known.update(dict.fromkeys(self._brought(new)))
            if len(known) > self._order.limits.changes:
                break
        return [self._change(path, entry) for path, entry in known], list(missing)

    def _brought(self, tree: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Below a tree, what is in the pack itself."""
        for path, entry in self._history.walk([(b"", tree)]):
            if not entry.folder and (entry.id in self._sizes or entry.mode == LINK):
                yield path, entry

    def _between(self, missing: list[str]) -> list[PathChange]:
        known: dict[tuple[bytes, Entry], None] = {}
        unknown: set[bytes] = set()
        for one, other in self._order.between:
            old, new = self._tree(one), self._tree(other)
            lacking = [
                commit
                for commit, tree in ((one, old), (other, new))
                if tree is None or (tree and tree not in self._history.trees)
            ]
            if not lacking and old is not None and new is not None:
                known.update(dict.fromkeys(self._history.changed(old, new, unknown)))
                lacking = [each for each in (one, other) if each and unknown]
            missing += [each for each in lacking if each not in missing]
        return [self._change(path, entry) for path, entry in known]

    def _tree(self, commit: str) -> bytes | None:
        """A commit's tree; b"" where there is no commit, None where it is not here."""
        if not commit:
            return b""
        found = self._history.commits.get(bytes.fromhex(commit))
        return bytes.fromhex(found.tree) if found else None

    def _change(self, path: bytes, entry: Entry) -> PathChange:
        return PathChange(
            path=text(path),
            blob=entry.id.hex(),
            size=self._sizes.get(entry.id, -1),
            mode=f"{entry.mode:06o}",
        )

    def _findings(self, commits: Iterable[bytes], trees: Sequence[bytes]) -> Iterator[Finding]:
        if not self._seen and not self._secret:
            return
        places = Places(self._order.places) if self._order.places and self._secret else None
        named: dict[bytes, bytes] = {}
        secret: dict[bytes, bytes] = {}
        keep: dict[tuple[bytes, bytes], None] = {}
        for path, entry in self._history.walk(self._roots(commits, trees, places, keep)):
            if entry.folder:
                if places and entry.id not in self._history.trees:
                    keep[entry.id, path + b"/"] = None
                continue
            if entry.id in self._seen:
                named.setdefault(entry.id, path)
            if entry.mode != LINK and self._secret.match(path):
                keep[entry.id, path] = None
                secret.setdefault(entry.id, path)
        if places:
            self._remembered(places, named, secret)
            places.add(self._order.repository, keep)
        came = sorted(path for item, path in secret.items() if item in self._sizes)
        for path in came[:_SECRET_PATHS]:
            yield self._finding(SECRET_PATH, text(path), PATH_DETECTOR, 1.0, "")
        for item, sightings in self._seen.items():
            place = text(named[item]) if item in named else f"blob {item.hex()[:12]}"
            yield from self._sighted(place, sightings)

    def _remembered(
        self, places: Places, named: dict[bytes, bytes], secret: dict[bytes, bytes]
    ) -> None:
        """Files that came without the folders that name them."""
        bare = [item for item in self._sizes if item not in secret]
        for item, paths in places.of(self._order.repository, bare).items():
            secret.setdefault(item, paths[0])
            named.setdefault(item, paths[0])

    def _roots(
        self,
        commits: Iterable[bytes],
        trees: Sequence[bytes],
        places: Places | None,
        keep: dict[tuple[bytes, bytes], None],
    ) -> list[tuple[bytes, bytes]]:
        """Trees that lie at a known place, and those of which nobody knows the place."""
        roots: dict[tuple[bytes, bytes], None] = {}
        for name in commits:
            tree = bytes.fromhex(self._history.commits[name].tree)
            if tree in self._history.trees:
                roots[b"", tree] = None
            elif places:
                keep[tree, b""] = None
        if places:
            for tree, paths in places.of(self._order.repository, trees).items():
                roots.update(dict.fromkeys((path, tree) for path in paths))
        below = {entry.id for _, entry in self._history.walk(list(roots)) if entry.folder} | {
            tree for _, tree in roots
        }
        for tree in trees:
            if tree not in below:
                roots[b"", tree] = None
        return list(roots)

    def _finding(self, kind: str, location: str, detector: str, score: float, name: str) -> Finding:
        return Finding(
            type=kind,
            location=location,
            direction=self._order.direction,
            score=score,
            detector=detector,
            digest=name,
        )
