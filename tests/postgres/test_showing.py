"""What a record says of a result."""

import json

from proctor.postgres import showing
from proctor.postgres.statements import Run
from proctor.protocols.postgres.messages import Back, message
from tests.postgres.records import a_run


def row(*values: bytes | None) -> bytes:
    """A DataRow."""
    body = len(values).to_bytes(2, "big")
    for value in values:
        size = b"\xff\xff\xff\xff" if value is None else len(value).to_bytes(4, "big")
        body += size + (value or b"")
    return message(Back.DATA_ROW, body)


def described(*names: str) -> bytes:
    """The body of a RowDescription."""
    return len(names).to_bytes(2, "big") + b"".join(
        name.encode() + b"\0" + bytes(18) for name in names
    )


def seen(*rows: bytes, count: int = 0, formats: tuple[int, ...] = ()) -> Run:
    """A run whose client has seen these rows."""
    run = a_run()
    run.description = described("a", "b")
    run.formats = formats
    run.results = list(rows)
    run.rows = count or len(rows)
    return run


def test_a_result_is_shown_as_columns_and_rows() -> None:
    found = showing.shown(seen(row(b"1", None), row("ä".encode(), b"")), "utf-8")
    assert json.loads(found) == {"columns": ["a", "b"], "rows": [["1", None], ["ä", ""]]}


def test_what_was_not_kept_is_counted() -> None:
    assert json.loads(showing.shown(seen(row(b"1", b"2"), count=10), "utf-8"))["more"] == 9


def test_several_rows_of_one_piece_are_shown() -> None:
    found = json.loads(showing.shown(seen(row(b"1", b"2") + row(b"3", b"4"), count=2), "utf-8"))
    assert found["rows"] == [["1", "2"], ["3", "4"]]


def test_binary_values_are_shown_as_hex() -> None:
    found = json.loads(showing.shown(seen(row(b"\x00\xff", b"x"), formats=(1, 0)), "utf-8"))
    assert found["rows"] == [["\\x00ff", "x"]]
    found = json.loads(showing.shown(seen(row(b"\x01", b"x"), formats=(1,)), "utf-8"))
    assert found["rows"] == [["\\x01", "\\x78"]]


def test_what_is_not_in_the_encoding_is_shown_all_the_same() -> None:
    found = json.loads(showing.shown(seen(row(b"\xff", b"x")), "utf-8"))
    assert found["rows"] == [["\\xff", "x"]]


def test_copied_data_is_shown() -> None:
    run = seen(message(Back.COPY_DATA, b"a\tb\n") + message(Back.COPY_DATA, b"c\td\n"))
    assert json.loads(showing.copied(run, "utf-8")) == {"copy": "a\tb\nc\td\n"}
