"""A secret is found in whatever form it comes, and nothing else is taken for one."""

import base64
import hashlib
from collections.abc import Sequence

import pytest

from tests.postgres.bypass import planted
from tests.postgres.bypass.planted import SALARY, SSN
from tests.postgres.bypass.wire import Received, message

_PLAIN = SSN.encode()


def _row(*values: bytes) -> bytes:
    cells = (len(each).to_bytes(4) + each for each in values)
    return message(b"D", len(values).to_bytes(2), *cells)


@pytest.mark.parametrize(
    "values",
    [
        [_PLAIN],
        [_PLAIN.upper()],
        [_PLAIN[::-1]],
        [b"x" + _PLAIN + b"y"],
        [b"-".join(bytes([each]) for each in _PLAIN)],
        [bytes([each]) for each in _PLAIN],
        [b"%d" % each for each in _PLAIN],
        [b"%x" % each for each in _PLAIN],
        [b",".join(b"%d" % each for each in _PLAIN)],
        [_PLAIN.hex().encode()],
        [b"\\x0" + _PLAIN.hex().encode()],
        [base64.b64encode(_PLAIN)],
        [base64.b64encode(b"a" + _PLAIN)],
        [base64.b64encode(b"ab" + _PLAIN + b"c")],
        [b"".join(b"\\u%04x" % each for each in _PLAIN)],
        [hashlib.md5(_PLAIN).hexdigest().encode()],  # noqa: S324 - as the server has it
        [hashlib.sha256(_PLAIN).digest()],
        [b"%d" % SALARY],
        [SALARY.to_bytes(4)],
        [b"1931-07-21"],
    ],
)
def test_is_found(values: Sequence[bytes]) -> None:
    assert planted.found(Received.read(b"".join(_row(each) for each in values)))


def test_is_found_in_one_of_two_columns() -> None:
    raw = b"".join(_row(bytes([each]), b"1") for each in _PLAIN)
    assert planted.found(Received.read(raw)) == _PLAIN


@pytest.mark.parametrize("kind", [b"E", b"N", b"S", b"A", b"C", b"T", b"d"])
def test_is_found_in_other_messages(kind: bytes) -> None:
    assert planted.found(Received.read(message(kind, b"M", _PLAIN, b"\0\0"))) == _PLAIN


@pytest.mark.parametrize(
    "values",
    [
        [b"q***@***.example", b"hidden", b"user 1"],
        [b"1", b"2", b"3", b"10.00"],
        [b"0" * 200, b"qx7", b"ssn1", b"abcdefgh"],
    ],
)
def test_nothing_else_is(values: Sequence[bytes]) -> None:
    assert planted.found(Received.read(_row(*values))) == b""
