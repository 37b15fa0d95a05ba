"""What is known of a client's statements: judged, prepared, bound, running."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from proctor.errors import ProctorError
from proctor.model import Action, Finding, Session
from proctor.postgres.forms import Form
from proctor.postgres.masking.model import Plan
from proctor.provenance.memory import Source
from proctor.record import Ruling
from proctor.sql.resolving import Resolved
from proctor.sql.statement import Change, Statement

MAX_NAMED: Final = 10_000
"""Prepared statements, and portals, that one connection may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the meaning of a statement's text depends on, beside the text.

    Attributes:
        path: The schemas that names are looked up in, in order, with the implicit ones.
        role: Whom SET ROLE has made of the login; "" where it has not.
        epoch: How often the catalog has changed, as far as is known here.
        encoding: Python's name for the client's encoding.
        in_transaction: Whether a block is open.
        login: As whom the connection was signed in.
        strings: `standard_conforming_strings` is on; where it is off, a backslash escapes.
        moved: The open block has changed what names mean, and its end may undo that.
    """

    path: tuple[str, ...]
    role: str
    epoch: int
    encoding: str
    in_transaction: bool
    login: str = ""
    strings: bool = True
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One statement of a text.

    Attributes:
        statement: As it was read.
        resolved: What its names mean.
        action: What it is, as rules see it; without parameters.
        plan: What is masked of its rows; None where nothing is.
        inner: What EXECUTE runs, or FETCH reads from, where that is known.
        expected: How many rows the planner expects; None where nobody asked, or it cannot tell.
    """

    statement: Statement
    resolved: Resolved
    action: Action
    plan: Plan | None = None
    inner: "Judgement | None" = None
    expected: float | None = None

    @property
    def written(self) -> frozenset[str]:
        """Tables that it writes."""
        own = self.resolved.written
        return own | self.inner.written if self.inner else own

    @property
    def changes(self) -> frozenset[Change]:
        """What it may do to its session; a function nobody has looked at, whatever it likes."""
        own = self.statement.changes
        if self.resolved.unknown_functions:
            own |= {Change.UNKNOWN}
        return own | self.inner.changes if self.inner else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A text, judged; what is remembered as long as it holds.

    Attributes:
        text: Its bytes as the server gets them: as the client sent them, but for `inserted`.
        types: Of its parameters as far as the client named them.
        statements: What it does, in order; none for an empty one.
        ruling: What the rules said of it; None where it did not come to that.
        error: Why it may not run, whatever the rules say.
        kept: The text as it may be recorded.
        findings: What was found in it.
        policy: The rules that spoke.
        context: What it was judged in.
        steady: The rules would say the same of it again.
        inserted: Where E was put before texts with escapes (sql/escapes.py), in characters.
        hashers: Digests of its actions, to which parameters are added; made when first needed.
    forms: Of its statements' records, by which of them; made when they are needed again.
    """

    text: bytes = field(repr=False)
    statements: tuple[Judgement, ...]
    ruling: Ruling | None
    error: ProctorError | None
    kept: bytes = field(repr=False)
    findings: tuple[Finding, ...] = ()
    policy: object
    context: Context
    steady: bool
    inserted: tuple[int, ...] = ()
    types: tuple[int, ...] = ()
    hashers: list[Any] = field(default_factory=list, repr=False, compare=False)
    forms: dict[int, Form | None] = field(default_factory=dict, repr=False, compare=False)


@dataclass(slots=True, eq=False)
class Run:
    """One statement that runs, from its record to its end.

    Attributes:
        judgement: What it is.
        begin_seq: Number of its first record.
        started: When, monotonic, seconds.
        fields: What both of its records say, but for its number.
    n: Its number in the connection.
    form: Of its records; None where they are written in full.
        verdict: The rules' on it.
        keep: Whether content is kept.
        session: The run of an agent that it is part of.
        rows: That went to the client, or that it touched.
        plan: What is masked.
        description: The body of its RowDescription, once known.
        formats: Of its columns, as Bind asked; None for text.
        masker: Masks its rows.
        results: Rows as the client saw them, up to a limit; whole messages.
        kept: Bytes of these.
        size: Bytes of all rows.
        copied: Its rows are data of COPY.
        unsettles: After it, names may mean something else.
        found: In its rows: by type, place and detector, the first, and how often.
        unseen: Rows that could not be looked at, and passed.
        ended: Its last record is written.
        ceiling: So many rows are told once; far more than what is usual.
        source: What values in its rows are remembered with, where nobody vouches for them.
        read: Bytes of rows in which such values were looked for.
    """

    judgement: Judgement
    begin_seq: int
    started: float
    fields: Mapping[str, object]
    verdict: str
    keep: bool
    session: Session | None
    n: int = 0
    form: Form | None = None
    rows: int = 0
    plan: Plan | None = None
    description: bytes = b""
    formats: tuple[int, ...] = ()
    masker: Any = None
    results: list[bytes] = field(default_factory=list)
    kept: int = 0
    size: int = 0
    copied: bool = False
    unsettles: bool = False
    found: dict[tuple[str, str, str], tuple[Finding, int]] = field(default_factory=dict)
    unseen: int = 0
    ended: bool = False
    ceiling: float = math.inf
    source: Source | None = None
    read: int = 0


@dataclass(slots=True, eq=False)
class Batch:
    """What one Query runs: its statements end one after another."""

    runs: Sequence[Run]
    at: int = 0

    @property
    def now(self) -> Run | None:
        """What runs."""
        return self.runs[self.at] if self.at < len(self.runs) else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A prepared statement.

    Attributes:
        text: Its SQL as the server got it; of PREPARE, with the PREPARE. To be read as where
            `standard_conforming_strings` is on, whatever it is by now.
        types: Of its parameters as far as the client named them.
        plan: What was to be masked of its rows when it was prepared.
    """

    text: bytes = field(repr=False)
    types: tuple[int, ...] = ()
    plan: Plan | None = None


@dataclass(slots=True, eq=False)
class Portal:
    """A portal: a statement with its parameters, ready to run or running.

    Attributes:
        name: As the client gave it.
        run: What it runs; None for an empty statement.
        replaces: What ends when this is made: a portal of the same name.
    """

    name: bytes
    run: Run | None
    replaces: Run | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """An error of the server's is ours in truth: it is written anew.

    Attributes:
        error: What it says.
        state: Its SQLSTATE; "" for the one that stands for the error.
        position: Characters from 1 on, where the text could not be read; 0 for none.
        terminate: The connection ends with it.
    """

    error: ProctorError
    state: str = ""
    position: int = 0
    terminate: bool = False
