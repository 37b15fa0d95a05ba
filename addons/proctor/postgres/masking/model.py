"""The words of masking: what is sensitive, and what becomes of one statement's output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from proctor.errors import RefusedError


class Method(StrEnum):
    """What stands in place of a value; NULL wherever the result could not be valid in its type."""

    NULL = "null"
    FIXED = "fixed"
    PARTIAL = "partial"
    HASH = "hash"
    SURROGATE = "surrogate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitive:
    """A column that must not be seen.

    Attributes:
        schema: Of the table, as the server has it.
        table: Its name, as the server has it.
        column: As the server has it.
        method: What stands in place of its values.
        value: Of `fixed`.
        restore: A surrogate that is compared with it goes to the server as what it stands for.
        entity: Type of its surrogates; "" where the value or the column's name tells.
    """

    schema: str
    table: str
    column: str
    method: Method = Method.NULL
    value: str = ""
    restore: bool = False
    entity: str = ""

    @property
    def name(self) -> str:
        """Such as `public.users.email`."""
        return f"{self.schema}.{self.table}.{self.column}"


class Kind(StrEnum):
    """Whose rows a plan is about."""

    ROWS = "rows"
    CURSOR = "cursor"
    PREPARED = "prepared"
    TEXT = "text"


class Column(Protocol):
    """A column of a relation, as `proctor.sql` has it."""

    @property
    def name(self) -> str:
        """As the server has it."""
        ...

    @property
    def type(self) -> int:
        """OID of its type."""
        ...


class Relation(Protocol):
    """A relation as the client's own session sees it, as `proctor.sql` has it."""

    @property
    def oid(self) -> int:
        """In pg_class."""
        ...

    @property
    def name(self) -> str:
        """Without its schema."""
        ...

    @property
    def kind(self) -> str:
        """pg_class.relkind."""
        ...

    @property
    def temporary(self) -> bool:
        """Only that session has it."""
        ...

    @property
    def columns(self) -> Sequence[Column]:
        """In order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a statement's meaning depends on beside its text.

    Attributes:
        search_path: The session's effective schemas, in order, implicit ones included or not.
        role: Whom the session has become by SET ROLE; "" where it has not.
        types: Of parameters, OIDs, as the client's Parse names them; 0 for unknown.
        relations: What its names mean to the session itself, every one that means anything;
            None where nobody asked, which leaves temporary tables and what is not committed
            unresolved.
    """

    search_path: tuple[str, ...] = ("public",)
    role: str = ""
    types: tuple[int, ...] = ()
    relations: Mapping[tuple[str, str], Relation] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def named(self) -> tuple[Relation, ...]:
        """The relations themselves, each once."""
        return tuple({one.oid: one for one in (self.relations or {}).values()}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Restores:
    """Surrogates in a statement that go to the server as what they stand for.

    Attributes:
        parameters: Numbers of parameters, from 1; what is bound to them has to be a surrogate.
        literals: The surrogates that stand in the text as literals, each as often as it stands.
    """

    parameters: frozenset[int] = frozenset()
    literals: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parameters or self.literals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of the output of one statement.

    Attributes:
        columns: By ordinal, what is masked and how; () where nothing is.
        hide_errors: What errors and notices of it say may hold values: `strip` them.
        restores: What goes to the server as something else.
        kind: Whose rows `columns` is about.
        content: Its rows hold text of tables; False for EXPLAIN and the like.
    """

    columns: tuple[Sensitive | None, ...] = ()
    hide_errors: bool = False
    restores: Restores = Restores()
    kind: Kind = Kind.TEXT
    content: bool = True

    @property
    def masks(self) -> bool:
        """Whether its rows have to be rewritten."""
        return any(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the masked columns, sorted."""
        return tuple(sorted({column.name for column in self.columns if column}))


type Known = Mapping[tuple[int, int], Sensitive]
"""Sensitive columns by OID of the relation and number of the column."""


def masked(name: str, got: str) -> RefusedError:
    """A sensitive column stands where it may not."""
    return RefusedError(
        "sql-masked",
        f"{name} is masked here, and may only be selected as it is",
        got=got,
        expected="the column itself in the output: no expression on it, no condition, no order",
        hint="Leave it out of everything but the list of columns that are selected.",
    )


def closed(got: str, why: str, hint: str = "") -> RefusedError:
    """Something could tell of a sensitive column."""
    return RefusedError(
        "sql-masked-closed",
        "This is closed here, since it could show masked columns",
        got=got,
        expected=why,
        hint=hint or "Ask an operator; nothing of it was run.",
    )


def unresolved(got: str, expected: str = "", hint: str = "") -> RefusedError:
    """What a statement means could not be found out."""
    return RefusedError(
        "sql-masked-unresolved",
        "What this statement reads cannot be told, and some columns are masked here",
        got=got,
        expected=expected,
        hint=hint or "Nothing of it was run.",
    )
