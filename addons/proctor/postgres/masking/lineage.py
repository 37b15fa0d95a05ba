"""Where sensitive columns go in a statement, by the tree that the server made of it.

Each reference to a column (VAR) is followed through subqueries, CTEs, joins and views to the tables
it comes from. One that comes from a sensitive column may be a whole output column and nothing else:
every node is walked, and every other reference raises. What this does not know raises, too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from proctor.postgres.masking.model import Sensitive, closed, masked, unresolved
from proctor.postgres.masking.nodes import Node

# parsenodes.h, RTEKind.
_RELATION, _SUBQUERY, _JOIN, _FUNCTION, _TABLEFUNC, _VALUES, _CTE = range(7)
_RESULT, _GROUP = 8, 9
_SELECT: Final = 1  # CmdType
_EXISTS, _EXPR = 0, 4  # SubLinkType
_CASTS: Final = (1, 2)  # CoercionForm: written as a cast, or implicit
_EXCLUDED: Final = "c"  # relkind of ON CONFLICT's excluded rows, which come from the statement
_VIEWS: Final = ("v", "m")
_FIRST_NORMAL: Final = 16384  # OIDs below were there before the first user (transam.h)
_TEXTS: Final = frozenset({25, 1042, 1043})  # text, bpchar, varchar: a cast to them never fails
_EQUALS: Final = frozenset({98, 1054})  # = of text and of bpchar
_FUNCTIONS: Final = ("funcid", "opfuncid", "aggfnoid", "winfnoid")
# Of a QUERY, what is not simply walked; of a range table entry, what is.
_OWN: Final = frozenset(
    {"cteList", "rtable", "targetList", "returningList", "setOperations", "rteperminfos"}
)
_WALKED: Final = ("tablesample", "functions", "values_lists", "tablefunc", "securityQuals")


class UnknownViewError(Exception):
    """A view's definition has to be read first. `oid` is the view's."""

    def __init__(self, oid: int) -> None:
        super().__init__(oid)
        self.oid = oid


class World(Protocol):
    """What is known of the database."""

    def column(self, relation: int, number: int) -> Sensitive | None:
        """Of a table: whether a column is sensitive."""
        ...

    def touches(self, relation: int) -> Sensitive | None:
        """The first sensitive column of a table, if it has one."""
        ...

    def closed(self, relation: int) -> tuple[str, str] | None:
        """A relation's name, and why it may not be read; None where it may."""
        ...

    def ruled(self, relation: int) -> bool:
        """Whether what is written to it sets off rules."""
        ...

    def view(self, relation: int) -> Node | None:
        """The query behind a view; None where it is of the system's own, or said to be safe.

        Raises:
            UnknownViewError: It was not read yet.
        """
        ...


@dataclass(slots=True)
class Lineage:
    """What was found of one statement.

    Attributes:
        outputs: By ordinal, the sensitive column that is shown.
        touched: Whether a relation with sensitive columns stands in it.
        written: Relations that it writes.
        functions: OIDs of all that is called.
        relations: OIDs of all that is named in it, not those behind views.
        parameters: Of those compared with a column that is restored.
        literals: Constants compared with one, and with which.
        uses: How often each parameter stands in it.
    """

    outputs: tuple[Sensitive | None, ...] = ()
    touched: bool = False
    written: set[int] = field(default_factory=set[int])
    functions: set[int] = field(default_factory=set[int])
    relations: set[int] = field(default_factory=set[int])
    parameters: set[int] = field(default_factory=set[int])
    literals: list[tuple[Sensitive, bytes]] = field(default_factory=list)
    uses: dict[int, int] = field(default_factory=dict[int, int])


type Outputs = tuple[Sensitive | None, ...]


@dataclass(slots=True)
class _Query:
    """One level of names."""

    table: list[Node]
    ctes: dict[str, Callable[[], Outputs]]
    parent: "_Query | None"
    outputs: dict[int, Outputs] = field(default_factory=dict[int, Outputs])


def trace(tree: Any, world: World) -> Lineage:
    """What a statement does with sensitive columns.

    Args:
        tree: Of prosqlbody: a list of statements in a list, here one.
        world: What is known of the database.

    Raises:
        RefusedError: It does what it may not, or cannot be resolved.
        UnknownViewError: A view's definition has to be read first.
    """
    while isinstance(tree, list) and len(tree) == 1:
        tree = tree[0]
    if not isinstance(tree, Node) or tree.tag != "QUERY":
        raise unresolved("several statements in one")
    found = Lineage()
    try:
        found.outputs = _Tracer(world, found).query(tree, None)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        what = type(error).__name__
        raise unresolved(f"a tree of the server's that is unlike others ({what})") from None
    except RecursionError:
        raise unresolved("a statement that is nested too deeply") from None
    for number in found.parameters:
        if found.uses[number] > 1:
            raise unresolved(
                f"${number} in several places",
                "a parameter of its own for what is compared with a masked column",
            )
    return found


class _Tracer:
    """Walks one statement."""

    def __init__(self, world: World, found: Lineage, *, view: bool = False) -> None:
        self._world = world
        self._found = found
        self._view = view
        self._views: dict[int, Outputs] = {}

    def query(self, node: Node, parent: _Query | None) -> Outputs:
        if node.fields.get("utilityStmt") is not None:
            raise unresolved("a statement in a rule or a function")
        here = _Query(node.nodes("rtable"), {}, parent)
        for cte in node.nodes("cteList"):
            here.ctes[cte.text("ctename")] = _once(self._cte, cte, here)
        for index in range(len(here.table)):
            self._entry(index, here)
        for cte_outputs in here.ctes.values():
            cte_outputs()
        self._writes(node, here)
        if node.fields.get("setOperations") is not None:
            shown = (one for outputs in here.outputs.values() for one in outputs if one)
            self._refuse(next(shown, None), "UNION, INTERSECT or EXCEPT")
        outputs = self._targets(node, here)
        for name, value in node.fields.items():
            if name not in _OWN:
                self._use(value, here)
        return outputs

    def _cte(self, cte: Node, here: _Query) -> Outputs:
        for name, value in cte.fields.items():
            if name in ("search_clause", "cycle_clause"):
                self._use(value, here)
        inner = cte.fields["ctequery"]
        return self.query(inner, here)

    def _targets(self, node: Node, here: _Query) -> Outputs:
        outputs: list[Sensitive | None] = []
        if node.number("commandType") != _SELECT:
            self._use(node.nodes("targetList"), here)
            targets = node.nodes("returningList")
        else:
            self._use(node.nodes("returningList"), here)
            targets = node.nodes("targetList")
        for target in targets:
            if target.fields["resjunk"] != "false":
                self._use(target.fields.get("expr"), here)
                continue
            shown = self._shown(target.fields.get("expr"), here)
            if target.fields.get("ressortgroupref", "0") != "0":
                self._refuse(shown, "ORDER BY, GROUP BY, DISTINCT or a window")
            outputs.append(shown)
        return tuple(outputs)

    def _writes(self, node: Node, here: _Query) -> None:
        index = int(node.fields.get("resultRelation") or 0)
        if not index:
            return
        relation = here.table[index - 1].number("relid")
        self._found.written.add(relation)
        if self._world.ruled(relation):
            raise closed("a table with rules", "rules do more than the statement says")

    def _entry(self, index: int, here: _Query) -> None:
        entry = here.table[index]
        kind = entry.number("rtekind")
        match kind:
            case 0:  # _RELATION
                self._relation(entry)
            case 1:  # _SUBQUERY
                here.outputs[index] = self.query(entry.fields["subquery"], here)
            case 2 | 3 | 4 | 5 | 6 | 8:
                pass
            case 9:  # _GROUP
                for one in entry.fields.get("groupexprs") or ():
                    self._refuse(self._shown(one, here), "GROUP BY")
            case _:
                raise unresolved(f"a source of rows of kind {kind}")
        for name in _WALKED:
            if (value := entry.fields.get(name)) is not None:
                self._use(value, here)

    def _relation(self, entry: Node) -> None:
        relation = entry.number("relid")
        self._found.relations.add(relation)
        if self._world.touches(relation) is not None:
            self._found.touched = True
        if reason := self._world.closed(relation):
            raise closed(*reason)
        if entry.fields["relkind"] in _VIEWS:
            self._columns_of(relation)

    def _columns_of(self, view: int) -> Outputs:
        """What a view's columns show; what it does besides must be allowed, too."""
        known = self._views.get(view)
        if known is not None:
            return known
        self._views[view] = ()  # its own entries in its own tree, of OLD and NEW
        tree = self._world.view(view)
        if tree is None:
            # What is said to be safe to see can still complain of a value.
            self._found.touched |= view >= _FIRST_NORMAL
            return ()
        inner = Lineage(functions=self._found.functions)
        tracer = _Tracer(self._world, inner, view=True)
        tracer._views = self._views
        outputs = tracer.query(tree, None)
        self._found.touched |= inner.touched
        self._views[view] = outputs
        return outputs

    def _shown(self, expr: Any, here: _Query) -> Sensitive | None:
        """The sensitive column that an expression is, if it is one; else it is walked."""
        if isinstance(expr, Node):
            fields = expr.fields
            match expr.tag:
                case "VAR":
                    return self._column(expr, here)
                case "RELABELTYPE" | "COLLATEEXPR":
                    return self._shown(fields["arg"], here)
                case "COERCEVIAIO" if int(fields["resulttype"]) in _TEXTS:
                    return self._shown(fields["arg"], here)
                case "FUNCEXPR" if _is_text_cast(expr):
                    self._called(expr)
                    return self._shown(fields["args"][0], here)
                case "SUBLINK" if int(fields["subLinkType"]) == _EXPR:
                    (shown,) = self.query(fields["subselect"], here)
                    return shown
        self._use(expr, here)
        return None

    def _use(self, value: Any, here: _Query) -> None:
        """Walk what may not hold any sensitive column."""
        if isinstance(value, list):
            for item in value:
                self._use(item, here)
        elif isinstance(value, Node):
            self._use_node(value, here)

    def _use_node(self, node: Node, here: _Query) -> None:
        match node.tag:
            case "VAR":
                self._refuse(self._column(node, here), "an expression, a condition or a value")
                return
            case "QUERY":
                self._refuse_any(self.query(node, here), "a subquery in an expression")
                return
            case "SUBLINK" if int(node.fields["subLinkType"]) == _EXISTS:
                self.query(node.fields["subselect"], here)
                return
            case "OPEXPR" if self._restored(node, here):
                return
            case "PARAM" if node.fields["paramkind"] == "0":
                number = node.number("paramid")
                self._found.uses[number] = self._found.uses.get(number, 0) + 1
            case "CONST" | "RANGETBLREF" | "SORTGROUPCLAUSE":
                return
        self._called(node)
        for child in node.fields.values():
            if isinstance(child, (list, Node)):
                self._use(child, here)

    def _called(self, node: Node) -> None:
        for name in _FUNCTIONS:
            if name in node.fields:
                self._found.functions.add(node.number(name))

    def _restored(self, node: Node, here: _Query) -> bool:
        """Whether it is `column = surrogate`, for a column that may be asked for that way."""
        if int(node.fields["opno"]) not in _EQUALS or self._view:
            return False
        left, right = (_bare(arg) for arg in node.nodes("args"))
        column, value = (left, right) if left.tag == "VAR" else (right, left)
        if column.tag != "VAR" or value.tag not in ("CONST", "PARAM"):
            return False
        sensitive = self._column(column, here)
        if sensitive is None or not sensitive.restore:
            return False
        if value.tag == "CONST":
            self._found.literals.append((sensitive, _constant(value)))
        elif value.fields["paramkind"] != "0":
            return False
        else:
            number = value.number("paramid")
            self._found.parameters.add(number)
            self._found.uses[number] = self._found.uses.get(number, 0) + 1
        return True

    def _column(self, var: Node, here: _Query) -> Sensitive | None:
        level = here
        for _ in range(int(var.fields.get("varlevelsup", 0))):
            if level.parent is None:
                raise ValueError("no such level")
            level = level.parent
        index = var.number("varno") - 1
        if index < 0:
            raise ValueError("no such entry")
        return self._of_entry(index, var.number("varattno"), level)

    def _of_entry(  # noqa: PLR0911 - one kind after another
        self, index: int, number: int, here: _Query
    ) -> Sensitive | None:
        entry = here.table[index]
        kind = entry.number("rtekind")
        if kind == _RELATION:
            return self._of_relation(entry, number)
        if kind == _JOIN:
            aliases = entry.fields["joinaliasvars"]
            picked = aliases if number == 0 else [aliases[number - 1]]
            shown = next((s for one in picked if (s := self._behind(one, here))), None)
            if number == 0:
                self._refuse(shown, "a whole row")
            return shown
        if kind == _GROUP:
            return None  # refused where it is grouped by
        if kind in (_FUNCTION, _TABLEFUNC, _VALUES, _RESULT):
            return None  # what goes into them was walked
        if kind == _SUBQUERY:
            outputs = here.outputs[index]
        elif kind == _CTE:
            outputs = self._of_cte(entry, here)
        else:
            raise unresolved(f"a source of rows of kind {kind}")
        if number == 0:
            self._refuse_any(outputs, "a whole row")
            return None
        # SEARCH and CYCLE add columns of their own to a CTE, made of those it has.
        if number > len(outputs):
            self._refuse_any(outputs, "SEARCH or CYCLE")
            return None
        return outputs[number - 1] if number > 0 else None

    def _of_relation(self, entry: Node, number: int) -> Sensitive | None:
        relation = entry.number("relid")
        relkind = entry.fields["relkind"]
        if relkind == _EXCLUDED or number < 0:
            return None
        if relkind in _VIEWS:
            outputs = self._views.get(relation, ())
            if number == 0:
                self._refuse_any((*outputs, self._world.touches(relation)), "a whole row")
                return None
            shown = outputs[number - 1] if outputs else None
            return shown or self._world.column(relation, number)
        if number == 0:
            self._refuse(self._world.touches(relation), "a whole row, made one value")
            return None
        return self._world.column(relation, number)

    def _of_cte(self, entry: Node, here: _Query) -> Outputs:
        level: _Query | None = here
        for _ in range(int(entry.fields.get("ctelevelsup", 0))):
            level = level.parent if level else None
        if level is None:
            raise ValueError("no such level")
        return level.ctes[entry.text("ctename")]()

    def _behind(self, expr: Any, here: _Query) -> Sensitive | None:
        """The first sensitive column in what a join merges; USING refuses them by its condition."""
        for node in _variables(expr):
            if shown := self._column(node, here):
                return shown
        return None

    def _refuse_any(self, outputs: Outputs, where: str) -> None:
        self._refuse(next(filter(None, outputs), None), where)

    def _refuse(self, column: Sensitive | None, where: str) -> None:
        if column is None:
            return
        if self._view:
            raise closed(
                f"a view with {column.name} in {where}",
                "a view that shows masked columns as they are, or does not use them",
                "An operator who knows what the view shows can name it in masking.trusted.",
            )
        raise masked(column.name, where)


def _once(
    make: Callable[[Node, _Query], Outputs], cte: Node, here: _Query
) -> Callable[[], Outputs]:
    """Its outputs, found when first asked for.

    A CTE that asks for itself is recursive: a UNION, in which no sensitive column may stand.
    """
    known: list[Outputs] = []
    asked: list[bool] = []

    def outputs() -> Outputs:
        if not known:
            if asked:
                return (None,) * len(cte.fields.get("ctecolnames") or ())
            asked.append(True)
            known.append(make(cte, here))
        return known[0]

    return outputs


def _is_text_cast(node: Node) -> bool:
    fields = node.fields
    return (
        int(fields["funcformat"]) in _CASTS
        and int(fields["funcresulttype"]) in _TEXTS
        and int(fields["funcid"]) < _FIRST_NORMAL
        and all(isinstance(arg, Node) and arg.tag == "CONST" for arg in fields["args"][1:])
    )


def _bare(node: Node) -> Node:
    while node.tag == "RELABELTYPE":
        node = node.fields["arg"]
    return node


def _variables(value: Any) -> Iterator[Node]:
    if isinstance(value, list):
        for item in value:
            yield from _variables(item)
    elif isinstance(value, Node):
        if value.tag == "VAR":
            yield value
        for child in value.fields.values():
            if isinstance(child, (list, Node)):
                yield from _variables(child)


def _constant(node: Node) -> bytes:
    """The characters of a constant of a text type; what is none looks like none."""
    value = node.fields.get("constvalue")
    if not isinstance(value, list):
        return b""
    # Size, bracket, four bytes of varlena's own length, characters, bracket (outDatum).
    return bytes(int(item) & 0xFF for item in value[6:-1])
