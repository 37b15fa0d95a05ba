"""What a push would do: read out of its pack, and of what its server says it builds upon.

A pack holds what is new. Whether a ref moves to where it does not descend from, and which paths
change, can often be told only with commits and trees that the server has already; it is asked for
these. What cannot be told counts as forced, or as `unknown`: rules can ask for a human then.
"""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from proctor.errors import UpstreamError
from proctor.git.ancestry import descent
from proctor.git.packreading import Order
from proctor.git.packreport import PackError, PackReport, PathChange
from proctor.git.spool import Spool
from proctor.git.upstream import Upstream, Wanted
from proctor.model import Finding, GitFields
from proctor.protocols.git.push import Command, Push, legible

MAX_PATHS: Final = 1000
"""Paths that rules are shown (policy.cost.MAX_ITEMS); of more, the folders that hold them."""

MAX_LETTERS: Final = 200_000
"""Characters of all of them together (policy.values.MAX_TEXT)."""

MAX_ASKED: Final = 16
"""Commits that the server is asked for at once, and refs whose descent it is asked about."""

SHOWN: Final = 200
"""Commits that the record and a reviewer are shown."""

SHA256: Final = 64
"""Hex digits of an id of the newer kind."""

_TAGS: Final = b"refs/tags/"
_TAG_CHAIN: Final = 10


class Reader(Protocol):
    """Reads packs."""

    async def read(self, order: Order) -> PackReport:
        """What is in a pack."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What is known of a push.

    Attributes:
        fields: What rules see.
        findings: Secrets in its blobs.
        summary: What the record and a reviewer are shown, as JSON; to be redacted.
        content: What makes it this push and no other.
    """

    fields: GitFields
    findings: tuple[Finding, ...] = ()
    summary: dict[str, Any] = field(repr=False)
    content: tuple[bytes, ...] = field(default=(), repr=False)


class Look:
    """Looks at one push.

    Args:
        push: Its commands.
        spool: Its pack.
        repository: Its name, as rules have it.
        packs: Reads packs.
        upstream: Asks the server.
        detect: Whether its blobs are looked at.
    """

    def __init__(  # noqa: PLR0913 - what is looked at, and with what
        self,
        push: Push,
        spool: Spool,
        *,
        repository: str,
        packs: Reader,
        upstream: Upstream,
        detect: bool = True,
    ) -> None:
        self._push = push
        self._spool = spool
        self._repository = repository
        self._packs = packs
        self._upstream = upstream
        self._moved = tuple(each for each in push.commands if not each.creates | each.deletes)
        newer = any(len(each.new) == SHA256 for each in push.commands)
        self._order = Order(
            path=spool.path,
            algorithm="sha256" if newer else "sha1",
            detect=detect,
            repository=repository,
            between=tuple((each.old, each.new) for each in self._moved if _branch(each)),
        )
        self._unknown = False

    async def told(self) -> Pushed:
        """All that can be told of it.

        Raises:
            PackError: Its pack cannot be read.
            InternalError: Nobody could look at it.
        """
        async with AsyncExitStack() as stack:
            report = await self._read(stack)
            forced = {each.ref for each in self._moved if await self._forced(each, report)}
        changes = {each.path: each for each in (*report.changes, *report.between)}
        if report.missing or report.incomplete or _bare(report):
            self._unknown = True
        return self._pushed(report, changes, forced)

    async def _read(self, stack: AsyncExitStack) -> PackReport:
        """The pack, against what it builds upon: most often what its refs are now."""
        if not self._push.packed:
            return PackReport(objects=0, bytes=0, inflated=0, tags={})
        asked = [each.old for each in self._moved if _branch(each)]
        bases = await self._bases(stack, asked)
        report = await self._packs.read(replace(self._order, bases=bases))
        known = {*asked, *(each.id for each in report.commits)}
        more = [each for each in dict.fromkeys(report.missing) if each not in known]
        if not more:
            return report
        further = await self._bases(stack, more)
        if not further:
            return report
        order = replace(self._order, bases=(*bases, *further), detect=False)
        again = await self._packs.read(order)
        return replace(again, findings=report.findings)

    async def _bases(self, stack: AsyncExitStack, commits: Sequence[str]) -> tuple[Path, ...]:
        """A pack with the trees of commits that the server has; nothing where it gives none."""
        if not commits or len(commits) > MAX_ASKED:
            return ()
        wanted = Wanted(wants=commits, filter="blob:none", depth=1)
        try:
            return (await stack.enter_async_context(self._upstream.pack(wanted)),)
        except UpstreamError:
            return ()

    async def _forced(self, command: Command, report: PackReport) -> bool:
        """Whether a ref moves to where it does not descend from, or nobody can tell."""
        if not _branch(command):
            return True
        parents = {each.id: each.parents for each in report.commits}
        new = _named(command.new, report)
        known = descent(command.old, new, parents)
        if known.found or not known.open:
            return not known.found
        if len(known.open) > MAX_ASKED or self._moved.index(command) >= MAX_ASKED:
            self._unknown = True
            return True
        wanted = Wanted(wants=known.open, haves=(command.old,), filter="tree:0")
        try:
            async with self._upstream.pack(wanted) as path:
                order = Order(
                    path=path, algorithm=self._order.algorithm, detect=False, history=False
                )
                graph = await self._packs.read(order)
        except (UpstreamError, PackError):
            self._unknown = True
            return True
        parents |= {each.id: each.parents for each in graph.commits}
        return not descent(command.old, new, parents).found

    def _pushed(
        self, report: PackReport, changes: dict[str, PathChange], forced: set[bytes]
    ) -> Pushed:
        push = self._push
        paths = fitting(sorted(changes))
        unknown = self._unknown or len(paths) != len(changes)
        fields = GitFields(
            repository=self._repository,
            service="push",
            refs=tuple(each.name for each in push.commands),
            old=tuple(each.old for each in push.commands),
            new=tuple(each.new for each in push.commands),
            forced=bool(forced),
            deleted=any(each.deletes for each in push.commands),
            authors=_authors(report),
            paths=paths,
            commits=len(report.commits),
            bytes=self._spool.size,
            unknown=unknown,
        )
        return Pushed(
            fields=fields,
            findings=report.findings,
            summary=_summary(push, fields, report, changes, forced),
            content=(self._spool.head, report.names.encode()),
        )


def fitting(paths: Sequence[str]) -> tuple[str, ...]:
    """Paths, or where they are too many the folders that hold them, each with `/` at its end."""
    found: Iterable[str] = paths
    depth = max((path.count("/") for path in paths), default=0)
    while _too_many(found) and depth > 0:
        found = dict.fromkeys(_folder(path, depth) for path in paths)
        depth -= 1
    kept = list(found)
    if not _too_many(kept):
        return tuple(kept)
    return tuple(path for path in kept[:MAX_PATHS] if len(path) <= MAX_LETTERS // MAX_PATHS)


def _too_many(paths: Iterable[str]) -> bool:
    count = letters = 0
    for path in paths:
        count, letters = count + 1, letters + len(path)
    return count > MAX_PATHS or letters > MAX_LETTERS


def _folder(path: str, depth: int) -> str:
    """The first folders of a path, at most so many; one that is no deeper stays as it is."""
    parts = path.split("/")
    return path if len(parts) <= depth else "/".join(parts[:depth]) + "/"


def _branch(command: Command) -> bool:
    """Whether it is a ref that grows; a tag stays where it is, so to move it is forced."""
    return not command.ref.startswith(_TAGS)


def _named(name: str, report: PackReport) -> str:
    """What an annotated tag leads to."""
    for _ in range(_TAG_CHAIN):
        following = report.tags.get(name)
        if following is None:
            break
        name = following
    return name


def _bare(report: PackReport) -> bool:
    """Whether something is pushed that hangs on no commit, so that nobody can say at which path."""
    return report.objects > len(report.tags) and not report.commits


def _authors(report: PackReport) -> tuple[str, ...]:
    named = dict.fromkeys(
        mail for each in report.commits for mail in (each.author, each.committer) if mail
    )
    return tuple(sorted(named))[:MAX_PATHS]


def _summary(
    push: Push,
    fields: GitFields,
    report: PackReport,
    changes: dict[str, PathChange],
    forced: set[bytes],
) -> dict[str, Any]:
    """What is kept of a push; its pack is not."""
    return {
        "repository": fields.repository,
        "refs": [
            {
                "ref": each.name,
                "old": each.old,
                "new": each.new,
                "change": _change(each, forced=each.ref in forced),
            }
            for each in push.commands[:MAX_PATHS]
        ],
        "options": [legible(each) for each in push.options[:SHOWN]],
        "commits": [
            {
                "id": each.id,
                "author": each.author,
                "committer": each.committer,
                "subject": each.subject,
            }
            for each in report.commits[:SHOWN]
        ],
        "commits_in_all": len(report.commits),
        "paths": [
            {"path": path, "bytes": found.size if (found := changes.get(path)) else None}
            for path in fields.paths
        ],
        "paths_in_all": len(changes),
        "pack": {"bytes": fields.bytes, "objects": report.objects, "names": report.names},
        "unknown": fields.unknown,
        "incomplete": list(report.incomplete),
    }


def _change(command: Command, *, forced: bool) -> str:
    if command.deletes:
        return "delete"
    if command.creates:
        return "create"
    return "forced" if forced else "update"
