"""What commands share: their options, and how they show rows."""

import csv
import json
import os
import pwd
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from proctor.units import parse_duration

CONFIG = Path("proctor.yaml")

ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration.")]
"""`config: ConfigOption = CONFIG`."""


AuditOption = Annotated[
    Path | None,
    typer.Option(
        "--audit",
        help="A record that lies elsewhere, such as a bundle; no configuration is read.",
        show_default=False,
    ),
]
"""`audit: AuditOption = None`."""


def moment(text: str | None, option: str) -> datetime | None:
    """A date or time, which is UTC unless it says otherwise, or how long ago that was.

    Args:
        text: As given; None for none.
        option: The option, for what is said of a text that is neither.

    Raises:
        typer.BadParameter: It is neither.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "expected how long ago, such as 7d or 24h, or a time in UTC, such as 2026-01-31T08:00",
            param_hint=option,
        ) from None


class OutputFormat(StrEnum):
    """How rows are shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[
    OutputFormat | None,
    typer.Option(
        "--format",
        help="Left out: a table in a terminal, JSON elsewhere. In CSV a quote (') stands before"
        " what a spreadsheet would run.",
    ),
]
"""`output: FormatOption = None`."""

# Control characters but tab and line end, and those that turn the direction of writing (Unicode
# UAX 9, 2): in a terminal these could rewrite what was shown before.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WIDTH = 200
# In some languages' spreadsheets the full-width ones, too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def visible(text: str) -> str:
    r"""`text` with what a terminal would obey written out, as `\x1b`; line ends stay."""
    return _UNSAFE.sub(_written, text)


def render(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[str],
    output: OutputFormat | None = None,
    *,
    stream: IO[str] | None = None,
) -> None:
    """Show rows, the same way in every command that lists.

    Args:
        rows: What to show; a missing column shows as null.
        columns: Their names, in order.
        output: None: a table where `stream` is a terminal, else JSON.
        stream: Standard output if None.
    """
    out = sys.stdout if stream is None else stream
    if output is None:
        output = OutputFormat.TABLE if out.isatty() else OutputFormat.JSON
    lines = [[row.get(column) for column in columns] for row in rows]
    if output is OutputFormat.JSON:
        objects = [dict(zip(columns, line, strict=True)) for line in lines]
        out.write(json.dumps(objects, indent=2, default=_jsonable, ensure_ascii=False) + "\n")
    elif output is OutputFormat.CSV:
        writer = csv.writer(out, lineterminator="\n")  # as psql does: shells keep a \r
        writer.writerow(map(_harmless, columns))
        writer.writerows([_harmless(value) for value in line] for line in lines)
    else:
        _table(lines, columns, out)


def _table(lines: list[list[object]], columns: Sequence[str], out: IO[str]) -> None:
    from rich import box  # noqa: PLC0415 - JSON and CSV do without
    from rich.console import Console  # noqa: PLC0415 - the same
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        values = [line[index] for line in lines if line[index] is not None]
        numbers = values and all(isinstance(value, int | float | Decimal) for value in values)
        table.add_column(Text(visible(column)), justify="right" if numbers else "left")
    for line in lines:
        table.add_row(*(Text(visible(_text(value))) for value in line))
    console = Console(file=out, width=None if out.isatty() else _WIDTH, highlight=False)
    console.print(table)


def _harmless(value: object) -> str:
    """A cell that a spreadsheet shows, and does not run (OWASP, CSV Injection).

    Numbers stay numbers: there is nothing to run in -1.
    """
    text = _text(value)
    number = isinstance(value, int | float | Decimal | timedelta)
    return text if number or not text.startswith(_FORMULA) else f"'{text}"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=_jsonable, ensure_ascii=False)
    found = _jsonable(value) if isinstance(value, datetime | date | bytes | timedelta) else value
    return str(found)


def _jsonable(value: object) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two digits' worth


def user() -> str:
    """Who runs this, as this machine calls them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run as users that have no name
        return f"uid {os.getuid()}"
