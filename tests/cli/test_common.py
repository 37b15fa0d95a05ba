"""How commands show rows."""

import csv
import io
import json
import os
import pwd
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from proctor.cli.common import OutputFormat, moment, render, user, visible

ROWS = [
    {"name": "a", "count": 3, "when": datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC), "note": None},
    {"name": 'b, "x"\ny', "count": 12, "more": "not asked for"},
]
COLUMNS = ("name", "count", "when", "note")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(
    rows: list[dict[str, object]],
    columns: tuple[str, ...] = COLUMNS,
    output: OutputFormat | None = None,
    stream: io.StringIO | None = None,
) -> str:
    out = stream or io.StringIO(newline="")
    render(rows, columns, output, stream=out)
    return out.getvalue()


def test_json() -> None:
    assert json.loads(shown(ROWS)) == [
        {"name": "a", "count": 3, "when": "2026-11-22T01:02:03+00:00", "note": None},
        {"name": 'b, "x"\ny', "count": 12, "when": None, "note": None},
    ]
    assert json.loads(shown([])) == []


def test_csv() -> None:
    assert shown(ROWS, output=OutputFormat.CSV) == (
        'name,count,when,note\na,3,2026-11-22T01:02:03+00:00,\n"b, ""x""\ny",12,,\n'
    )


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", '=HYPERLINK("http://e")'],
)
def test_no_cell_is_a_formula(text: str) -> None:
    written = shown([{"name": text, "note": "a"}], ("name", "note"), OutputFormat.CSV)
    _, (cell, note) = csv.reader(io.StringIO(written, newline=""))
    assert (cell, note) == (f"'{text}", "a")


def test_numbers_stay_numbers() -> None:
    row = {"a": -1, "b": -1.5, "c": Decimal("-2.0"), "d": timedelta(seconds=-3), "e": "1-2"}
    assert shown([row], tuple(row), OutputFormat.CSV).splitlines()[1] == "-1,-1.5,-2.0,-3.0,1-2"


def test_table() -> None:
    lines = shown(ROWS[:1], output=OutputFormat.TABLE).splitlines()
    assert lines[1].split() == ["name", "count", "when", "note"]
    assert lines[3].split() == ["a", "3", "2026-11-22T01:02:03+00:00"]


def test_a_table_in_a_terminal_json_elsewhere() -> None:
    assert "──" in shown(ROWS, stream=Terminal())
    assert json.loads(shown(ROWS, stream=Terminal(), output=OutputFormat.JSON))
    assert "──" in shown(ROWS, output=OutputFormat.TABLE)


@pytest.mark.parametrize(
    ("value", "as_json", "as_text"),
    [
        (Decimal("1.50"), 1.5, "1.50"),
        (Decimal(3), 3, "3"),
        (timedelta(seconds=1.5), 1.5, "1.5"),
        (date(2026, 11, 22), "2026-11-22", "2026-11-22"),
        (b"\x00\xff", "00ff", "00ff"),
        (True, True, "true"),
        ([1, {"a": date(2026, 1, 1)}], [1, {"a": "2026-01-01"}], '[1, {"a": "2026-01-01"}]'),
    ],
)
def test_values(value: object, as_json: object, as_text: str) -> None:
    assert json.loads(shown([{"x": value}], ("x",))) == [{"x": as_json}]
    assert as_text.replace('"', '""') in shown([{"x": value}], ("x",), OutputFormat.CSV)
    assert as_text in shown([{"x": value}], ("x",), OutputFormat.TABLE)


def test_markup_is_only_text() -> None:
    assert "[red]x[/]" in shown([{"x": "[red]x[/]"}], ("x",), OutputFormat.TABLE)


@given(st.text())
def test_nothing_in_a_table_is_obeyed(text: str) -> None:
    table = shown([{"x": text}], ("x",), OutputFormat.TABLE)
    assert not set(table) & {*map(chr, [*range(10), *range(11, 32), 127, 0x9B, 0x202E])}


def test_visible() -> None:
    assert visible("a\x1b[2J\u202eb\n\tc") == "a\\x1b[2J\\u202eb\n\tc"


def test_who_runs_this(monkeypatch: pytest.MonkeyPatch) -> None:
    assert user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)  # nobody's, as in a container
    assert user() == f"uid {2**31 - 7}"


def test_a_moment_is_a_time_or_how_long_ago_it_was() -> None:
    assert moment(None, "--since") is None
    assert moment("2026-01-31T08:00", "--since") == datetime(2026, 1, 31, 8, tzinfo=UTC)
    assert moment("2026-01-31T08:00+02:00", "--since") == datetime(2026, 1, 31, 6, tzinfo=UTC)
    ago = moment("7d", "--since")
    assert ago
    assert timedelta(days=7) <= datetime.now(UTC) - ago < timedelta(days=7, minutes=5)
    for text in ("yesterday", "", "9" * 30 + "d"):
        with pytest.raises(typer.BadParameter):
            moment(text, "--since")
