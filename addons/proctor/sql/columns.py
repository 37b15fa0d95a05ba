"""What a column's name means in a scope, and what counts as used when that cannot be told."""

from collections.abc import Sequence

from proctor.sql.names import Names
from proctor.sql.scopes import (
    NONE,
    SYSTEM,
    Item,
    Output,
    Rows,
    Scope,
    column_name,
    schema_matches,
    table_name,
)


class ColumnResolver:
    """Looks names up and gathers what is used.

    Attributes:
        touched: Columns that are shown somewhere, also in a subquery that passes them on to nobody.
        elsewhere: Columns used in any other way.
        assigned: Columns given a value.
        whole: Relations of which whole rows or unknown columns are used.
        attributes: Names after a dot that are no columns known here: functions, perhaps.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.touched: set[str] = set()
        self.elsewhere: set[str] = set()
        self.assigned: set[str] = set()
        self.whole: set[str] = set()
        self.attributes: set[str] = set()

    def lookup(self, path: Sequence[str], scope: Scope) -> Output:
        """The column a name means (parse_expr.c, transformColumnRef)."""
        if len(path) == 1:
            return self._unqualified(path[0], scope)
        items = self.entries(path[:-1], scope)
        found = [output for item in items for output in item.find(path[-1])]
        if found:
            return _merged(path[-1], found)
        if path[-1] in SYSTEM and any(item.relation for item in items):
            return Output(path[-1])
        # name(u), or an error of the server's; the row goes in as a whole.
        self.attributes.add(path[-1])
        if items:
            self.use_rows(items)
        else:
            self.use_everything(scope)
        return Output(path[-1])

    def _unqualified(self, name: str, scope: Scope) -> Output:
        found = self.columns(name, scope)
        if found:
            return _merged(name, found)
        rows = self.entries((name,), scope)
        if rows:
            self.use_rows(rows)
            return Output(name)
        loose = [item for items in scope.levels() for item in items if not item.rows.known]
        if loose:
            # All that is known has no such column: it is one of what is not known.
            self.elsewhere |= NONE.union(*(item.unknown for item in loose))
            return Output(name)
        if name not in SYSTEM:
            self.use_everything(scope)
        return Output(name)

    def columns(self, name: str, scope: Scope) -> list[Output]:
        """Columns that a name without qualifier may mean: of the innermost scope that has any.

        Where columns of that scope are not known, the next scope counts, too.
        """
        found: list[Output] = []
        for items in scope.levels():
            found += [output for item in items if item.open for output in item.find(name)]
            if found:
                break
        return found

    def entries(self, path: Sequence[str], scope: Scope) -> list[Item]:
        """Entries of FROM that a qualifier means (refnameNamespaceItem)."""
        for items in scope.levels():
            found = [item for item in items if self._is(item, path)]
            if found:
                return found
        return []

    def _is(self, item: Item, path: Sequence[str]) -> bool:
        if len(path) == 1:
            return item.name == path[0] != ""
        relation = item.relation
        if relation is None or item.aliased or item.name != path[-1]:
            return False
        if len(path) > 2 and path[-3] != self.names.database:  # noqa: PLR2004  # database.schema.table
            return False
        return schema_matches(relation, path[-2])

    def stars(self, path: Sequence[str], scope: Scope) -> Rows:
        """The columns of u.*."""
        items = self.entries(path, scope)
        if not items:
            self.use_everything(scope)
            return Rows(known=False)
        outputs = tuple(output for item in items for output in item.rows.outputs)
        self.elsewhere |= NONE.union(*(item.unknown for item in items))
        return Rows(outputs, all(item.rows.known for item in items) and len(items) == 1)

    def mention(self, names: Sequence[str], scope: Scope) -> None:
        """Columns named in a definition, of whichever relation has them."""
        for name in names:
            self.elsewhere |= NONE.union(*(output.base for output in self.columns(name, scope)))

    def assign(self, item: Item, name: str) -> None:
        """A column that gets a value."""
        if item.relation is not None:
            self.assigned.add(column_name(item.relation, name))
        else:
            self.assigned |= item.unknown

    def use_rows(self, items: Sequence[Item]) -> None:
        """Every column of some entries."""
        for item in items:
            self.elsewhere |= item.rows.base() | item.unknown
            if item.relation is not None:
                self.whole.add(table_name(item.relation))

    def use_everything(self, scope: Scope) -> None:
        """Every column that stands in scope: what was named cannot be told."""
        for items in scope.levels():
            self.use_rows(items)


def _merged(name: str, found: Sequence[Output]) -> Output:
    """One output for all that a name may mean: both sides of USING, or an ambiguity."""
    if len(found) == 1:
        return found[0]
    return Output(
        name,
        NONE.union(*(output.base for output in found)),
        NONE.union(*(output.cast for output in found)),
    )
