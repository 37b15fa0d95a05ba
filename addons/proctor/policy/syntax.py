"""The syntax of CEL expressions, as far as the type check needs it.

Evaluation is the library's; this parser only tells what an expression says, so that a misspelt
field is found at load. It follows the grammar of the CEL specification ("Syntax"), less messages,
and every node knows its place in the source. Where it and the library could differ, it refuses.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

import cel

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
)

MAX_CHARS = 4096
MAX_NODES = 500
MAX_DEPTH = 48

MACROS = {"all": (2,), "exists": (2,), "exists_one": (2,), "map": (2, 3), "filter": (2,)}
"""Name of each macro with the numbers of arguments it takes; `has` stands alone."""

RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
    "package", "namespace", "return", "var", "void", "while",
})  # fmt: skip

_TOKEN = re.compile(
    r"""
      (?P<space>(?:[\t\n\f\r\x20]|//[^\n]*)+)
    | (?P<string>(?:[rR]|[bB][rR]?)?(?:\"\"\"|\'\'\'|\"|\'))
    | (?P<number>0x[0-9a-fA-F]+[uU]?|\d*\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark>\|\||&&|==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(source: str) -> Node:
    """The tree of an expression.

    Raises:
        ExpressionError: It is not an expression, or too large.
    """
    if len(source) > MAX_CHARS:
        raise ExpressionError(
            0,
            f"The expression has {len(source)} characters",
            expected=f"at most {MAX_CHARS}",
            hint="Split it into several rules.",
        )
    return _Parser(source).whole()


def _tokens(source: str) -> Iterator[_Token]:
    at = 0
    while at < len(source):
        found = _TOKEN.match(source, at)
        if found is None:
            raise ExpressionError(at, f"The character {source[at]!r} has no meaning here")
        kind = found.lastgroup or ""
        end = _string_end(source, found) if kind == "string" else found.end()
        if kind != "space":
            yield _Token(kind, source[at:end], at, end)
        at = end
    yield _Token("end", "", at, at)


def _string_end(source: str, opening: re.Match[str]) -> int:
    quote = opening.group().lstrip("rRbB")
    raw = "r" in opening.group().lower()
    at = opening.end()
    while not source.startswith(quote, at):
        if at >= len(source) or (len(quote) == 1 and source[at] in "\r\n"):
            raise ExpressionError(opening.start(), "A string is not closed", expected=quote)
        at += 2 if source[at] == "\\" and not raw else 1
    return at + len(quote)


class _Parser:
    """Recursive descent; each method reads one level of precedence, the loosest first."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = list(_tokens(source))
        self._at = 0
        self._depth = 0
        self._nodes = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._now.kind != "end":
            self._wrong("the end of the expression, or an operator")
        return node

    @property
    def _now(self) -> _Token:
        return self._tokens[self._at]

    def _wrong(self, expected: str) -> NoReturn:
        found = self._now
        what = repr(found.text) if found.text else "the end"
        raise ExpressionError(found.start, f"{what} cannot stand here", expected=expected)

    def _take(self, *texts: str) -> _Token | None:
        token = self._now
        if token.kind in {"mark", "word"} and token.text in texts:
            self._at += 1
            return token
        return None

    def _need(self, text: str) -> _Token:
        return self._take(text) or self._wrong(repr(text))

    def _word(self) -> _Token:
        token = self._now
        if token.kind != "word" or token.text in {"true", "false", "null", "in"}:
            self._wrong("a name")
        self._at += 1
        return token

    def _count(self, depth: int = 0) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(
                self._now.start,
                f"The expression has more than {MAX_NODES} parts",
                hint="Split it into several rules.",
            )
        if self._depth + depth > MAX_DEPTH:
            raise ExpressionError(
                self._now.start, f"The expression is nested more than {MAX_DEPTH} deep"
            )

    def _expression(self) -> Node:
        self._depth += 1
        self._count()
        test = self._chain("||")
        if self._take("?"):
            then = self._chain("||")
            self._need(":")
            otherwise = self._expression()
            test = Conditional(
                start=test.start, end=otherwise.end, test=test, then=then, otherwise=otherwise
            )
        self._depth -= 1
        return test

    def _chain(self, op: str) -> Node:
        operands = [self._chain("&&") if op == "||" else self._relation()]
        while self._take(op):
            self._count()
            operands.append(self._chain("&&") if op == "||" else self._relation())
        if len(operands) == 1:
            return operands[0]
        return Logic(start=operands[0].start, end=operands[-1].end, op=op, operands=tuple(operands))

    def _relation(self) -> Node:
        return self._left(("<", "<=", ">=", ">", "==", "!=", "in"), self._sum)

    def _sum(self) -> Node:
        return self._left(("+", "-"), self._product)

    def _product(self) -> Node:
        return self._left(("*", "/", "%"), self._unary)

    def _left(self, ops: tuple[str, ...], operand: Callable[[], Node]) -> Node:
        node = operand()
        depth = 0
        while op := self._take(*ops):
            depth += 1
            self._count(depth)
            right = operand()
            node = Binary(start=node.start, end=right.end, op=op.text, left=node, right=right)
        return node

    def _unary(self) -> Node:
        op = self._take("!", "-")
        if op is None:
            return self._member()
        if op.text == "-" and self._now.kind == "number":
            return self._member(sign=op)
        self._depth += 1
        self._count()
        # A run of one operator only, as the grammar has it: `!!a`, never `!-a`.
        operand = self._unary() if self._now.text == op.text else self._member()
        self._depth -= 1
        return Unary(start=op.start, end=operand.end, op=op.text, operand=operand)

    def _member(self, sign: _Token | None = None) -> Node:
        node = self._primary(sign)
        depth = 0
        while True:
            depth += 1
            self._count(depth)
            if self._take("."):
                node = self._dotted(node)
            elif self._take("["):
                index = self._expression()
                end = self._need("]").end
                node = Index(start=node.start, end=end, operand=node, index=index)
            elif self._now.text == "{" and isinstance(node, Name | Select):
                raise ExpressionError(self._now.start, "Messages are not part of rules")
            else:
                return node

    def _dotted(self, node: Node) -> Node:
        word = self._word()
        if not self._take("("):
            return Select(start=node.start, end=word.end, operand=node, name=word.text)
        if word.text in MACROS:
            return self._macro(node, word)
        args, end = self._arguments()
        return Call(start=node.start, end=end, target=node, name=word.text, args=args)

    def _macro(self, operand: Node, word: _Token) -> Node:
        args, end = self._arguments()
        counts = MACROS[word.text]
        if len(args) not in counts or not isinstance(args[0], Name):
            raise ExpressionError(
                word.start,
                f"{word.text}() has {len(args)} arguments, or its first is no plain name",
                expected=f"{word.text}(x, …) with {' or '.join(map(str, counts))} arguments",
            )
        return Macro(
            start=operand.start,
            end=end,
            operand=operand,
            name=word.text,
            variable=args[0],
            bodies=args[1:],
        )

    def _arguments(self) -> tuple[tuple[Node, ...], int]:
        args: list[Node] = []
        while not (end := self._take(")")):
            if args:
                self._need(",")
            args.append(self._expression())
        return tuple(args), end.end

    def _primary(self, sign: _Token | None) -> Node:
        token = self._now
        if token.kind in {"number", "string"}:
            self._at += 1
            return self._literal(token, sign)
        if token.kind == "word":
            return self._named(token)
        if self._take("("):
            inner = self._expression()
            return replace(inner, start=token.start, end=self._need(")").end)
        if self._take("["):
            return self._list(token)
        if not self._take("{"):
            self._wrong("a value")
        return self._map(token)

    def _named(self, token: _Token) -> Node:
        self._at += 1
        if token.text in {"true", "false", "null"}:
            value = {"true": True, "false": False, "null": None}[token.text]
            kind = "null" if value is None else "bool"
            return Literal(start=token.start, end=token.end, value=value, type=kind)
        if token.text in RESERVED or token.text == "in":
            raise ExpressionError(token.start, f"{token.text!r} is a reserved word of CEL")
        if not self._take("("):
            return Name(start=token.start, end=token.end, name=token.text)
        args, end = self._arguments()
        if token.text != "has":
            return Call(start=token.start, end=end, target=None, name=token.text, args=args)
        if len(args) != 1 or not isinstance(args[0], Select):
            raise ExpressionError(token.start, "has() takes one field", expected="has(a.b)")
        field = args[0]
        return Select(start=token.start, end=end, operand=field.operand, name=field.name, test=True)

    def _list(self, opening: _Token) -> Node:
        items: list[Node] = []
        while not (end := self._take("]")):
            items.append(self._expression())
            if not self._take(",") and self._now.text != "]":
                self._wrong("',' or ']'")
        return ListOf(start=opening.start, end=end.end, items=tuple(items))

    def _map(self, opening: _Token) -> Node:
        keys: list[Node] = []
        values: list[Node] = []
        while not (end := self._take("}")):
            keys.append(self._expression())
            self._need(":")
            values.append(self._expression())
            if not self._take(",") and self._now.text != "}":
                self._wrong("',' or '}'")
        return MapOf(start=opening.start, end=end.end, keys=tuple(keys), values=tuple(values))

    def _literal(self, token: _Token, sign: _Token | None) -> Node:
        start = sign.start if sign else token.start
        text = self._source[start : token.end]
        try:
            value = cel.evaluate(text)  # escapes and ranges are read by the library itself
        except (ValueError, RuntimeError, ArithmeticError, TypeError):
            raise ExpressionError(token.start, f"{text!r} is not a value CEL can read") from None
        kind = type(value).__name__
        if token.kind == "number" and token.text[-1] in "uU":
            kind = "uint"
        names = {"float": "double", "str": "string"}
        return Literal(start=start, end=token.end, value=value, type=names.get(kind, kind))
