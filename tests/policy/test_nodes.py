"""A tree is walked whole, in the order of the source."""

from proctor.policy.nodes import Macro, Name, Node, children, walk
from proctor.policy.syntax import parse

SOURCE = "a.b[c] + f(d) == e.g(h) && !i.exists(x, x in [j, {k: l}]) || (m ? n : -o) == has(p.q)"


def test_every_name_is_met_once_in_order() -> None:
    names = [node.name for node in walk(parse(SOURCE)) if isinstance(node, Name)]
    assert names == list("acdehixjklmnop")


def test_children_lie_within() -> None:
    for node in walk(parse(SOURCE)):
        for child in children(node):
            assert isinstance(child, Node)
            assert node.start <= child.start < child.end <= node.end


def test_a_macros_variable_is_no_child() -> None:
    (macro,) = [node for node in walk(parse("i.all(x, true)")) if isinstance(node, Macro)]
    assert macro.variable not in children(macro)
