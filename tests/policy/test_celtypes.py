"""Which types go together."""

import pytest

from proctor.policy.celtypes import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    STRING,
    UINT,
    Type,
    comparable,
    join,
    list_of,
    map_of,
    room,
)


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        (INT, DOUBLE, True),
        (INT, UINT, True),
        (INT, STRING, False),
        (INT, BOOL, False),
        (DYN, STRING, True),
        (list_of(INT), list_of(DYN), True),
        (list_of(INT), list_of(STRING), False),
        (map_of(STRING, INT), map_of(STRING, DOUBLE), True),
        (map_of(STRING, INT), map_of(INT, INT), False),
        (room(a=INT), room(a=INT), False),
    ],
)
def test_comparable(left: Type, right: Type, result: bool) -> None:  # noqa: FBT001 - a table
    assert comparable(left, right) is result
    assert comparable(right, left) is result


def test_join() -> None:
    assert join(INT, INT) is INT
    assert join(INT, STRING) == DYN
    assert join(list_of(INT), list_of(STRING)) == list_of(DYN)


def test_names() -> None:
    assert str(list_of(map_of(STRING, INT))) == "list(map(string, int))"
