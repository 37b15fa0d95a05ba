"""What is done with trees that no server wrote so far; real ones are in test_masks.py."""

import pytest

from proctor.errors import RefusedError
from proctor.postgres.masking.lineage import UnknownViewError, trace
from proctor.postgres.masking.model import Sensitive
from proctor.postgres.masking.nodes import Node, read_tree
from tests.postgres.masking.database import sensitive

EMAIL = sensitive("users", "email", restore=True)
TABLE = "{RANGETBLENTRY :rtekind 0 :relid 20000 :relkind r}"
VAR = "{VAR :varno 1 :varattno 3 :varlevelsup 0}"


class World:
    def column(self, relation: int, number: int) -> Sensitive | None:
        return EMAIL if (relation, number) == (20000, 3) else None

    def touches(self, relation: int) -> Sensitive | None:
        return EMAIL if relation == 20000 else None

    def closed(self, relation: int) -> tuple[str, str] | None:
        return ("pg_stats", "values") if relation == 30000 else None

    def ruled(self, relation: int) -> bool:
        return relation == 40000

    def view(self, relation: int) -> Node | None:
        raise UnknownViewError(relation)


def query(target: str = VAR, table: str = TABLE, more: str = "") -> str:
    return (
        f"(({{QUERY :commandType 1 :utilityStmt <> :rtable ({table}) {more} :targetList"
        f" ({{TARGETENTRY :expr {target} :resno 1 :ressortgroupref 0 :resjunk false}})}}))"
    )


def traced(text: str) -> tuple[Sensitive | None, ...]:
    return trace(read_tree(text), World()).outputs


def test_a_plain_column() -> None:
    assert traced(query()) == (EMAIL,)
    found = trace(read_tree(query()), World())
    assert (found.touched, found.relations) == (True, {20000})


@pytest.mark.parametrize(
    "text",
    [
        query(VAR.replace("varno 1", "varno 2")),
        query(VAR.replace("varno 1", "varno -1")),
        query(VAR.replace("varlevelsup 0", "varlevelsup 1")),
        query(VAR.replace("varattno", "number")),
        query(table="{RANGETBLENTRY :rtekind 77 :relid 20000 :relkind r}"),
        query(table="{RANGETBLENTRY :rtekind 7 :enrname old}"),
        query(table="{RANGETBLENTRY :rtekind 6 :ctename c :ctelevelsup 0}"),
        query(table="{RANGETBLENTRY :rtekind 6 :ctename c :ctelevelsup 9}"),
        query().replace(":utilityStmt <>", ":utilityStmt {NOTIFYSTMT :x 1}"),
        "(({QUERY :commandType 1} {QUERY :commandType 1}))",
        "((<>))",
        "{VAR :varno 1}",
    ],
)
def test_a_tree_unlike_others_is_refused(text: str) -> None:
    with pytest.raises(RefusedError) as caught:
        traced(text)
    assert caught.value.code == "sql-masked-unresolved"


@pytest.mark.parametrize(
    "wrapping",
    ["{{NEWNODE :anything {}}}", "{{NEWNODE :list (({}))}}", "{{SUBSCRIPTINGREF :refexpr {}}}"],
)
def test_a_node_that_nobody_knows_is_walked(wrapping: str) -> None:
    with pytest.raises(RefusedError, match="is masked here"):
        traced(query(wrapping.format(VAR)))
    assert traced(query(wrapping.format(VAR.replace("varattno 3", "varattno 2")))) == (None,)
    with pytest.raises(RefusedError, match="is masked here"):
        traced(query(more=f":newClause {wrapping.format(VAR)}"))


def test_deep_trees_end() -> None:
    deep = "{A :b " * 5000 + VAR + "}" * 5000
    with pytest.raises(RefusedError, match="nested too deeply"):
        traced(query(deep))


def test_what_is_closed_or_unknown() -> None:
    with pytest.raises(RefusedError, match="pg_stats"):
        traced(query(table=TABLE.replace("20000", "30000")))
    with pytest.raises(UnknownViewError) as unknown:
        traced(query(table=TABLE.replace("relkind r", "relkind v")))
    assert unknown.value.oid == 20000
    with pytest.raises(RefusedError, match="rules"):
        traced(query(table=TABLE.replace("20000", "40000"), more=":resultRelation 1"))


def test_excluded_rows_come_from_the_statement() -> None:
    assert traced(query(table=TABLE.replace("relkind r", "relkind c"))) == (None,)
