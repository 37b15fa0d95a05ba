# ruff: noqa: S608 - made of this package's own names and quoted literals
"""What retention drops of one writer's files.

Rows of envelopes go by their age, and blocks of content when nothing that is kept refers to them
any more. Runs in the keeper's thread, a file at a time.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import batched
from pathlib import Path
from typing import Any, Final

from proctor.audit import views
from proctor.audit.keeper import Keeper
from proctor.audit.reader import numbers, reference
from proctor.audit.scopes import born_at
from proctor.audit.segments import Segment, Workshop, segments
from proctor.audit.state import LEVELS, Bounds
from proctor.audit.store import CONTENT, SEGMENTS
from proctor.evidence.holds import Hold, Subject
from proctor.evidence.retention import NEVER, OF_KIND, TEXT_VIEWS, Cutoffs
from proctor.evidence.rewriting import RETENTION, empty, put
from proctor.model import ContentRef

# Events without which the rest could not be understood, or that say why something is not there.
KEPT_EVENTS: Final = ("erasure", "erasure.done", RETENTION, "hold.added", "hold.released")
_AT_ONCE: Final = 10_000
_LAST: Final = LEVELS - 1
_LATER: Final = "~"  # after every day
_SCOPE: Final = r'"scope":"(w[0-9]+\.[0-9a-f]+)"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One file of which something goes.

    Attributes:
        path: Where it is.
        day: Of its rows, or empty.
        sha256: As the ledger has it.
        rows: That go.
        left: That stay.
        keep: SQL of what stays.
    """

    path: Path
    day: str
    sha256: str
    rows: int
    left: int
    keep: str

    @property
    def span(self) -> tuple[str, int, int, int]:
        """Folder, first number, and last number and level less than 0: a merge sorts before."""
        _, level, first, last = self.path.stem.split("-")
        return self.path.parent.name, int(first), -int(last), -int(level)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run drops.

    Attributes:
        files: In order.
        scopes: Of which no content stays.
        kept: Numbers of the blocks that stay of others, by scope.
    """

    files: tuple[Due, ...] = ()
    scopes: frozenset[str] = frozenset()
    kept: Mapping[str, set[int]] = field(default_factory=dict[str, set[int]])

    @property
    def rows(self) -> int:
        """That go.

        What a merge was made of lies there until the merge counts, and its rows are the merge's.
        """
        rows, within = 0, ("", 0)
        for due in sorted(self.files, key=lambda due: due.span):
            folder, _, last, _ = due.span
            if folder != within[0] or -last > within[1]:
                rows, within = rows + due.rows, (folder, -last)
        return rows


type Steps = Generator[None, None, Plan]


def advance(steps: Steps) -> Plan | None:
    """Takes one step; the plan, once it is made."""
    try:
        next(steps)
    except StopIteration as over:
        plan: Plan = over.value
        return plan
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropping:
    """What may go, and what not.

    Attributes:
        keeper: Of the writer.
        cutoffs: By age and size.
        holds: In force.
        alive: Scopes in which something may still be stored.
        since: So are those born from then on; milliseconds since the epoch.
        seen: Files in which nothing was found, by what was looked for; goes on from run to run.
    """

    keeper: Keeper
    cutoffs: Cutoffs
    holds: tuple[Hold, ...]
    alive: frozenset[str]
    since: int
    seen: dict[str, tuple[object, ...]] = field(default_factory=dict[str, tuple[object, ...]])

    def plan(self, workshop: Workshop) -> Steps:
        """Finds what goes, a file at a time: between two steps the keeper may do its own work.

        Raises:
            duckdb.Error, OSError: The files cannot be read.
        """
        if not self.cutoffs.newest or any(hold.subject == Subject() for hold in self.holds):
            return Plan()
        going = f"coalesce({self._goes()}, false)"
        bounds, files = self.keeper.state.segments, []
        for path in self._fresh(SEGMENTS, bounds, before=self.cutoffs.newest):
            if due := self._due(workshop, path, f"NOT {going}"):
                files.append(due)
            yield
        content = yield from self._blocks(workshop, going)
        return replace(content, files=(*files, *content.files))

    def drop(self, workshop: Workshop, due: Due) -> int:
        """Drops what goes of one file, unless it is another one by now.

        Returns:
            Bytes by which it became smaller.

        Raises:
            duckdb.Error, OSError: It cannot be done; the file is as it was.
        """
        keeper, path = self.keeper, due.path
        said = keeper.ledger.files.get(path.relative_to(keeper.store.path).as_posix())
        if said is None or said["sha256"] != due.sha256 or not path.exists():
            return 0
        if not due.left:
            return empty(keeper.store, keeper.ledger, path, keeper.tmp, why=RETENTION)
        draft, rows = workshop.without(path, due.keep)
        try:
            return put(keeper.store, keeper.ledger, path, draft, rows=rows, why=RETENTION)
        finally:
            draft.unlink(missing_ok=True)

    def _files(self, folder: str, bounds: Bounds, *, before: str = _LATER) -> Iterator[Path]:
        """Files that count and have rows, of days before that one or of no known day."""
        root, ledger = self.keeper.store.path, self.keeper.ledger
        for segment in segments(root / folder, self.keeper.state.writer):
            said = ledger.files.get(f"{folder}/{segment.name}")
            if not said or not said["rows"] or _superseded(segment, bounds):
                continue
            if said["day"] < before:
                yield root / folder / segment.name

    def _fresh(self, folder: str, bounds: Bounds, *, before: str = _LATER) -> Iterator[Path]:
        """As `_files`; those that come of a merge between two steps, too."""
        done: set[str] = set()
        while True:
            files = self._files(folder, bounds, before=before)
            path = next((path for path in files if path.name not in done), None)
            if path is None:
                return
            done.add(path.name)
            yield path

    def _due(self, workshop: Workshop, path: Path, keep: str) -> Due | None:
        name = path.relative_to(self.keeper.store.path).as_posix()
        said = self.keeper.ledger.files[name]
        looked = (said["sha256"], keep)
        if path.parent.name == SEGMENTS and self.seen.get(name) == looked:
            return None
        # Values stand in the columns; what goes is counted, so that the event can say it before.
        found = workshop.ask(
            f"SELECT count(*), count(*) FILTER ({keep}) FROM read_parquet(?) c", [str(path)]
        )
        rows, left = found[0]
        if rows == left:
            self.seen[name] = looked
            return None
        return Due(
            path=path,
            day=said["day"],
            sha256=said["sha256"],
            rows=rows - left,
            left=left,
            keep=keep,
        )

    def _goes(self) -> str:
        """SQL of whether an envelope goes."""
        rules = "".join(
            f" WHEN rule_id = {views.quote(rule)} THEN {_moment(day)}"
            for rule, day in sorted(self.cutoffs.rules.items())
        )
        kinds = "".join(
            f" WHEN kind = {views.quote(kind)} THEN {_moment(self.cutoffs.views.get(view, NEVER))}"
            for kind, view in OF_KIND.items()
        )
        kept = ", ".join(map(views.quote, KEPT_EVENTS))
        held = "".join(
            f" AND NOT coalesce({_meant(hold)}, false)"
            for hold in sorted(self.holds, key=lambda hold: hold.name)
        )
        return f"""(ts < CASE{rules}{kinds} ELSE {_moment(NEVER)} END
            AND NOT coalesce(event_kind IN ({kept}) OR starts_with(event_kind, 'record.'), false)
            {held})"""

    def _blocks(self, workshop: Workshop, going: str) -> Steps:
        """Content to which nothing refers that is kept."""
        bounds = self.keeper.state.content
        until = max(*(self.cutoffs.views.get(view, NEVER) for view in TEXT_VIEWS), NEVER)
        until = max([until, *self.cutoffs.rules.values()])
        looked = (going,)
        if self.seen.get(CONTENT) == looked:
            return Plan()
        old = [str(path) for path in self._files(CONTENT, bounds, before=until)]
        if not old:
            return Plan()
        found = workshop.ask('SELECT DISTINCT "scope" FROM read_parquet(?)', [old])
        scopes = self._free(workshop, frozenset(str(name) for (name,) in found))
        if not scopes:
            return Plan()
        workshop.names("due", '"scope"', sorted(scopes))
        wanted = yield from self._wanted(workshop, going)
        workshop.ask('CREATE OR REPLACE TEMP TABLE wanted ("scope" VARCHAR, "no" BIGINT)')
        pairs = ((name, number) for name, found in wanted.items() for number in sorted(found))
        for some in batched(pairs, _AT_ONCE):
            workshop.ask(
                "INSERT INTO wanted SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[])",
                [[name for name, _ in some], [number for _, number in some]],
            )
        yield
        keep = """(c."scope" NOT IN (SELECT "scope" FROM due)
            OR (c."no" IS NULL AND c."scope" IN (SELECT "scope" FROM wanted))
            OR (c."scope", c."no") IN (SELECT ("scope", "no") FROM wanted))"""
        dues = []
        for path in self._fresh(CONTENT, bounds):
            if due := self._due(workshop, path, keep):
                dues.append(due)
            yield
        if not dues:
            self.seen[CONTENT] = looked
            return Plan()
        return Plan(files=tuple(dues), scopes=scopes.difference(wanted), kept=wanted)

    def _free(self, workshop: Workshop, scopes: frozenset[str]) -> frozenset[str]:
        """Those of these scopes to which nothing is added any more and that no hold covers."""
        free = {name for name in scopes - self.alive if "." in name and born_at(name) < self.since}
        hot = workshop.ask(f'SELECT DISTINCT "scope" FROM ({views.blocks(self._journals())})')
        free.difference_update(str(name) for (name,) in hot)
        if not self.holds:
            return frozenset(free)
        files = [str(path) for path in self._files(CONTENT, self.keeper.state.content)]
        births = workshop.ask(
            'SELECT "scope", principal, session_id FROM read_parquet(?) WHERE salt IS NOT NULL',
            [files],
        )
        # What nobody knows the owner of is kept.
        return frozenset(
            name
            for name, principal, session in births
            if name in free and not any(h.subject.fits(principal, session) for h in self.holds)
        )

    def _wanted(self, workshop: Workshop, going: str) -> Generator[None, None, dict[str, set[int]]]:
        """Blocks of what is due that something refers to which stays, by scope."""
        places = ["request.scope", "response.scope", "turn.prompt.scope", "turn.output.scope"]
        among = " OR ".join(f'({place}) IN (SELECT "scope" FROM due)' for place in places)
        # One envelope may name several: a session goes on in another scope at any time.
        among += f""" OR CASE WHEN kind IN ('statement', 'statement.end') OR tools <> '[]'
            OR results <> '[]' THEN list_has_any(regexp_extract_all(raw, {views.quote(_SCOPE)}, 1),
            (SELECT list("scope") FROM due)) END"""
        wanted: dict[str, set[int]] = {}
        # Journals first: what is in them moves to files. What comes later refers to none of it.
        hot = views.envelopes([*self._journals(), str(self.keeper.folder / "open.jsonl")])
        for raw in workshop.each(f"SELECT raw FROM ({hot}) e WHERE NOT {going} AND ({among})"):
            self._want(wanted, raw)
        yield
        cold = f"SELECT raw FROM read_parquet(?) e WHERE NOT {going} AND ({among})"
        for path in self._fresh(SEGMENTS, self.keeper.state.segments):
            for raw in workshop.each(cold, [str(path)]):
                self._want(wanted, raw)
            yield
        return wanted

    def _want(self, wanted: dict[str, set[int]], raw: str) -> None:
        envelope = json.loads(raw)
        for view, ref in references(envelope):
            if envelope["ts"][:10] >= self.cutoffs.of(view, envelope.get("rule_id")):
                wanted.setdefault(ref.scope, set()).update(numbers(ref.blocks))

    def _journals(self) -> list[str]:
        return [str(self.keeper.folder / "[0-9]*.jsonl")]


def references(envelope: Mapping[str, Any]) -> Iterator[tuple[str, ContentRef]]:
    """What an envelope refers to, each with the view that shows it."""
    turn = envelope.get("turn") or {}
    bodies = "turns" if turn else "flows"
    if envelope.get("kind") == "statement.end":
        bodies = "statements"
    found = [
        (bodies, envelope.get("request")),
        (bodies, envelope.get("response")),
        ("turns", turn.get("prompt")),
        ("turns", turn.get("output")),
        ("statements", envelope.get("sql")),
        ("statements", envelope.get("parameters")),
    ]
    found += [("tool_calls", each.get("input")) for each in envelope.get("tools") or ()]
    found += [("tool_calls", each.get("content")) for each in envelope.get("results") or ()]
    for view, said in found:
        ref = reference(said) if isinstance(said, dict) else None
        if ref is not None:
            yield view, ref


def _superseded(segment: Segment, bounds: Bounds) -> bool:
    return segment.level < _LAST and segment.last <= bounds.last[segment.level + 1]


def _moment(day: str) -> str:
    return f"TIMESTAMP '{day or '0001-01-01'}'"


def _meant(hold: Hold) -> str:
    """SQL of whether a hold covers an envelope."""
    parts = [
        f"{column} = {views.quote(value)}"
        for column, value in (
            ("principal", hold.subject.principal),
            ("session_id", hold.subject.session),
        )
        if value is not None
    ]
    return " AND ".join(parts) or "true"
