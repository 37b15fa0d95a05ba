"""The words of hardening: what a server has, and what is done about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from proctor.postgres.masking.model import Sensitive

PUBLIC = ""
"""Everybody, where a role's name stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a listener asks for.

    Attributes:
        listener: Its name.
        database: In which.
        role: Whom the columns are kept from.
        schema: Where the masked views go.
        columns: The sensitive ones.
        trusted: Views and functions that show nothing of them, as `schema.name`.
        login: The role signs in itself, so that it can be made with the credential's password.
        wire: proctor masks, too, and refuses what computes with a column unless it is trusted.
    """

    listener: str
    database: str
    role: str
    schema: str
    columns: tuple[Sensitive, ...]
    trusted: frozenset[str] = frozenset()
    login: bool = True
    wire: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """What an access control list gives one role, by one grantor.

    Attributes:
        grantor: Who gave it.
        grantee: Who has it; PUBLIC for everybody.
        privileges: Such as SELECT, sorted.
        grantable: Those that the grantee may hand on.
    """

    grantor: str
    grantee: str
    privileges: tuple[str, ...]
    grantable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        name: As the server has it.
        type: Schema and name of its type; of a domain those of what is under it.
        readable: The role may select it.
        rights: On it alone.
    """

    name: str
    type: tuple[str, str]
    readable: bool
    rights: tuple[Right, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with sensitive columns: one that is named, its partitions, children and parents.

    Attributes:
        oid: In pg_class.
        schema: As the server has it.
        name: As the server has it.
        kind: pg_class.relkind.
        owner: Its name.
        row_security: Policies say who sees which rows.
        rights: On the whole, in the order the server has them.
        columns: All of them, in order.
        writes: Of INSERT, UPDATE and DELETE what the role may do.
        sensitive: By name of the column.
    """

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    row_security: bool
    rights: tuple[Right, ...]
    columns: tuple[Column, ...]
    writes: tuple[str, ...]
    sensitive: dict[str, Sensitive]

    @property
    def readable(self) -> tuple[Column, ...]:
        """What the role may select, sensitive or not."""
        return tuple(each for each in self.columns if each.readable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The role is a member of another.

    Attributes:
        role: The other.
        grantor: Who made it so.
        options: As GRANT writes them, such as ADMIN TRUE; () for the defaults.
        reaches: Why it must not be: a role behind it that could see a sensitive column; "" where
            there is none.
        behind: It and all that it is a member of.
    """

    role: str
    grantor: str
    options: tuple[str, ...]
    reaches: str
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """Rights that the role has by a membership alone, and would lose with it.

    Attributes:
        kind: TABLE, SEQUENCE or SCHEMA.
        schema: Of the object.
        name: The object's; "" for the schema itself.
        privileges: Which.
    """

    kind: str
    schema: str
    name: str
    privileges: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """Rights on tables that are yet to be made.

    Attributes:
        owner: Of those tables.
        schema: In it alone; "" for all.
        right: What it says.
    """

    owner: str
    schema: str
    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role as the server has it.

    Attributes:
        name: Its name.
        powers: Of SUPERUSER, CREATEROLE, CREATEDB, REPLICATION and BYPASSRLS those it has.
        login: It may sign in.
        path: `search_path` as set for it in this database; None where it is not.
        usual: The search path that it has otherwise.
    """

    name: str
    powers: tuple[str, ...]
    login: bool
    path: str | None
    usual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that planning needs to know of a server.

    Attributes:
        version: Its major version.
        me: Whom we are signed in as.
        superuser: Whether that is one.
        role: The role; None where there is none yet.
        tables: Those with sensitive columns.
        memberships: Of the role.
        compensations: What it would lose with those that reach too far.
        defaults: Rights on future tables in the schemas of `tables`.
        schemas: Of all that there are, with whether the role may use it.
        taken: Relations in the schema of the views.
    """

    version: int
    me: str
    superuser: bool
    role: Role | None
    tables: tuple[Table, ...]
    memberships: tuple[Membership, ...]
    compensations: tuple[Compensation, ...]
    defaults: tuple[Default, ...]
    schemas: dict[str, bool]
    taken: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that is done.

    Attributes:
        what: In words.
        sql: Statements.
        undo: What takes it back, to be run in this order.
    """

    what: str
    sql: tuple[str, ...]
    undo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is done.

    Attributes:
        steps: In this order, and undone in the reverse one.
        warnings: What somebody should know before.
    """

    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()

    @property
    def undo(self) -> tuple[str, ...]:
        """Statements that take all of it back."""
        return tuple(sql for step in reversed(self.steps) for sql in step.undo)


def several(names: Iterable[str]) -> str:
    """Such as `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
