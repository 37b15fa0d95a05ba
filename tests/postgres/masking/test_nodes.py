"""Reading the server's own trees, whatever names stand in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.masking import nodes
from proctor.postgres.masking.nodes import Node, read_tree
from tests.postgres.server import Server


def written(name: str) -> str:
    """What outToken of outfuncs.c writes."""
    if not name:
        return '""'
    start = name[0] in '<"' or name[0].isdigit()
    if name[0] in "+-" and (name[1:2].isdigit() or name[1:2] == "."):
        start = True
    escaped = "".join(f"\\{char}" if char in " \n\t(){}\\" else char for char in name)
    return f"\\{escaped}" if start and not escaped.startswith("\\") else escaped


def test_a_tree() -> None:
    tree = read_tree(
        r"({VAR :varno 1 :varattno 3 :location 25} {CONST :consttype 25 :constisnull false"
        r' :constvalue 5 [ 20 0 0 0 120 ]} {X :names ("id" "e\ m") :set (b 8 10) :none <> :t a\ b})'
    )
    var, const, other = tree
    assert (var.tag, var.fields) == ("VAR", {"varno": "1", "varattno": "3"})
    assert const.fields["constvalue"] == ["5", "[", "20", "0", "0", "0", "120", "]"]
    assert other.fields["names"] == ['"id"', r'"e\ m"']
    assert other.fields["set"] == ["b", "8", "10"]
    assert other.text("t") == "a b"
    assert (other.fields.get("none"), other.text("none"), other.nodes("none")) == (None, "", [])
    assert var.number("varno") == 1
    assert repr(const) == "Node(CONST)"


@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_a_name_is_a_name(name: str) -> None:
    tree = read_tree(f"{{T :resname {written(name)} :expr {{VAR :varattno 3}} :resno 1}}")
    assert tree.text("resname") == name
    assert isinstance(tree.fields["expr"], Node)
    assert tree.number("resno") == 1


@pytest.mark.parametrize(
    "name", [":expr", ":varno 1", "<>", " :location 5", "{VAR", "}", "(", ")", "\\", '"', "a\n:b c"]
)
def test_names_like_the_trees_own_marks(name: str) -> None:
    test_a_name_is_a_name.hypothesis.inner_test(name)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    ["", "{", "}", "(", "({A)}", "{A :b 1", "{A} {B}", "{A 1}", "{A :b 1 2}", "(x"],
)
def test_what_is_no_tree(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_tree(text)


@given(st.text(alphabet="{}() \\:<>ab1", max_size=60))
def test_whatever_comes(text: str) -> None:
    try:
        read_tree(text)
    except ValueError:
        return


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MAX_SIZE", 10)
    with pytest.raises(ValueError, match="too large"):
        read_tree("(" + " " * 20 + ")")


def test_every_view_of_the_system_can_be_read(every_postgres: Server) -> None:
    rows = every_postgres.execute("SELECT ev_action::text FROM pg_rewrite")
    assert len(rows) > 100
    for (text,) in rows:
        (query,) = read_tree(text)
        assert query.tag == "QUERY"
        assert all(node.number("rtekind") < 10 for node in query.nodes("rtable"))
