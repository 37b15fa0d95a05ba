"""Whatever libpg_query can put into a tree is known, or makes the statement opaque."""

from postgast import pg_query_pb2

from proctor.sql.nodes import FIELDS, KNOWN, NODE, strings, unwrap


def test_every_field_that_holds_a_node_is_named() -> None:
    messages = pg_query_pb2.DESCRIPTOR.message_types_by_name
    for kind, fields in FIELDS.items():
        assert set(fields) == {field.json_name for field in messages[kind].fields}
        for name, held in fields.items():
            field = next(one for one in messages[kind].fields if one.json_name == name)
            assert (held is None) == (field.message_type is None)


def test_nodes_that_the_grammar_does_not_make_are_strange() -> None:
    assert "Query" not in FIELDS
    assert "Var" not in KNOWN
    assert "SelectStmt" in KNOWN
    assert FIELDS["SelectStmt"]["whereClause"] == NODE


def test_helpers() -> None:
    assert unwrap({"A_Star": {}}) == ("A_Star", {})
    assert unwrap({}) == ("", {})
    assert strings([{"String": {"sval": "a"}}, {"A_Star": {}}, {"String": {}}]) == ("a", "")
