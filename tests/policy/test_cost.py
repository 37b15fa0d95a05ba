"""A bound on what an expression can cost, held against what it does cost."""

import time

import cel
import pytest

from proctor.policy.cost import MAX_ITEMS, MAX_STEPS, _steps, check_cost
from proctor.policy.nodes import ExpressionError
from proctor.policy.syntax import parse

L = "llm.tools"


@pytest.mark.parametrize(
    ("source", "fine"),
    [
        ("llm.model == 'x'", True),
        (f"{L}.exists(t, t.startsWith('x'))", True),
        (f"{L}.exists(t, t in ['a', 'b', 'c'])", True),
        (f"{L}.all(t, ['a', 'b'].exists(p, t.startsWith(p)))", True),
        (f"{L}.exists(t, t.matches('^mcp__[a-z]+__get'))", True),
        (f"{L}.map(t, size(t)).size() > 3", True),
        (f"{L}.exists(t, {L}.exists(u, t == u))", False),
        (f"{L}.exists(t, t in {L}.map(u, u))", False),
        (f"{L}.exists(t, t.matches('\\\\w+'))", False),
        ("llm.model.matches('(a{100}){100}')", False),
        ("llm.model.matches('\\\\pL{500}')", False),
    ],
)
def test_bound(source: str, fine: bool) -> None:  # noqa: FBT001 - a table
    tree = parse(source)
    if fine:
        check_cost(tree)
        return
    with pytest.raises(ExpressionError):
        check_cost(tree)


@pytest.mark.parametrize(
    "source",
    [
        f"{L}.exists(t, t.startsWith('x') || t.endsWith('y'))",
        f"{L}.map(t, size(t)).size() < 3",
        f"{L}.filter(t, size(t) > 0).size() < 3",
        f"{L}.exists(t, t.matches('^x[a-z]+__get'))",
        f"{L}.exists(t, {[str(n) for n in range(20)]}.exists(p, t == p))",
        r"llm.model.matches(r'\w{50}')",
    ],
)
def test_a_step_is_about_what_it_is_said_to_be(source: str) -> None:
    program = cel.compile(source)
    tools = [f"mcp__server__tool_{n}" for n in range(MAX_ITEMS)]
    context = cel.Context({"llm": {"model": "x", "tools": tools}})
    best = min(_seconds(program, context) for _ in range(3))
    # A wide margin, since machines differ: what matters is the order of magnitude.
    assert best < _steps(parse(source)) * 5e-6
    assert _steps(parse(source)) <= MAX_STEPS


def _seconds(program: cel.Program, context: cel.Context) -> float:
    start = time.thread_time()
    program.execute(context)
    return time.thread_time() - start
