"""What connections of a listener share: texts that were read."""

import asyncio
import threading
from dataclasses import replace
from unittest.mock import patch

import pytest

from proctor.errors import ClientError
from proctor.postgres import knowledge
from proctor.postgres.knowledge import Shared
from proctor.postgres.statements import Context
from proctor.sql.reading import read
from proctor.sql.statement import Script, SqlError
from tests.postgres.records import a_judgement


def _read(shared: Shared, *texts: bytes, encoding: str = "utf-8") -> list[tuple[Script, bool]]:
    """Read texts; with each whether the event loop's own thread did."""
    here: list[bool] = []
    loop = threading.get_ident()

    def spied(text: str) -> Script:
        here.append(threading.get_ident() == loop)
        return read(text)

    async def all_of_them() -> list[Script]:
        return [await shared.read(text, encoding) for text in texts]

    with patch.object(knowledge, "read", spied):
        scripts = asyncio.run(all_of_them())
    return list(zip(scripts, (*here, *([True] * len(scripts))), strict=False))


def _values(size: int) -> bytes:
    return b"VALUES ('" + b"a" * size + b"')"


def test_long_texts_are_read_beside_the_loop() -> None:
    (_, short), (_, long) = _read(Shared(lambda: 0.0), b"SELECT 1", _values(70_000))
    assert (short, long) == (True, False)


def test_a_text_is_read_once() -> None:
    shared = Shared(lambda: 0.0)
    (first, _), (again, _) = _read(shared, b"SELECT 1", b"SELECT 1")
    assert first is again


def test_what_is_kept_is_bounded_by_bytes_and_by_number() -> None:
    shared = Shared(lambda: 0.0)
    first, again, *_ = _read(shared, b"SELECT 1", b"SELECT 1")
    assert first[0] is again[0]
    _read(shared, *(b"SELECT %d;" % at + _values(40_000) for at in range(11)))
    ((third, _),) = _read(shared, b"SELECT 1")
    assert third is not first[0]
    too_long = _values(200_000)
    one, other = _read(shared, too_long, too_long)
    assert one[0] is not other[0]
    with patch.object(knowledge, "_MAX_READ", 2):
        (x, _), _, _, (y, _) = _read(shared, b"SELECT 5", b"SELECT 6", b"SELECT 7", b"SELECT 5")
    assert x is not y


@pytest.mark.parametrize("length", [1, 100_000])
def test_what_is_no_sql_is_said_each_time(length: int) -> None:
    shared = Shared(lambda: 0.0)
    for _ in range(2):
        with pytest.raises(SqlError):
            _read(shared, b"SELEC " + b"a" * length)
    with pytest.raises(ClientError) as raised:
        _read(shared, b"SELECT '\xff'" + b" " * length)
    assert raised.value.code == "sql-encoding"


WHERE = Context(
    path=("pg_catalog", "public"), role="", epoch=1, encoding="utf-8", in_transaction=False,
    login="app",
)  # fmt: skip


def test_a_shape_is_one_context_s() -> None:
    contexts = [
        WHERE, replace(WHERE, path=("pg_catalog", "other")), replace(WHERE, role="admin"),
        replace(WHERE, login="else"), replace(WHERE, epoch=2), replace(WHERE, in_transaction=True),
    ]  # fmt: skip
    shapes = {Shared.shape(b"SELECT a = 1", "x", each) for each in contexts}
    assert len(shapes - {None}) == len(contexts)
    assert Shared.shape(b"SELECT a = 2", "x", WHERE) in shapes
    assert Shared.shape(b"SELECT a = 2", "y", WHERE) not in shapes


@pytest.mark.parametrize("path", [(), ("pg_temp_3", "pg_catalog"), ("pg_catalog", "pg_temp_11")])
def test_a_session_s_own_tables_are_nobody_else_s(path: tuple[str, ...]) -> None:
    assert Shared.shape(b"SELECT a = 1", "x", replace(WHERE, path=path)) is None


def test_shapes_are_bounded_and_hold_no_more_than_a_text_says() -> None:
    shared, found = Shared(lambda: 0.0), a_judgement()
    with patch.object(knowledge, "_MAX_ALIKE", 3):
        for number in range(5):
            shared.remember((number,), found)
    assert [shared.alike((number,)) == found for number in range(5)] == [False] * 2 + [True] * 3
    kept = shared.alike((4,))
    assert kept is not None
    assert kept.statement.parsed is None
    assert kept.statement.tree == found.statement.tree
    shared.remember(("within",), replace(found, inner=found))
    assert shared.alike(("within",)) is None
