"""Header fields."""

from proctor.redaction.structure.headers import read_headers
from tests.redaction.structure.changing import locations, replaced, texts


def test_chosen_values_come_back_in_order() -> None:
    fields = [("X-User", b"jane"), ("Host", b"jane.io"), ("Cookie", b'{"a":"jane"}'), ("X-E", b"")]
    layout = read_headers(fields, ["x-user", "cookie", "x-e"])
    assert locations(layout) == ["header.x-user", "header.cookie→a#name", "header.cookie→a"]
    assert list(layout.paths) == [("header", "x-user"), (), ("header", "cookie", "a")]
    assert layout.leaves[0].key == "x-user"
    assert replaced(layout, "jane", "J") == b'J\r\n{"a":"J"}\r\n'


def test_no_header_can_be_added() -> None:
    layout = read_headers([("a", b"jane")], ["a"])
    assert replaced(layout, "jane", "x\r\nEvil: 1\0") == b"x  Evil: 1 "


def test_bytes_that_are_no_utf8_survive() -> None:
    layout = read_headers([("a", b"\xff jane")], ["a"])
    assert texts(layout) == ["\udcff jane"]
    assert replaced(layout, "jane", "J") == b"\xff J"
