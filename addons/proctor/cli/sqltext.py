"""How SQL statements look in a conversation: what was said, what became of it, and its rows."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proctor.audit.reader import Content
from proctor.audit.results import Rows, left_out, padded, read_result, short
from proctor.audit.statements import Entry, Statement
from proctor.audit.turns import Turn
from proctor.audit.wording import parameters
from proctor.cli import held
from proctor.cli.screen import code, plain, several, span

STATEMENTS = 200
"""Of one connection that are shown, unless all are asked for."""

TEXT_LINES, TEXT_CHARACTERS = 40, 4000
_ROWS, _COLUMNS, _CELL = 20, 16, 80
_ALL = 2**31
_PARAMETERS = 20

type Row = tuple[str, RenderableType]


def rows(turn: Turn, *, whole: bool) -> Iterator[Row]:
    """The statements of a connection."""
    if turn.before:
        yield "", plain(f"… {turn.before:,} statements before", "dim italic")
    for each in turn.statements:
        yield from _statement(each, whole=whole)
    if (more := turn.said - turn.before - len(turn.statements)) > 0:
        note = "proctor query has them, in `statements`" if whole else "--full shows them"
        yield "", plain(f"… {more:,} more statements; {note}", "dim italic")


def _statement(each: Statement, *, whole: bool) -> Iterator[Row]:
    entry = each.entry
    yield "sql", _head(each)
    if each.sql is not None:
        yield "", _text(each.sql, whole=whole)
    elif entry.record == "metadata":
        yield "", plain("content not recorded", "dim italic")
    if each.parameters is not None:
        yield "", plain(_parameters(each.parameters, whole=whole), "dim")
    yield from _told(entry)
    yield from held.rows(each.held)
    if entry.refused:
        yield "refused", plain(f"by {entry.rule_id}: {entry.reason}", "red")
    elif entry.error:
        yield "error", plain(entry.error, "red")
    if each.result is not None and each.result.erased:
        yield "result", Text("erased from the record", style="dim italic")
    elif (found := read_result(each.result)) is not None:
        yield "result", _result(found, whole=whole)
    if entry.found:
        yield "", plain(f"found in it: {', '.join(entry.found)}", "dim")


def _told(entry: Entry) -> Iterator[Row]:
    """Where values in it came from, and what rules would have done."""
    for came in entry.origins:
        yield "came", plain(came.words, "yellow")
    for seen in entry.observed:
        reason = f": {seen.reason}" if seen.reason else ""
        yield "observed", plain(f"{seen.rule_id} would {seen.verdict}{reason}", "yellow")


def _head(each: Statement) -> Text:
    entry = each.entry
    what = " ".join((",".join(entry.verbs), ", ".join(entry.tables))).strip()
    told = [f"{entry.at:%H:%M:%S}"]
    if entry.in_transaction:
        told.append("in a transaction")
    told.append(f"{entry.verdict} by {entry.rule_id}" if entry.rule_id else entry.verdict)
    if not entry.ended:
        told.append("not ended yet")
    elif not entry.refused:
        if entry.rows is not None:
            told.append(several(entry.rows, "row"))
        told.append(span((entry.duration_ms or 0.0) / 1000))
    if entry.masked_columns:
        told.append(f"masked: {', '.join(entry.masked_columns)}")
    style = "red" if entry.refused else "dim"
    return Text.assemble(
        plain(f"{entry.n}  ", "dim"), plain(what or "?", "bold"), "  ",
        plain(" · ".join(told), style),
    )  # fmt: skip


def _text(content: Content, *, whole: bool) -> RenderableType:
    if content.erased:
        return Text("erased from the record", style="dim italic")
    text, cut = content.text, content.omitted
    if not whole:
        text = "\n".join(text[:TEXT_CHARACTERS].split("\n")[:TEXT_LINES])
        cut += len(content.text) - len(text)
    shown = code(text, "postgresql")
    if not cut:
        return shown
    return Group(shown, plain(f"… {cut:,} more characters; --full shows them", "dim italic"))


def _parameters(content: Content, *, whole: bool) -> str:
    if content.erased:
        return "parameters erased from the record"
    limit, cell = (_ALL, _ALL) if whole else (_PARAMETERS, _CELL)
    return parameters(content, limit=limit, cell=cell)


def _result(found: Rows | str, *, whole: bool) -> RenderableType:
    if isinstance(found, str):
        text = found if whole else found[: _ROWS * _CELL]
        more = f"\n… {len(found) - len(text):,} more characters" if len(text) < len(found) else ""
        return plain(text + more)
    limits = (_ALL, _ALL, _ALL) if whole else (_ROWS, _COLUMNS, _CELL)
    return Group(*_table(found, *limits))


def _table(found: Rows, most: int, columns: int, cell: int) -> Sequence[RenderableType]:
    width = min(found.width(), columns)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in padded(found.columns, width):
        table.add_column(plain(short(name, cell)), overflow="fold")
    for row in found.rows[:most]:
        table.add_row(*(_cell(value, cell) for value in padded(row, width)))
    notes = [plain(note, "dim") for note in left_out(found, rows=most, columns=columns)]
    return [table, *notes] if width else notes


def _cell(value: str | None, limit: int) -> Text:
    return plain(short(value, limit), "dim" if value is None else "")
