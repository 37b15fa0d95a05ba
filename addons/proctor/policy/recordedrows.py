# ruff: noqa: S608 - made of this module's own columns
"""Decisions read from the record, a stretch at a time: envelopes first, then what they refer to.

Envelopes come as Arrow, column by column: a million rows as Python tuples would take a minute.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from proctor.audit.inquiry import open_record
from proctor.audit.reader import numbers
from proctor.audit.steady import steadily
from proctor.errors import ClientError, ConfigurationError
from proctor.policy.casefile import Kept
from proctor.policy.casefile import read as read_case
from proctor.policy.recorded import Line, Recorded, Texts, cases, utc

if TYPE_CHECKING:
    import duckdb

ROWS: Final = 10_000
"""Envelopes that are read at once."""

MAX_TEXT: Final = 1024 * 1024
"""Bytes of one text that are read; a longer one counts as not known."""

MAX_TEXTS: Final = 64 * 1024 * 1024
"""Bytes of texts that are in memory at once, about."""

_SHAPE: Final = '{"case":{"scope":"VARCHAR","size":"BIGINT","blocks":"VARCHAR"}}'
_CASE: Final = f"""from_json(raw, '{_SHAPE}')."case\""""
_SERVERS: Final = "kind = 'message' AND request IS NULL"
_BODY: Final = tuple(
    f"CASE WHEN {_SERVERS} THEN response.{name} ELSE request.{name} END"
    for name in ('"scope"', "blocks", "size")
)
_COLUMNS: Final = (
    "writer", "seq", "epoch_us(ts)", "flow_id", "session_id", "epoch_us(session_started)",
    "principal", "subject", '"groups"', "client", "listener", "method", "scheme", "host", "port",
    "path", "request_bytes", "policy_version", "kind = 'flow.end' AND begin_seq IS NOT NULL",
    "turn.model", "turn.request_class", "turn.stream",
    """CASE WHEN verdict = 'hold' THEN json_extract_string(raw, '$.approval_id') END""",
    "decisions", "tools", *_BODY, "is_case",
    "CASE WHEN kind IN ('statement', 'message') THEN raw END",
)  # fmt: skip


def _select(where: str) -> str:
    columns = ", ".join(
        f"{_CASE} AS c{index}" if column == "is_case" else f"{column} AS c{index}"
        for index, column in enumerate(_COLUMNS)
    )
    return f"SELECT {columns} FROM _records WHERE decisions <> '[]' AND {where}"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Envelopes of one writer, by number; both ends belong to it."""

    writer: str
    first: int
    last: int


_SHORT: Final = 1024
"""Bytes of what rules could see of an answer up to which it is remembered."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

type Ref = tuple[str, str]
"""A scope, and blocks in it."""

type Wanted = Callable[[Line], bool]


def stretches(
    connection: "duckdb.DuckDBPyConnection", since: datetime, until: datetime, rows: int = ROWS
) -> list[Stretch]:
    """The record between two times, in parts of about `rows` envelopes, oldest first."""
    found = steadily(
        connection,
        lambda: connection.execute(
            "SELECT writer, min(seq), max(seq) FROM _records WHERE ts >= ? AND ts < ? "
            "GROUP BY writer ORDER BY writer",
            [plain_time(since), plain_time(until)],
        ).fetchall(),
    )
    return [
        Stretch(writer, start, min(start + rows - 1, last))
        for writer, first, last in found
        for start in range(first, last + 1, rows)
    ]


def recorded_between(
    connection: "duckdb.DuckDBPyConnection",
    stretch: Stretch,
    since: datetime,
    until: datetime,
    bodies: Wanted,
) -> Iterator[Recorded]:
    """The actions of a stretch, in the order in which they were judged.

    Args:
        connection: From `open_record`.
        stretch: Which envelopes.
        since: Not those before.
        until: Nor those from then on.
        bodies: Whether a request's body is wanted.
    """
    where = "writer = ? AND seq BETWEEN ? AND ? AND ts >= ? AND ts < ? ORDER BY seq"
    given = [stretch.writer, stretch.first, stretch.last, *map(plain_time, (since, until))]
    yield from _recorded(connection, where, given, bodies)


def recorded_cases(recordings: Path, flow_id: str) -> list[Recorded]:
    """The actions of a recorded exchange.

    Args:
        recordings: The folder of the record.
        flow_id: As in the view `flows`.

    Raises:
        ConfigurationError: The record cannot be opened.
        ClientError: There is no such exchange.
    """
    found = _all(recordings, "flow_id = ? ORDER BY writer, seq LIMIT 100", [flow_id])
    if not found:
        raise ClientError(
            code="flow-unknown",
            message="No decision about such an exchange is on record",
            got=repr(flow_id)[:80],
            expected="a flow_id of the view `flows`",
            status=404,
        )
    return found


def recorded_session(recordings: Path, principal: str, session: str) -> list[Recorded]:
    """All actions of a session, in order.

    Raises:
        ConfigurationError: The record cannot be opened.
    """
    where = "principal = ? AND session_id = ? ORDER BY ts, writer, seq"
    return _all(recordings, where, [principal, session], lambda line: line.model is None)


def _all(
    recordings: Path, where: str, given: Sequence[object], bodies: Wanted = lambda _: True
) -> list[Recorded]:
    import duckdb  # noqa: PLC0415 - commands that do not ask need not wait for it

    with open_record(recordings) as connection:
        try:
            return list(_recorded(connection, where, given, bodies))
        except duckdb.Error as error:
            raise ConfigurationError(
                code="record-unreadable",
                message="The record cannot be read",
                got=type(error).__name__,
                hint="`proctor doctor` says what is wrong with it.",
                where=str(recordings),
            ) from None


def plain_time(moment: datetime) -> datetime:
    """A time as the record has it: in UTC, without saying so."""
    return utc(moment).astimezone(UTC).replace(tzinfo=None)


def _recorded(
    connection: "duckdb.DuckDBPyConnection", where: str, given: Sequence[object], bodies: Wanted
) -> Iterator[Recorded]:
    table = steadily(
        connection, lambda: connection.execute(_select(where), list(given)).to_arrow_table()
    )
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    waiting: list[tuple[Line, dict[str, Any]]] = []
    size = 0
    for row in rows:
        line, refs = _line(row, bodies)
        waiting.append((line, refs))
        size += sum(length for _, length in refs["sizes"])
        if size > MAX_TEXTS:
            yield from _filled(connection, waiting)
            waiting, size = [], 0
    yield from _filled(connection, waiting)


@lru_cache(maxsize=4096)
def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _line(row: Sequence[Any], bodies: Wanted) -> tuple[Line, dict[str, Any]]:
    request_size, blocks, scope = row[-3], row[-4], row[-5]
    case, raw = row[-2], orjson.loads(row[-1]) if row[-1] else {}
    tools = orjson.loads(row[24]) if row[24] and row[24] != "[]" else []
    line = Line(
        writer=row[0],
        seq=row[1],
        ts=_moment(row[2]),
        flow_id=row[3] or "",
        session_id=row[4],
        session_started=None if row[5] is None else _moment(row[5]),
        principal=row[6] or "",
        subject=row[7] or "",
        groups=tuple(row[8] or ()),
        client=row[9] or "",
        listener=row[10] or "",
        method=row[11] or "",
        scheme=row[12] or "",
        host=row[13] or "",
        port=row[14] or 0,
        path=row[15] or "",
        size=row[16] or 0,
        policy_version=row[17] or "",
        answer=bool(row[18]),
        model=row[19],
        request_class=row[20] or "",
        stream=bool(row[21]),
        approval_id=row[22],
        decisions=orjson.loads(row[23]),
        tools=tools,
        statement=raw if raw.get("kind") == "statement" else None,
        message=raw if raw.get("kind") == "message" else None,
    )
    refs: dict[str, Any] = {"sizes": []}
    if case:
        _want(refs, "case", case["scope"], case["blocks"], case["size"])
    if scope is not None and bodies(line):
        _want(refs, "body", scope, blocks, request_size)
    if line.answer:
        refs["inputs"] = [
            _want(refs, "", given["scope"], given["blocks"], given["size"]) if given else None
            for given in (tool.get("input") for tool in tools)
        ]
    return line, refs


def _want(refs: dict[str, Any], name: str, scope: str, blocks: str, size: int) -> Ref | None:
    if size > MAX_TEXT:
        return None
    ref = (scope, blocks)
    refs["sizes"].append((ref, size))
    if name:
        refs[name] = ref
    return ref


def _filled(
    connection: "duckdb.DuckDBPyConnection", waiting: Sequence[tuple[Line, dict[str, Any]]]
) -> Iterator[Recorded]:
    wanted = {ref for _, refs in waiting for ref, _ in refs["sizes"]}
    texts = texts_of(connection, wanted)
    for line, refs in waiting:
        case = texts.get(refs["case"]) if "case" in refs else None
        found = Texts(
            kept=_kept(line, case) if case else None,
            body=texts.get(refs["body"]) if "body" in refs else None,
            inputs=[texts.get(ref) if ref else None for ref in refs.get("inputs", ())],
        )
        yield from cases(line, found)


def _kept(line: Line, case: bytes) -> Kept | None:
    if line.answer and len(case) <= _SHORT:  # where little stands, so that many are equal
        return _known_case(case)
    return read_case(case, line.model or "", stream=line.stream)


@lru_cache(maxsize=4096)
def _known_case(case: bytes) -> Kept | None:
    return read_case(case)


def texts_of(
    connection: "duckdb.DuckDBPyConnection", wanted: set[Ref]
) -> Mapping[Ref, bytes | None]:
    """What references stand for; None where a block is no longer there."""
    if not wanted:
        return {}
    import pyarrow as pa  # noqa: PLC0415 - as DuckDB

    parts = {ref: _numbers(ref[1]) for ref in wanted}
    pairs = {(ref[0], number) for ref, found in parts.items() for number in found}
    if not pairs:
        return dict.fromkeys(wanted, b"")
    names, places = zip(*pairs, strict=True)
    asked = pa.table({
        "scope": pa.array(names, pa.string()),
        "no": pa.array(places, pa.int64()),
    })  # fmt: skip
    connection.register("_asked", asked)
    try:
        # Scopes are named by their birth: the bounds leave out what is older or younger.
        found = steadily(
            connection,
            lambda: connection.execute(
                'SELECT c."scope", c."no", c.text, c.b64 FROM _content c '
                'JOIN _asked w ON c."scope" = w."scope" AND c."no" = w."no" '
                'WHERE c."scope" BETWEEN ? AND ?',
                [min(names), max(names)],
            ).to_arrow_table(),
        )
    finally:
        connection.unregister("_asked")
    rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
    blocks = {
        (scope, number): b64decode(text) if coded else text.encode()
        for scope, number, text, coded in rows
        if text is not None
    }
    return {
        ref: _joined([blocks.get((ref[0], each)) for each in found]) for ref, found in parts.items()
    }


def _numbers(blocks: str) -> Sequence[int]:
    if blocks.isdecimal():  # as most are
        return (int(blocks),)
    return list(islice(numbers(blocks), MAX_TEXT))  # no block is empty


def _joined(blocks: Sequence[bytes | None]) -> bytes | None:
    if len(blocks) == 1:
        return blocks[0]
    return None if None in blocks else b"".join(block for block in blocks if block)
