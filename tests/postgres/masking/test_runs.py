"""The loop over rows, in Python and, where it was built, compiled: the same in both."""

from collections.abc import Callable
from importlib import import_module
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.masking import runs
from proctor.postgres.masking.runs import written


def loops() -> list[Any]:
    try:
        compiled = import_module("proctor.postgres.masking._run")
    except ImportError:
        return [runs.run]
    return [runs.run, compiled.run]


LOOPS = loops()
EACH = pytest.mark.parametrize("run", LOOPS, ids=["python", "compiled"][: len(LOOPS)])
type Loop = Callable[..., bytes | None]
VALUES = st.none() | st.binary(max_size=9)


def message(*values: bytes | None) -> bytes:
    body = pack("!H", len(values)) + b"".join(map(written, values))
    return b"D" + pack("!I", len(body) + 4) + body


def longer(data: bytes) -> bytes | None:
    return data * 50 if data else None


@EACH
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=5))
def test_rows(run: Loop, rows: list[tuple[bytes | None, ...]]) -> None:
    data = b"".join(message(*row) for row in rows)
    assert run(data, 3, (), ()) == data
    found = run(data, 3, (None, longer, longer), (None, None, written(b"fixed")))
    assert found == b"".join(
        message(a, b if b is None else longer(b), c if c is None else b"fixed") for a, b, c in rows
    )


@EACH
@given(data=st.binary(max_size=60))
def test_whatever_comes(run: Loop, data: bytes) -> None:
    for columns in (0, 1, 2):
        found = run(data, columns, (longer,)[:columns], (None,)[:columns])
        assert found is None or isinstance(found, bytes)


@EACH
def test_cut_anywhere(run: Loop) -> None:
    whole = message(b"1", b"value")
    for size in range(1, len(whole)):
        assert run(whole[:size], 2, (None, longer), (None, None)) is None
    lies = [
        whole[:1] + pack("!i", -5) + whole[5:],
        whole[:1] + pack("!i", 2**31 - 1) + whole[5:],
        whole[:1] + pack("!I", 5) + whole[5:],
        whole[:7] + pack("!i", 2**31 - 1) + whole[11:],
        b"E" + whole[1:],
    ]
    for data in lies:
        assert run(data, 2, (None, longer), (None, None)) is None
    assert run(whole, 3, (), ()) is None


@EACH
def test_an_error_of_a_change_comes_out(run: Loop) -> None:
    def broken(_data: bytes) -> bytes | None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(message(b"1"), 1, (broken,), (None,))
