"""The shape of the parser's tree, taken from libpg_query's own description (pg_query.proto).

A walker that goes by this table misses nothing: every field that can hold a node is named with
what it holds, and a field or node that is not in the table makes the statement opaque.
"""

from collections.abc import Mapping
from typing import Any, Final

from postgast import pg_query_pb2

Tree = Mapping[str, Any]

# Made by the server's analysis and planner only; the grammar never makes them, so they are as
# strange in a tree as a node that a later libpg_query adds.
_AFTER_PARSING: Final = frozenset(
    {
        "Aggref", "AlternativeSubPlan", "ArrayCoerceExpr", "ArrayExpr", "CallContext",
        "CaseTestExpr", "CoerceToDomain", "CoerceToDomainValue", "CoerceViaIO", "CollateExpr",
        "ConvertRowtypeExpr", "DistinctExpr", "FieldSelect", "FieldStore", "FromExpr", "FuncExpr",
        "InferenceElem", "InlineCodeBlock", "IntList", "JsonConstructorExpr", "JsonExpr",
        "JsonTablePath", "JsonTablePathScan", "JsonTableSiblingJoin", "MergeAction",
        "NextValueExpr", "NullIfExpr", "OidList", "OnConflictExpr", "OpExpr", "PLAssignStmt",
        "Param", "PartitionRangeDatum", "Query", "RTEPermissionInfo", "RangeTblEntry",
        "RangeTblFunction", "RangeTblRef", "RelabelType", "ReturningExpr", "RowCompareExpr",
        "RowMarkClause", "ScalarArrayOpExpr", "SetOperationStmt", "SortGroupClause", "SubPlan",
        "SubscriptingRef", "TableFunc", "TableSampleClause", "TargetEntry", "Var", "WindowClause",
        "WindowFunc", "WindowFuncRunCondition", "WithCheckOption",
    }
)  # fmt: skip

NODE: Final = "Node"

FIELDS: Final[Mapping[str, Mapping[str, str | None]]] = {
    name: {
        field.json_name: field.message_type.name if field.message_type else None
        for field in message.fields
    }
    for name, message in pg_query_pb2.DESCRIPTOR.message_types_by_name.items()
    if name not in _AFTER_PARSING
}
"""Node type → field → type it holds; NODE for a node of any type, None for a plain value."""

KNOWN: Final = frozenset(FIELDS[NODE]) & FIELDS.keys()
"""Types a NODE may have."""

# {} stands for a null pointer, and for a node that libpg_query could not write. Only here does the
# grammar make null pointers: DISTINCT without ON, a function in FROM without column definitions,
# and the arguments of an aggregate over anything.
NULLABLE: Final = frozenset(
    {
        ("SelectStmt", "distinctClause"),
        ("List", "items"),
        ("DefineStmt", "args"),
        ("ObjectWithArgs", "objargs"),
    }
)


def unwrap(node: Tree) -> tuple[str, Tree]:
    """A node's type and content; ("", {}) for a null pointer."""
    for kind, content in node.items():
        return kind, content
    return "", {}


def strings(nodes: list[Tree]) -> tuple[str, ...]:
    """The names in a list of String nodes; other nodes are left out."""
    # A list first: a generator costs twice as much.
    return tuple([node["String"].get("sval", "") for node in nodes if "String" in node])
