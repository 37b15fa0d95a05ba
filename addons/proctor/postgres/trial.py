"""One statement, planned and tried on a connection of our own; all of it is undone."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import asyncpg  # type: ignore[import-untyped]  # it has no marker for typed use

from proctor.approval.model import Part
from proctor.postgres import describing
from proctor.postgres.counting import UNKNOWN, Found, Total, named, total, undone, within
from proctor.postgres.effects import LOOKING, Effects, effects_of
from proctor.postgres.planning import Planned, planned
from proctor.postgres.settings import DryRunSettings
from proctor.postgres.side import Connection
from proctor.postgres.statements import Judgement
from proctor.postgres.trying import Change, changed, estimated, sentence, tried
from proctor.units import plural

ASKING: Final = 0.5
"""Of the time a statement may take: what each question beside it may."""

_MAX_ROWS: Final = 4000
_MAX_PLAN: Final = 16 * 1024
_MAX_DEPENDENTS: Final = 8 * 1024
_MAX_WORDS: Final = 300
_MAX_COUNTED: Final = 10  # tables
_CHANGING: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_KNOWN: Final[Mapping[str, str]] = {
    "55P03": "another session holds a lock on it",
    "57014": "that took too long",
}
"""SQLSTATEs lock_not_available and query_canceled."""


@dataclass(slots=True)
class Findings:
    """What is known by now.

    Attributes:
        rows: In one sentence, what it would do.
        along: What comes of that, a line each.
        notes: More of it, a line each.
        plan: As EXPLAIN shows it.
        prepared: What EXECUTE runs.
        dependents: What depends on what is dropped, a line each.
    """

    rows: str = ""
    along: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    plan: str = ""
    prepared: str = ""
    dependents: list[str] = field(default_factory=list[str])

    def parts(self) -> tuple[Part, ...]:
        """Parts of a card; none where nothing is known."""
        lines = "\n".join(_line(each) for each in (self.rows, *self.along, *self.notes) if each)
        found = (
            ("rows", lines, _MAX_ROWS),
            ("dependents", "\n".join(map(_line, self.dependents)), _MAX_DEPENDENTS),
            ("prepared", self.prepared, _MAX_PLAN),
            ("plan", self.plan, _MAX_PLAN),
        )
        return tuple(
            Part(name=name, kind="text", text=text[:most], cut=max(0, len(text) - most))
            for name, text, most in found
            if text
        )


class Trial:
    """Of SELECT, INSERT, UPDATE, DELETE or MERGE, or what has one of them in it.

    Args:
        settings: How long, and how much.
        judgement: The statement.
        found: To be filled; its `rows` says already which statement it is.
        hide: Constants of statements are not shown, nor the server's words about them.
        allowed: Functions that somebody has looked at, as functions.known has them.
    """

    def __init__(
        self,
        settings: DryRunSettings,
        judgement: Judgement,
        found: Findings,
        *,
        hide: bool,
        allowed: AbstractSet[str] = frozenset(),
    ) -> None:
        self._settings = settings
        self._judgement = judgement
        self._found = found
        self._hide = hide
        self._allowed = allowed
        self._verbs = judgement.statement.verbs
        self._fails = ""

    async def run(self, connection: Connection, body: str) -> None:
        """Find out.

        Args:
            connection: In a transaction with the session's search path and role.
            body: One statement, without parameters.

        Raises:
            asyncpg.PostgresError: The server cannot resolve or plan it.
        """
        found = self._found
        async with undone(connection):
            effects = await effects_of(connection, body, self._allowed)
            targets = await named(connection, list(effects.targets))
        if effects.strange:  # the planner itself calls functions
            found.notes += map(_not_tried, effects.lasting)
            return
        plan = await planned(connection, body, hide=self._hide)
        found.plan = plan.text
        if _CHANGING.isdisjoint(self._verbs):
            found.rows = self._read(plan)
            return
        changes = await self._tried(connection, body, plan, effects)
        await within(connection, self._settings.statement_timeout * ASKING)
        await self._said(connection, targets, plan, changes)

    def _read(self, plan: Planned) -> str:
        tables = describing.joined(self._judgement.resolved.named)
        said = (
            f"about {plural(plan.rows, 'row')} by the planner's estimate,"
            f" at a cost of {plan.cost:,.0f}."
        )
        if self._verbs[0] == "SELECT":
            return f"It would read {tables}: {said}" if tables else f"It would read {said}"
        return f"{self._found.rows.removesuffix('.')}: {said}"

    async def _tried(
        self, connection: Connection, body: str, plan: Planned, effects: Effects
    ) -> dict[int, Change] | None:
        """What changes; None where that is not known."""
        reasons = list(effects.lasting)
        if self._judgement.plan and self._judgement.plan.restores:
            reasons.append("names surrogates, which are not turned back for this")
        if plan.rows > self._settings.rows:
            reasons.append(f"would touch more rows than the {self._settings.rows:,} that are tried")
        notes = self._found.notes
        if reasons:
            notes += map(_not_tried, reasons)
            return None
        await within(connection, self._settings.statement_timeout)
        changes: dict[int, Change] | None = None
        try:
            async with undone(connection):
                changes = await tried(connection, body, effects.targets)
        except asyncpg.PostgresError as error:
            words = words_of(error, hide=self._hide)
            if error.sqlstate in _KNOWN:
                notes.append(f"Trying it failed: {words}.")
            else:
                self._fails = words
            return None
        if changes is None:
            notes.append("Not tried: the server does not count (track_counts is off).")
        else:
            notes.append("Counted by running it, and taken back.")
        return changes

    async def _said(
        self,
        connection: Connection,
        targets: Sequence[Found],
        plan: Planned,
        changes: dict[int, Change] | None,
    ) -> None:
        about, found = "", self._found
        if changes is None:
            about = "about "
            changes = {one.oid: estimated(self._verbs, plan.rows) for one in targets[:1]}
            if not self._fails:
                found.notes.append("The number of rows is the planner's estimate.")
        own = {one.oid for one in targets}
        others = await named(connection, [oid for oid in changes if oid not in own])
        totals: dict[int, Total] = {}

        def say() -> None:
            every = (*targets, *others)
            lines = [
                (one, changes.get(one.oid, Change()), totals.get(one.oid, UNKNOWN)) for one in every
            ]
            count, where = len(targets), self._judgement.statement.has_where
            found.rows = sentence(self._verbs, lines[:count], has_where=where, about=about)
            if self._fails:
                found.rows = f"It fails when it is tried: {self._fails}."
            found.along = [f"Along with it, it would {changed(*one)}." for one in lines[count:]]

        say()  # in case that there is no time to count
        await connection.execute(LOOKING)
        for one in (*targets, *others)[:_MAX_COUNTED]:
            totals[one.oid] = await total(connection, one)
            say()


def words_of(error: asyncpg.PostgresError, *, hide: bool) -> str:
    """An error of the server's in words that show no value.

    Args:
        error: As it came.
        hide: Not even the server's words about names, which may quote the statement.
    """
    code = error.sqlstate or ""
    if code in _KNOWN:
        return _KNOWN[code]
    kind = type(error).__name__.removesuffix("Error")
    words = f"{_CAMEL.sub(' ', kind).lower()} ({code})"
    where = error.constraint_name or error.table_name
    if code.startswith("23") and where:
        return f"{words} of {where}"
    # These are about names; others quote values.
    if code.startswith("42") and error.args and not hide:
        return str(error.args[0])[:_MAX_WORDS]
    return words


def _not_tried(why: str) -> str:
    return f"Not tried, since it {why}."


def _line(text: str) -> str:
    """A line stays one, whatever somebody has called a table."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
