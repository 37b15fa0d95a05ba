"""Texts of several statements are judged whole, before the first of them runs.

So nothing in one may change what the names in a later one mean: what is judged as `other.t` may
not have become `public.t` when it runs.
"""

from collections.abc import Sequence
from typing import Final

from proctor.errors import RefusedError
from proctor.sql.nodes import unwrap
from proctor.sql.statement import Change, Statement

_MOVES: Final = frozenset({Change.SEARCH_PATH, Change.ROLE, Change.UNKNOWN})
_UNCOVERING: Final = frozenset(
    {"RenameStmt", "AlterObjectSchemaStmt", "DropOwnedStmt", "DiscardStmt", "AlterExtensionStmt"}
)
_RELATIONS: Final = frozenset(
    f"OBJECT_{kind}" for kind in ("TABLE", "VIEW", "MATVIEW", "SEQUENCE", "FOREIGN_TABLE", "INDEX")
)
_PARTS: Final = frozenset(f"OBJECT_{kind}" for kind in ("TRIGGER", "RULE", "POLICY"))


def straight(statements: Sequence[Statement], *, moved: bool) -> None:
    """See that all names in a text mean what they mean before it.

    Args:
        statements: In order.
        moved: The open transaction has changed what names mean, and its end may undo that.

    Raises:
        RefusedError: Code `sql-several`: they may not.
    """
    gone = set[str]()
    lost = False
    for statement in statements:
        runs = statement.executes is not None  # what was prepared is looked up anew
        if lost and names_something(statement):
            raise several()
        named = {each.name for each in statement.references if not (each.created or each.schema)}
        if gone and (runs or named & gone):
            raise several()
        gone -= {each.name for each in statement.references if each.created}
        kind, content = unwrap(statement.tree)
        if kind == "DropStmt":
            what, cascades = content.get("removeType"), content.get("behavior") == "DROP_CASCADE"
            if what in _RELATIONS:
                gone |= {each.name for each in statement.references}
            lost = lost or cascades or what not in _RELATIONS | _PARTS
        ends = moved and Change.TRANSACTION in statement.changes
        lost = lost or ends or kind in _UNCOVERING or not _MOVES.isdisjoint(statement.changes)


def names_something(statement: Statement) -> bool:
    """Whether what it does depends on what names mean."""
    return bool(statement.references or statement.calls or statement.executes is not None)


def several() -> RefusedError:
    """The error of a text whose names may not mean what they meant before it."""
    return RefusedError(
        "sql-several",
        "A statement here changes what the names in the next one mean",
        hint="Send them one by one.",
        rule_id="sql",
    )
