"""Under which heading a line stands."""

import pytest

from proctor.redaction.headings import Headings

CSV = "id,user,password,role"


def read(*lines: str) -> Headings:
    headings = Headings()
    for line in lines:
        headings.take(line)
    return headings


@pytest.mark.parametrize(
    "heading",
    [
        CSV,
        CSV + "\r",
        "host | login | pwd",
        "| host | password |",
        "user\tAPI token\tnote",
        '"user";"secret"',
        "Recovery codes:",
        "## Your backup codes",
    ],
)
def test_a_heading_holds_for_what_follows(heading: str) -> None:
    assert read("before", heading).line == heading.rstrip("\r")


@pytest.mark.parametrize(
    "line",
    ["", "plain words", "password", "we need a key, and some more words that go on and on, so",
     "id,user,password_hint", "x" * 1020 + ",password", "the password: is,secret?"],
)  # fmt: skip
def test_other_lines_are_no_headings(line: str) -> None:
    assert read(line).line == ""


def test_a_table_ends_at_a_line_of_another_shape() -> None:
    assert read(CSV, "1,alice,x,admin", "2,bob,y,").line == CSV
    assert read(CSV, "1,alice,x,admin", "").line == ""
    assert read(CSV, "1,alice", "2,bob,y,z").line == ""
    assert read(CSV, "1,2,3,4", "key,b").line == "key,b"


def test_codes_end_at_an_empty_line() -> None:
    codes = "recovery codes"
    assert read(codes, "abc", "1, 2, 3").line == codes
    assert read(codes, "abc", " ").line == ""


def test_a_table_without_end_ends() -> None:
    assert read(CSV, *["1,2,3,4"] * 2000).line == CSV
    assert read(CSV, *["1,2,3,4"] * 2001).line == ""


def test_only_what_may_become_a_row_waits() -> None:
    assert not Headings().waits("1,2")
    table = read(CSV)
    assert table.waits("")
    assert table.waits("1,alice,x,y")
    assert not table.waits("a, b, c, d, e")
    assert not table.waits("x" * 513)
    assert read("backup codes").waits("a, b, c, d, e")
