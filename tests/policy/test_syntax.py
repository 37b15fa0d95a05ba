"""The parser agrees with the library about what an expression says, or refuses."""

from typing import Any

import cel
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proctor.policy.nodes import (
    Binary,
    Call,
    Conditional,
    ExpressionError,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
    walk,
)
from proctor.policy.syntax import MAX_CHARS, parse


def whole(node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one for each kind of node
    """An expression with every bracket written out."""
    match node:
        case Literal(value=value):
            if value is None or isinstance(value, bool):
                return {True: "true", False: "false", None: "null"}[value]
            return f"uint({value!r})" if node.type == "uint" else repr(value)
        case Name(name=name):
            return name
        case Select(operand=operand, name=name, test=test):
            return f"has({whole(operand)}.{name})" if test else f"({whole(operand)}).{name}"
        case Index(operand=operand, index=index):
            return f"({whole(operand)})[{whole(index)}]"
        case Unary(op=op, operand=operand):
            return f"{op}({whole(operand)})"
        case Binary(op=op, left=left, right=right):
            return f"(({whole(left)}) {op} ({whole(right)}))"
        case Logic(op=op, operands=operands):
            return f"({f' {op} '.join(f'({whole(each)})' for each in operands)})"
        case Conditional(test=test_, then=then, otherwise=otherwise):
            return f"(({whole(test_)}) ? ({whole(then)}) : ({whole(otherwise)}))"
        case ListOf(items=items):
            return f"[{', '.join(map(whole, items))}]"
        case MapOf(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return f"{{{', '.join(f'{whole(k)}: {whole(v)}' for k, v in pairs)}}}"
        case Macro(operand=operand, name=name, variable=variable, bodies=bodies):
            return f"({whole(operand)}).{name}({', '.join(map(whole, (variable, *bodies)))})"
        case Call(target=None, name=name, args=args):
            return f"{name}({', '.join(map(whole, args))})"
        case Call(target=Node() as target, name=name, args=args):
            return f"({whole(target)}).{name}({', '.join(map(whole, args))})"
        case _:
            raise AssertionError(node)


def value(source: str) -> object:
    """What the library makes of it: the value, or the kind of its error."""
    try:
        return cel.evaluate(source, {"a": 1, "b": True, "s": "xyz", "l": [1, 2], "m": {"k": 1}})
    except Exception as error:  # noqa: BLE001 - any error will do, as long as both have it
        return type(error).__name__


WORDS = (
    *("1", "2", "0", "true", "false", "a", "b", "s", "l", "m", "m.k", "'x'", '"y"', "-1", "2.5"),
    *(" + ", " - ", " * ", " / ", " % ", " < ", " <= ", " == ", " != ", " in ", " && ", " || "),
    *("(", ")", "[", "]", "{", "}", ", ", " ? ", " : ", "!", "-", ".", ".size()", "l[0]"),
    *("has(m.k)", "l.exists(x, x == ", "l.all(x, x > 0)", "size(", "null", "3u"),
)
ATOMS = st.sampled_from(("1", "2", "3", "true", "false", "a", "b", "l[0]", "size(s)", "m.k"))
OPS = st.sampled_from(("+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "in", "&&", "||"))


@st.composite
def chains(draw: Any) -> str:
    """Operators in any mixture, with and without brackets."""
    parts = [draw(ATOMS)]
    for _ in range(draw(st.integers(1, 7))):
        operand = draw(ATOMS)
        if draw(st.booleans()):
            operand = f"({operand} {draw(OPS)} {draw(ATOMS)})"
        sign = draw(st.sampled_from(("", "", "!", "-")))
        parts += [draw(OPS), sign + operand]
    if draw(st.booleans()):
        parts += ["?", draw(ATOMS), ":", draw(ATOMS)]
    return " ".join(parts)


@settings(max_examples=300, deadline=None)
@given(chains())
def test_groups_as_the_library_does(source: str) -> None:
    tree = parse(source)
    assert value(source) == value(whole(tree))


@settings(max_examples=300, deadline=None)
@example("0\x0b")
@example("0\xa0")
@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join) | st.text(max_size=30))
def test_takes_only_what_the_library_takes(source: str) -> None:
    try:
        tree = parse(source)
    except ExpressionError:
        return
    program = cel.compile(source)
    names = {node.name for node in walk(tree) if isinstance(node, Name)}
    names |= {node.variable.name for node in walk(tree) if isinstance(node, Macro)}
    assert names == set(program.variables())
    if any(isinstance(node, Unary) and isinstance(node.operand, Unary) for node in walk(tree)):
        return  # the library drops `--` and `!!` before it looks at types; the type check does not
    assert value(source) == value(whole(tree))


EXAMPLES = [
    'sql.verbs.exists(v, v in ["CREATE", "ALTER", "DROP"]) && !(a.b[3].c == {"x": 1}["x"])',
    "has(http.json.a) ? http.json.a.startsWith(r'\\d') : -1 < 2u || 1.5e3 >= .5 // done",
    '"""three\n"quoted" lines""".size() > 0x1f && b"\\x00" != b\'\'',
]


@pytest.mark.parametrize("source", EXAMPLES)
def test_cut_anywhere(source: str) -> None:
    parse(source)
    for end in range(len(source)):
        cut = source[:end]
        try:
            parse(cut)
        except ExpressionError:
            continue
        cel.compile(cut)


@pytest.mark.parametrize("source", EXAMPLES)
def test_places(source: str) -> None:
    for node in walk(parse(source)):
        assert 0 <= node.start < node.end <= len(source)
        if not isinstance(node, Select) or not node.test:
            assert type(parse(source[node.start : node.end])) is type(node)


@pytest.mark.parametrize(
    ("source", "at"),
    [
        ("", 0),
        ("a b", 2),
        ("a &&", 4),
        ("a & b", 2),
        ("(a", 2),
        ("f(1,)", 4),
        ("'open", 0),
        ("'new\nline'", 0),
        ('"""open"', 0),
        ("'\\q'", 0),
        ("9223372036854775808", 0),
        ("18446744073709551616u", 0),
        ("if", 0),
        ("in", 0),
        ("a.true", 2),
        (".a", 0),
        ("`a`", 0),
        ("Message{a: 1}", 7),
        ("has(a)", 0),
        ("has(a[1])", 0),
        ("has(a.b, c.d)", 0),
        ("l.exists(x)", 2),
        ("l.exists(x.y, true)", 2),
        ("l.exists_one(x, y, true)", 2),
        ("!-a", 1),
        ("a.?b", 2),
        ("'a' 'b'", 4),
        ("{1}", 2),
        ("[1 2]", 3),
        ("{1: 2 3}", 6),
        ("\u00e4", 0),
        ("\ud800", 0),
        ("\0", 0),
    ],
)
def test_refused(source: str, at: int) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(source)
    assert raised.value.at == at


@pytest.mark.parametrize(
    "source",
    [
        "(" * 1000 + "a" + ")" * 1000,
        "[" * 500 + "]" * 500,
        "!" * 1000 + "a",
        "-" * 1000 + "a",
        "a" + ".b" * 1000,
        "a" + "[0]" * 1000,
        "a ? b : " * 400 + "c",
        "+".join("a" * 1500),
        "||".join("a" * 1500),
        "{1:" * 300,
        "has(" * 500,
        "x" * (MAX_CHARS + 1),
        "f(" * 900,
    ],
)
def test_bounded(source: str) -> None:
    with pytest.raises(ExpressionError):
        parse(source)


def test_long_chain_is_flat() -> None:
    source = " || ".join(f"a == {n}" for n in range(100))
    tree = parse(source)
    assert isinstance(tree, Logic)
    assert len(tree.operands) == 100
