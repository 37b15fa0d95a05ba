"""The columns of queries: FROM, the target list, set operations, common table expressions, DML."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from proctor.sql.expressions import ExpressionResolver
from proctor.sql.identifiers import written
from proctor.sql.names import Names
from proctor.sql.nodes import Tree, strings, unwrap
from proctor.sql.scopes import (
    NONE,
    Item,
    Output,
    Rows,
    Scope,
    alias_of,
    joined,
    name_of,
    relation_rows,
)
from proctor.sql.statement import Reference, SqlError

# Queries looked at for one statement: WITH RECURSIVE inside WITH RECURSIVE is looked at again and
# again.
_MOST_QUERIES: Final = 20_000
_LISTS: Final = ("targetList", "fromClause", "groupClause", "sortClause", "distinctClause")


class QueryResolver(ExpressionResolver):
    """Resolves one statement."""

    def __init__(self, names: Names, references: Sequence[Reference]) -> None:
        super().__init__(names)
        self.references = references
        self._ctes: Mapping[str, Rows] = {}
        self._queries = 0

    def run(self, tree: Tree) -> Rows:
        """The columns a whole statement shows the client."""
        kind, content = unwrap(tree)
        shown = Rows()
        match kind:
            case "SelectStmt" if content.get("intoClause"):
                self._store(self.query(kind, content, None))
            case "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt":
                shown = self.query(kind, content, None)
            case "PrepareStmt" | "DeclareCursorStmt":
                shown = self.run(content["query"])
            case "ExplainStmt":
                self.run(content["query"])  # the plan shows none of the values
            case "CreateTableAsStmt" | "ViewStmt":
                self._store(self.run(content["query"]))
            case "CopyStmt":
                shown = self._copy(content)
            case _:
                self._define(kind, content)
        return shown

    def query(self, kind: str, content: Tree, outer: Scope | None) -> Rows:
        """The columns of one query; outer is what it sees of the query around."""
        self._queries += 1
        if self._queries > _MOST_QUERIES:
            raise SqlError.at("the statement's queries are too many to be told apart")
        before = self._ctes
        if content.get("withClause"):
            self._with(content["withClause"], outer)
        match kind:
            case "SelectStmt":
                rows = self._select(content, outer)
            case "InsertStmt":
                rows = self._insert(content, outer)
            case "UpdateStmt":
                rows = self._update(content, outer)
            case "DeleteStmt":
                rows = self._delete(content, outer)
            case "MergeStmt":
                rows = self._merge(content, outer)
            case _:
                self.walk(kind, content, Scope((), outer))
                rows = Rows(known=False)
        self._ctes = before
        self.touched |= rows.base()
        return rows

    def _store(self, rows: Rows) -> None:
        """A query whose rows go where they can be read in another way."""
        self.elsewhere |= rows.base()

    # WITH.

    def _with(self, clause: Tree, outer: Scope | None) -> None:
        ctes = [node["CommonTableExpr"] for node in clause.get("ctes", ())]
        if not clause.get("recursive"):
            for cte in ctes:
                self._ctes = {**self._ctes, cte["ctename"]: self._cte(cte, outer)}
            return
        # Each may use itself and the others: until nothing new comes out of it.
        gathered = self._gathered()
        around = self._ctes
        rows = {cte["ctename"]: Rows(known=False) for cte in ctes}
        for cte in ctes:
            self._ctes = {**around, **rows}
            rows[cte["ctename"]] = self._begun(cte, outer)
        for _ in range(len(ctes) + 8):
            self._restore(gathered)
            self._ctes = {**around, **rows}
            new = {cte["ctename"]: self._cte(cte, outer) for cte in ctes}
            if new == rows:
                return
            rows = new
        raise SqlError.at("the statement's WITH RECURSIVE cannot be told apart")

    def _begun(self, cte: Tree, outer: Scope | None) -> Rows:
        """What a query that uses itself has before: its part that does not (chapter 7.8.2)."""
        query = cte["ctequery"].get("SelectStmt", {})
        first = query.get("larg")
        if first is None or first.get("withClause"):
            return Rows(known=False)
        if query.get("withClause"):
            first = {**first, "withClause": query["withClause"]}
        rows = self.query("SelectStmt", first, outer)
        return rows.named(strings(cte.get("aliascolnames", [])))

    def _cte(self, cte: Tree, outer: Scope | None) -> Rows:
        rows = self.query(*unwrap(cte["ctequery"]), outer)
        rows = rows.named(strings(cte.get("aliascolnames", [])))
        search, cycle = cte.get("search_clause") or {}, cte.get("cycle_clause") or {}
        named = {*strings(search.get("search_col_list", []))}
        named |= {*strings(cycle.get("cycle_col_list", []))}
        if named:
            self.elsewhere |= NONE.union(*(o.base for o in rows.outputs if o.name in named))
        added = (
            search.get("search_seq_column"),
            cycle.get("cycle_mark_column"),
            cycle.get("cycle_path_column"),
        )
        return Rows((*rows.outputs, *(Output(name) for name in added if name)), rows.known)

    def _gathered(self) -> tuple[set[str], ...]:
        return tuple(
            set(one)
            for one in (self.touched, self.elsewhere, self.assigned, self.whole, self.attributes)
        )

    def _restore(self, gathered: tuple[set[str], ...]) -> None:
        self.touched, self.elsewhere, self.assigned, self.whole, self.attributes = (
            set(one) for one in gathered
        )

    # SELECT.

    def _select(self, content: Tree, outer: Scope | None) -> Rows:
        if "larg" in content:
            return self._set_operation(content, outer)
        if "valuesLists" in content:
            return self._values(content, outer)
        items, star = self._from(content.get("fromClause", ()), outer)
        scope = Scope(items, outer)
        rows = self._targets(content.get("targetList", ()), scope, star)
        self.fields("SelectStmt", content, scope, *_LISTS, "withClause", "intoClause")
        for node in content.get("groupClause", ()):
            self._group(node, rows, scope)
        self._sort(content, rows, scope)
        distinct = content.get("distinctClause")
        if distinct is not None:
            if any(distinct):
                for node in distinct:
                    self._order(node, rows, scope)
            else:
                self._store(rows)
        return rows

    def _set_operation(self, content: Tree, outer: Scope | None) -> Rows:
        # a UNION b UNION c … nests to the left, as deep as it is long.
        chain = [content]
        while "larg" in (left := chain[-1]["larg"]) and not left.get("withClause"):
            chain.append(left)
        rows = self.query("SelectStmt", chain[-1]["larg"], outer)
        for operation in reversed(chain):
            right = self.query("SelectStmt", operation["rarg"], outer)
            rows = self._united(operation, rows, right)
            scope = Scope((), outer)
            self._sort(operation, rows, scope)
            self.fields("SelectStmt", operation, scope, "larg", "rarg", "sortClause", "withClause")
        return rows

    def _united(self, operation: Tree, left: Rows, right: Rows) -> Rows:
        rows = Rows(
            tuple(
                Output(a.name, a.base | b.base, a.cast | b.cast)
                for a, b in zip(left.outputs, right.outputs, strict=False)
            ),
            left.known and right.known and len(left.outputs) == len(right.outputs),
        )
        if not rows.known or operation.get("op") != "SETOP_UNION" or not operation.get("all"):
            # Rows are compared; or which columns meet cannot be told.
            self._store(left)
            self._store(right)
        return rows

    def _values(self, content: Tree, outer: Scope | None) -> Rows:
        scope = Scope((), outer)
        width = 0
        for node in content["valuesLists"]:
            items = node["List"].get("items", [])
            width = max(width, len(items))
            for item in items:
                self.node(item, scope)
        rows = Rows(tuple(Output(f"column{at + 1}") for at in range(width)))
        self._sort(content, rows, scope)
        self.fields("SelectStmt", content, scope, "valuesLists", "sortClause", "withClause")
        return rows

    def _targets(self, nodes: Iterable[Tree], scope: Scope, star: Rows) -> Rows:
        outputs: list[Output] = []
        known = True
        for node in nodes:
            target = node["ResTarget"]
            value = target["val"]
            many = self._star(value, scope, star)
            if many is not None:
                outputs += many.outputs
                known = known and many.known
                continue
            output = self.plain(value, scope)
            if output is None:
                self.node(value, scope)
                output = Output("")
            outputs.append(output._replace(name=target.get("name") or name_of(value)))
        return Rows(tuple(outputs), known)

    def _star(self, node: Tree, scope: Scope, star: Rows) -> Rows | None:
        """The columns of *, u.* and (u).*; None for anything else."""
        kind, content = unwrap(node)
        if kind == "ColumnRef" and "A_Star" in content["fields"][-1]:
            path = strings(content["fields"])
            if not path:
                self.elsewhere |= NONE.union(*(item.unknown for item in scope.items))
            return self.stars(path, scope) if path else star
        if kind == "A_Indirection" and "A_Star" in content["indirection"][-1]:
            path = strings(content["arg"].get("ColumnRef", {}).get("fields", []))
            if len(content["indirection"]) == 1 and self.is_entry(path, scope):
                return self.stars(path, scope)
            self.fields("A_Indirection", content, scope)
            return Rows(known=False)
        return None

    def _sort(self, content: Tree, rows: Rows, scope: Scope) -> None:
        for node in content.get("sortClause", ()):
            self._order(node["SortBy"]["node"], rows, scope)

    def _order(self, node: Tree, rows: Rows, scope: Scope) -> bool:
        """An output's number or name, else an expression (findTargetlistEntrySQL92)."""
        kind, content = unwrap(node)
        chosen: Sequence[Output] = ()
        if kind == "A_Const" and "ival" in content:
            at = content["ival"].get("ival", 0)
            chosen = rows.outputs[at - 1 : at] if rows.known and at > 0 else rows.outputs
        elif kind == "ColumnRef" and len(content["fields"]) == 1:
            path = strings(content["fields"])
            chosen = [output for output in rows.outputs if path and output.name == path[0]]
        if chosen:
            self.elsewhere |= NONE.union(*(output.base for output in chosen))
            return True
        self.node(node, scope)
        return False

    def _group(self, node: Tree, rows: Rows, scope: Scope) -> None:
        kind, content = unwrap(node)
        if kind in {"GroupingSet", "RowExpr"}:
            for item in content.get("content", content.get("args", ())):
                self._group(item, rows, scope)
            return
        if kind == "ColumnRef" and len(content["fields"]) == 1:
            # A column of FROM comes before an output's name.
            self.mention(strings(content["fields"]), Scope(scope.items))
        self._order(node, rows, scope)

    # FROM.

    def _from(
        self, nodes: Iterable[Tree], outer: Scope | None, left: tuple[Item, ...] = ()
    ) -> tuple[tuple[Item, ...], Rows]:
        items: tuple[Item, ...] = ()
        outputs: tuple[Output, ...] = ()
        known = True
        for node in nodes:
            new, rows = self._entry(node, outer, (*left, *items))
            items += new
            outputs += rows.outputs
            known = known and rows.known
        return items, Rows(outputs, known)

    def _entry(
        self, node: Tree, outer: Scope | None, left: tuple[Item, ...]
    ) -> tuple[tuple[Item, ...], Rows]:
        """An entry of FROM: what can be named, and what * shows of it."""
        kind, content = unwrap(node)
        alias, columns = alias_of(content)
        lateral = Scope(left, outer)
        match kind:
            case "RangeVar":
                item = self._relation(content)
            case "RangeSubselect":
                around = lateral if content.get("lateral") else outer
                rows = self.query(*unwrap(content["subquery"]), around)
                item = Item(alias, rows.named(columns))
            case "JoinExpr":
                return self._join(content, outer, left)
            case "RangeTableSample":
                self.fields(kind, content, lateral, "relation", "method")
                return self._entry(content["relation"], outer, left)
            case "RangeFunction":
                self.fields(kind, content, lateral, "coldeflist")
                defined = [
                    node["ColumnDef"].get("colname", "") for node in content.get("coldeflist", ())
                ]
                rows = Rows(known=False).named((*columns, *defined[len(columns) :]))
                first = content["functions"][0]["List"]["items"][0]
                item = Item(alias or name_of(first), rows)
            case _:
                # XMLTABLE, JSON_TABLE: columns of their own, made of expressions.
                self.walk(kind, content, lateral)
                name = "json_table" if kind == "JsonTable" else "xmltable"
                item = Item(alias or name, Rows(known=False).named(columns))
        return (item,), item.rows

    def _relation(self, content: Tree) -> Item:
        """A relation or common table expression by name, with its alias."""
        alias, columns = alias_of(content)
        schema, name = content.get("schemaname", ""), content.get("relname", "")
        if not schema and name in self._ctes:
            return Item(alias or name, self._ctes[name].named(columns), aliased=True)
        return self._target(content, columns)

    def _target(self, content: Tree, columns: Sequence[str] = ()) -> Item:
        """A relation by name, never a common table expression."""
        alias, _ = alias_of(content)
        schema, name = content.get("schemaname", ""), content.get("relname", "")
        relation = self.names.relation(Reference(content.get("catalogname", ""), schema, name))
        if relation is None:
            unknown = frozenset({written(*filter(None, (schema or self.names.schema, name)), "*")})
            gone = Rows(known=False).named(columns)
            return Item(alias or name, gone, unknown=unknown, aliased=bool(alias))
        if (schema, name) not in self.names.kept:
            self.names.kept[schema, name] = relation_rows(relation)
        rows: Rows = self.names.kept[schema, name]
        unknown = NONE if rows.known else frozenset({written(relation.schema, relation.name, "*")})
        return Item(
            alias or relation.name,
            rows.named(columns),
            relation,
            unknown=unknown,
            aliased=bool(alias),
        )

    def _join(
        self, content: Tree, outer: Scope | None, left: tuple[Item, ...]
    ) -> tuple[tuple[Item, ...], Rows]:
        first, first_rows = self._entry(content["larg"], outer, left)
        second, second_rows = self._entry(content["rarg"], outer, (*left, *first))
        inside = Scope((*first, *second), outer)
        using: Sequence[str] | None = strings(content.get("usingClause", []))
        if content.get("isNatural"):
            using = None
            if not (first_rows.known and second_rows.known):
                self.use_rows(inside.items)
            there = {output.name for output in second_rows.outputs}
            common = [output.name for output in first_rows.outputs if output.name in there]
            self.mention(common, Scope(inside.items))
        else:
            self.mention(using or (), Scope(inside.items))
        rows = joined(first_rows, second_rows, using)
        self.fields("JoinExpr", content, inside, "larg", "rarg", "usingClause")
        alias, columns = alias_of(content)
        if alias:
            rows = rows.named(columns)
            unknown = NONE.union(*(item.unknown for item in inside.items))
            return (Item(alias, rows, unknown=unknown),), rows
        shared = content.get("join_using_alias") or {}
        if shared.get("aliasname"):
            merged = Rows(rows.outputs[: len(using or ())])
            return (*inside.items, Item(shared["aliasname"], merged, open=False)), rows
        return inside.items, rows

    # Changing data.

    def _insert(self, content: Tree, outer: Scope | None) -> Rows:
        target = self._target(content["relation"])
        scope = Scope((target,), outer)
        named = [node["ResTarget"] for node in content.get("cols", ())]
        for column in named:
            self.assign(target, column["name"])
            self.fields("ResTarget", column, scope)
        if not named:
            for output in target.rows.outputs:
                self.assign(target, output.name)
        if "selectStmt" in content:
            self._store(self.query(*unwrap(content["selectStmt"]), outer))
        conflict = content.get("onConflictClause")
        if conflict:
            # The row that was proposed: the client's own values, under the target's names.
            given = Rows(tuple(Output(o.name) for o in target.rows.outputs), target.rows.known)
            self._conflict(conflict, target, Scope((target, Item("excluded", given)), outer))
        return self._returning(content, target, (target,), target.rows, outer)

    def _conflict(self, clause: Tree, target: Item, scope: Scope) -> None:
        infer = clause.get("infer") or {}
        self.fields("InferClause", infer, Scope((target,)))
        self._assignments(clause.get("targetList", ()), target, scope)
        self.fields("OnConflictClause", clause, scope, "infer", "targetList")

    def _update(self, content: Tree, outer: Scope | None) -> Rows:
        target = self._target(content["relation"])
        items, star = self._from(content.get("fromClause", ()), outer)
        scope = Scope((target, *items), outer)
        self._assignments(content.get("targetList", ()), target, scope)
        self.fields(
            "UpdateStmt", content, scope,
            "relation", "targetList", "fromClause", "returningClause", "withClause",
        )  # fmt: skip
        rows = Rows((*target.rows.outputs, *star.outputs), target.rows.known and star.known)
        return self._returning(content, target, scope.items, rows, outer)

    def _delete(self, content: Tree, outer: Scope | None) -> Rows:
        target = self._target(content["relation"])
        items, star = self._from(content.get("usingClause", ()), outer)
        scope = Scope((target, *items), outer)
        self.fields(
            "DeleteStmt", content, scope,
            "relation", "usingClause", "returningClause", "withClause",
        )  # fmt: skip
        rows = Rows((*target.rows.outputs, *star.outputs), target.rows.known and star.known)
        return self._returning(content, target, scope.items, rows, outer)

    def _merge(self, content: Tree, outer: Scope | None) -> Rows:
        target = self._target(content["relation"])
        items, star = self._from((content["sourceRelation"],), outer)
        scope = Scope((target, *items), outer)
        for node in content.get("mergeWhenClauses", ()):
            clause = node["MergeWhenClause"]
            self._assignments(clause.get("targetList", ()), target, scope)
            self.fields("MergeWhenClause", clause, scope, "targetList")
        self.fields(
            "MergeStmt", content, scope,
            "relation", "sourceRelation", "mergeWhenClauses", "returningClause", "withClause",
        )  # fmt: skip
        rows = Rows((*star.outputs, *target.rows.outputs), target.rows.known and star.known)
        return self._returning(content, target, scope.items, rows, outer)

    def _assignments(self, nodes: Iterable[Tree], target: Item, scope: Scope) -> None:
        for node in nodes:
            column = node["ResTarget"]
            if "name" in column:
                self.assign(target, column["name"])
            self.fields("ResTarget", column, scope)

    def _returning(
        self,
        content: Tree,
        target: Item,
        items: tuple[Item, ...],
        star: Rows,
        outer: Scope | None,
    ) -> Rows:
        clause = content.get("returningClause")
        if not clause:
            return Rows()
        olds = {"RETURNING_OPTION_OLD": "old", "RETURNING_OPTION_NEW": "new"}
        for node in clause.get("options", ()):
            option = node["ReturningOption"]
            olds[option.get("option", "")] = option.get("value", "")
        taken = {item.name for item in items}
        sides = tuple(
            Item(name, target.rows, target.relation, unknown=target.unknown, open=False)
            for name in olds.values()
            if name not in taken
        )
        return self._targets(clause.get("exprs", ()), Scope((*items, *sides), outer), star)

    # Statements that are no queries.

    def _copy(self, content: Tree) -> Rows:
        if "query" in content:
            return self.run(content["query"])
        target = self._target(content["relation"])
        scope = Scope((target,))
        listed = strings(content.get("attlist", []))
        names = listed or [output.name for output in target.rows.outputs]
        if content.get("is_from"):
            for name in names:
                self.assign(target, name)
            self.fields("CopyStmt", content, scope, "relation", "attlist")
            return Rows()
        rows = Rows(tuple(self.lookup((name,), scope) for name in names), target.rows.known)
        self.elsewhere |= target.unknown
        self.touched |= rows.base()
        return rows

    def _define(self, kind: str, content: Tree) -> None:
        """A definition: its expressions are about the relations it names."""
        items = [
            self._target(
                {"schemaname": one.schema, "relname": one.name, "catalogname": one.catalog}
            )
            for one in self.references
            if not one.created
        ]
        made = [
            Output(node["ColumnDef"].get("colname", ""))
            for node in _elements(content)
            if "ColumnDef" in node
        ]
        items.append(Item("", Rows(tuple(made))))
        if kind in {"RuleStmt", "CreateTrigStmt"} and items[0].relation is not None:
            items += [items[0]._replace(name=name, open=False) for name in ("old", "new")]
        scope = Scope(tuple(item for item in items if item.rows.known))
        self.walk(kind, content, scope)


def _elements(content: Tree) -> Sequence[Mapping[str, Any]]:
    elements: Sequence[Mapping[str, Any]] = content.get("tableElts", ())
    return elements
