"""Texts that are alike do the same: shown for every one that is said to be."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proctor.sql.alike import like, shape_of
from proctor.sql.names import NO_NAMES
from proctor.sql.reading import read
from proctor.sql.resolving import resolve
from proctor.sql.statement import SqlError

ALIKE = [
    "SELECT abalance FROM pgbench_accounts WHERE aid = {0};",
    "select * from s.t where a={0} and b <> {1} or c>={0}",
    "SELECT a, count(*) FROM t WHERE a < {0} GROUP BY 1 HAVING count(*) > {1} ORDER BY 2 LIMIT 10",
    "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = {0};",
    "UPDATE t SET a = {0}, b ={1} WHERE c = {2}\n",
    "DELETE FROM t WHERE a IN (1, 2) AND b = {0} ",
    "INSERT INTO t (a, b) SELECT a, b FROM u WHERE a = {0} ON CONFLICT (a) DO UPDATE SET b = {1};",
    "SELECT f(a > {0}) FROM (SELECT a FROM t WHERE b = {1}) x ORDER BY a > {2} ;",
    "SELECT 1 FROM t WHERE 1 = {0}",
    "SELECT a FROM t WHERE b = {0} ORDER BY 1",
]
QUOTED = [
    "SELECT a FROM t WHERE b = '{0}'",
    "select * from s.t where a='{0}' and b <> '{1}' and c = 17 or (d >= '{2}')",
    "UPDATE t SET a = '{0}', b ='{1}' WHERE c = '{2}';",
    "DELETE FROM t WHERE a IN (1, 2) AND b = '{0}' ",
    "SELECT f(a > '{0}') FROM (SELECT a FROM t WHERE b = '{1}') x ORDER BY a > '{2}' LIMIT 1;",
    "SELECT 1 FROM t WHERE a <'{0}'\nand c = '{1}'\n",
    "SELECT a -> '{0}' FROM t WHERE b ->> '{1}' = '{2}'",
]
OTHER = [
    "SELECT 1", "SELECT a FROM t LIMIT 1", "SELECT a FROM t ORDER BY 2", "SELECT a FROM t",
    "SELECT a FROM t WHERE b = 'x = 1'", "SELECT a FROM t -- = 1", "SELECT a /* = 1 */ FROM t",
    'SELECT "a = 1" FROM t', "SELECT $$ = 1 $$", "SELECT f(a => 1)", "SELECT a = 1::text",
    "SELECT a FROM t WHERE b = 1.5", "SELECT a FROM t WHERE b = 1e5", "SELECT a = $1",
    "SELECT a FROM t WHERE b = 4294967296", "SELECT a FROM t WHERE b = 1a", "SELECT a = 0x1F",
    "SET work_mem = 1", "EXPLAIN SELECT a = 1", "SELECT a = 1; SELECT b = 2", "SELECT a = 1_000",
    "PREPARE p AS SELECT a = 1", "DECLARE c CURSOR FOR SELECT a = 1", " SELECT a = 1",
    "COPY (SELECT a = 1) TO STDOUT", "CREATE TABLE t (a int) WITH (fillfactor = 10)",
    "SELECT a = 'x''y'", "SELECT a = 'x' 'y'", "SELECT a = 'x'\n'y'", "SELECT a = E'x'",
    "SELECT a =  'x'", "SELECT a = 'x'::regclass", "SELECT a = date 'x'", "SELECT a = 'x\\'",
    "SELECT a = U&'x'", "SELECT 'x'", "SELECT f('x')", "SELECT f(a => 'x')", "SELECT a = 'x;y'",
    "SELECT set_config('role', 'x', a = 'y')", "SELECT a = 'x\ny'", "SELECT a = 'ä'",
    "SELECT a = b'1'", "SELECT a = 'x'b", "SELECT a = '$'", "SELECT a = 'x--y'",
    "SELECT cast('t' AS regclass) = 'x'", "SELECT a = 'x = 1'", "SELECT a = $$x$$",
    "SELECT f('a =' , ' b')", "SELECT a = 'x' /* = 'y' */",
    "SELECT a\\ = 1", "SELECT a = 1;;", "SELECT ä = 1", "WITH x AS (SELECT a = 1) TABLE x", "",
]  # fmt: skip
NUMBERS = st.integers(0, 999_999_999).map(str) | st.sampled_from(["0", "007", "000000000"])
PLACES = st.lists(NUMBERS, min_size=3, max_size=3)
STRINGS = st.text("abyzABYZ0159_ .,:/@+", max_size=30) | st.sampled_from(
    ["pg_class", "public.t", "now", "2031-01-02 03:04:05", "eve@evil.example", ""]
)
TEXTS = st.lists(STRINGS, min_size=3, max_size=3)


def bare(tree: Any) -> Any:
    """A tree without places in the text and values of constants."""
    match tree:
        case dict():
            return {
                name: {} if name in {"ival", "sval"} else bare(value)
                for name, value in tree.items()
                if name
                not in {
                    "location",
                    "stmt_location",
                    "stmt_len",
                    "rexpr_list_start",
                    "rexpr_list_end",
                }
            }
        case list():
            return [bare(each) for each in tree]
        case _:
            return tree


def same(one: str, other: str) -> None:
    """That both texts do the same, and that the one is made of the other."""
    left, right = read(one), read(other)
    (known,), (found,) = left.statements, right.statements
    assert left.fingerprint == right.fingerprint
    made = like(known, other.encode())
    assert made == found
    assert made.tree == found.tree
    assert bare(known.tree) == bare(found.tree)
    assert resolve(known, NO_NAMES) == resolve(found, NO_NAMES)


@pytest.mark.parametrize("text", ALIKE)
@given(first=PLACES, second=PLACES)
def test_texts_of_one_shape_do_the_same(text: str, first: list[str], second: list[str]) -> None:
    one, other = text.format(*first), text.format(*second)
    shape = shape_of(one.encode())
    assert shape is not None
    assert shape == shape_of(other.encode())
    same(one, other)


@pytest.mark.parametrize("text", QUOTED)
@given(first=TEXTS, second=TEXTS)
def test_so_do_those_with_other_strings(text: str, first: list[str], second: list[str]) -> None:
    one, other = text.format(*first), text.format(*second)
    shape = shape_of(one.encode())
    assert shape is not None
    assert shape == shape_of(other.encode())
    same(one, other)


@pytest.mark.parametrize("text", OTHER)
def test_others_have_no_shape(text: str) -> None:
    assert shape_of(text.encode()) is None


def test_what_else_differs_is_another_shape() -> None:
    base = "SELECT a FROM t WHERE b = 1 ORDER BY 1 LIMIT 1"
    texts = [
        base, base.replace("BY 1", "BY 2"), base.replace("LIMIT 1", "LIMIT 2"),
        base.replace("b =", "c ="), base.replace("=", "<"), base.replace("t ", "T "),
        base.replace("= 1", "= 1 and c = 1"), base.replace("= 1", "= 1.0"), base + ";",
    ]  # fmt: skip
    shapes = [shape_of(text.encode()) or text.encode() for text in texts]
    assert len(set(shapes)) == len(texts)


WORDS = st.sampled_from(
    ["a", "b", "t", "'x'", "= 'y'", "'", "select", "from", "where", "=", "<", ">", "=>", ">=", "(",
     ")", ",", "*", "1", "2", "17",
     "order by", "group by", "limit", "-", "+", "and", "in", "is null", ";", "set", ".",
     "between", "not", "like", "over", "values", "returning", "as", "interval", "char", "case when",
     "then", "end", "\n", "union", "all", "array", "row", "offset", "for update", "with", "--"]
)  # fmt: skip


@given(
    words=st.lists(WORDS, min_size=2, max_size=14),
    verb=st.sampled_from(["select", "update t set", "delete from", "insert into t"]),
    glue=st.sampled_from([" ", ""]),
    number=NUMBERS,
    string=STRINGS,
)
def test_whatever_has_a_shape_does_the_same(
    words: list[str], verb: str, glue: str, number: str, string: str
) -> None:
    one = f"{verb} {glue.join(words)} = 1"
    shape = shape_of(one.encode())
    assume(shape is not None)
    assert shape is not None
    other = shape.decode().replace("?", number).replace("$", f"'{string}'")
    assert shape_of(other.encode()) == shape
    try:
        found = read(one)
    except SqlError:
        with pytest.raises(SqlError):
            read(other)
        return
    assert len(found.statements) == 1
    same(one, other)


@given(
    left=st.sampled_from(["a", "t.a", "count(*)", "f(b)", "1", "(a)", "a + 1", "a, b"]),
    operator=st.sampled_from(["=", "<", ">", "<=", ">=", "<>", "+ b =", "- 1 >"]),
    rest=st.sampled_from(
        ["", " group by 1", " order by 2, a = 3", " limit 1", " and b between 1 and 2", ";",
         " or c in (1, 2)", " union select 1 from u where d = 4"]
    ),
    first=NUMBERS,
    second=NUMBERS,
)  # fmt: skip
def test_sentences(left: str, operator: str, rest: str, first: str, second: str) -> None:
    one, other = (
        f"select {left} {operator} {number} from t where a {operator} {number}{rest}"  # noqa: S608
        for number in (first, second)
    )
    assert shape_of(one.encode()) == shape_of(other.encode())
    try:
        read(one)
    except SqlError:
        return
    same(one, other)
