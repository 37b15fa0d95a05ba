"""What a statement says, as it is written: nothing here knows what the names mean."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from proctor.errors import ClientError
from proctor.sql.nodes import Tree

_WORDS: Final = 200


@dataclass(slots=True, eq=False)
class SqlError(ClientError):
    """The text is not SQL that PostgreSQL's parser takes, or not within limits.

    Attributes:
        position: Where, in characters from 1, as PostgreSQL counts; 0 if nowhere.
    """

    position: int = 0

    @staticmethod
    def at(message: str, position: int = 0) -> "SqlError":
        """The error for the parser's own words, cut: they can quote the rest of the text."""
        return SqlError(
            code="sql-unparsable",
            message=message[:_WORDS],
            expected="one or more SQL statements in PostgreSQL's grammar",
            hint="What cannot be read is not let through.",
            position=position,
        )


class Change(StrEnum):
    """What a statement may change for the statements after it in the same session."""

    SEARCH_PATH = "search_path"
    ROLE = "role"
    ENCODING = "encoding"
    TEMP = "temp"
    CATALOG = "catalog"
    TRANSACTION = "transaction"
    PREPARED = "prepared"
    CURSOR = "cursor"
    SETTING = "setting"
    UNKNOWN = "unknown"


class CallKind(StrEnum):
    """How a function is named."""

    FUNCTION = "function"
    ATTRIBUTE = "attribute"
    OPERATOR = "operator"
    SYNTAX = "syntax"


class Place(StrEnum):
    """Where a column stands."""

    OUTPUT = "output"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Reference:
    """A relation by name, as PostgreSQL folds it; "" for a part that is not written.

    Attributes:
        written: The statement changes, defines or removes it.
        created: The statement makes it, so that it need not exist.
        does: What becomes of its rows when the statement runs: letters out of I (insert),
            U (update), D (delete), T (truncate) and C (CASCADE of TRUNCATE).
        only: ONLY: not those that inherit from it.
    """

    catalog: str
    schema: str
    name: str
    written: bool = False
    created: bool = False
    does: str = ""
    only: bool = False

    def __str__(self) -> str:
        return ".".join(part for part in (self.catalog, self.schema, self.name) if part)


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator by name; `schema` is "" where the search path decides."""

    schema: str
    name: str
    kind: CallKind = CallKind.FUNCTION

    def __str__(self) -> str:
        word = "operator " if self.kind is CallKind.OPERATOR else ""
        return f"{word}{self.schema}.{self.name}" if self.schema else f"{word}{self.name}"


@dataclass(frozen=True, slots=True)
class Use:
    """A column as written: ("u", "email"), or ("u",) with `star` for u.*."""

    path: tuple[str, ...]
    star: bool
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """COPY: which way and with what. `file` is the server's file or the program's command.

    `format` is `text`, `csv`, `binary` or what the statement has in their place.
    """

    outgoing: bool
    program: bool
    file: bool
    relation: Reference | None
    query: bool
    format: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement; the attributes are described in the package's docstring."""

    text: str = field(repr=False)
    verbs: tuple[str, ...]
    references: tuple[Reference, ...]
    calls: tuple[Call, ...]
    uses: tuple[Use, ...]
    has_where: bool
    read_only: bool
    changes: frozenset[Change]
    settings: tuple[str, ...]
    prepares: str | None
    executes: str | None
    deallocates: str | None
    declares: str | None
    fetches: str | None
    closes: str | None
    copies: Copy | None
    parameters: int
    dangerous: tuple[str, ...]
    opaque: tuple[str, ...]
    parsed: Tree | None = field(repr=False, compare=False)

    @property
    def tree(self) -> Tree:
        """The parser's tree; made anew where it was not kept."""
        if self.parsed is not None:
            return self.parsed
        from proctor.sql.parsing import parse  # noqa: PLC0415 - which imports this

        found: Tree = parse(self.text)[0]["stmts"][0]["stmt"]
        return found


@dataclass(frozen=True, slots=True)
class Script:
    """A string of statements."""

    text: str = field(repr=False)
    statements: tuple[Statement, ...]
    fingerprint: str
