"""Walking through the record: content by reference, a batch at a time.

The views of the contract join all the content of a session to serve any query. Who walks through a
session instead fetches the blocks that are shown next, so that memory stays bounded.
"""

from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from proctor.audit.content import MAX_BLOCK
from proctor.audit.inquiry import MEMORY, THREADS, open_record
from proctor.audit.steady import steadily
from proctor.errors import ConfigurationError
from proctor.model import ContentRef

_ROWS = 256
# A full block ends up to three bytes early, at a character's boundary.
_FULL_BLOCK = MAX_BLOCK - 3
# Lists come as one text: DuckDB looks for optional Python modules anew for each item of a list.
_BLOCKS = """
    SELECT c."scope", c."no", c.text, c.b64
    FROM (SELECT unnest(string_split($scopes, ',')) AS "scope",
        unnest(CAST(string_split($numbers, ',') AS BIGINT[])) AS "no") w
    JOIN _content c ON c."scope" = w."scope" AND c."no" = w."no"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    r"""What was typed or seen.

    Attributes:
        text: The first part of it, or all; bytes that are no UTF-8 as `\xff`.
        size: Bytes of all of it.
        omitted: Bytes that are not in `text`.
        erased: It was recorded, and is no longer there.
    """

    text: str = ""
    size: int = 0
    omitted: int = 0
    erased: bool = False


class Reader:
    """Asks one record. Made by `opened`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, parameters: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """Rows as they come; one query at a time.

        Args:
            sql: A SELECT of proctor's own; values come as `parameters`. Where it finds more than
                256 rows it sorts them, so that all is read before the first is given.
            parameters: By name, as `$name` in `sql`.

        Raises:
            InternalError: Code `record-moving`.
        """

        def first() -> tuple[duckdb.DuckDBPyConnection, list[Any]]:
            answer = self._connection.execute(sql, dict(parameters))
            return answer, answer.fetchmany(_ROWS)

        answer, rows = steadily(self._connection, first)
        names = [column[0] for column in answer.description or ()]
        while rows:
            for row in rows:
                yield dict(zip(names, row, strict=True))
            rows = answer.fetchmany(_ROWS)

    def arrow(self, sql: str, parameters: Mapping[str, object], size: int) -> Any:
        """The same as an Arrow reader of batches of at most `size` rows; one query at a time."""
        return steadily(
            self._connection,
            lambda: self._connection.execute(sql, dict(parameters)).to_arrow_reader(size),
        )

    def contents(self, wanted: Mapping[ContentRef, int | None]) -> dict[ContentRef, Content]:
        """What references stand for.

        Args:
            wanted: For each, how many characters of it at most; None for all.
        """
        first = {ref: _first(ref, limit) for ref, limit in wanted.items()}
        pairs = {(ref.scope, number) for ref, found in first.items() for number in found}
        blocks = self._blocks(pairs)
        return {
            ref: _content(ref, [blocks.get((ref.scope, number)) for number in found], wanted[ref])
            for ref, found in first.items()
        }

    def bytes_of(self, wanted: Iterable[ContentRef]) -> dict[ContentRef, bytes | None]:
        """All that references stand for, as it was stored; None for what was erased."""
        named = {ref: [(ref.scope, number) for number in numbers(ref.blocks)] for ref in wanted}
        pairs = {pair for found in named.values() for pair in found}
        blocks = self._blocks(pairs)
        return {
            ref: b"".join(blocks[pair] for pair in found)
            if all(pair in blocks for pair in found)
            else None
            for ref, found in named.items()
        }

    def _blocks(self, pairs: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Blocks by scope and number, as far as they are there."""
        if not pairs:
            return {}
        given = _listed(pairs)
        rows = steadily(
            self._connection, lambda: self._connection.execute(_BLOCKS, given).fetchall()
        )
        return {(scope, number): _bytes(text, b64) for scope, number, text, b64 in rows}


@contextmanager
def opened(recordings: Path) -> Iterator[Reader | None]:
    """A reader of the record in this folder; None where nothing was recorded yet.

    Raises:
        ConfigurationError: Code `store-unreadable`, here or while reading, and others of
            `open_record`.
    """
    if not (recordings / "store.json").exists():
        yield None
        return
    with reading(recordings) as reader:
        yield reader


@contextmanager
def reading(path: Path, *, memory: str = MEMORY, threads: int = THREADS) -> Iterator[Reader]:
    """A reader of the record in this folder, which must be there.

    Args:
        path: The folder.
        memory: What it may take.
        threads: That it may use.

    Raises:
        ConfigurationError: Codes `store-missing`, `store-unreadable`, here or while reading, and
            others of `open_record`.
    """
    with open_record(path, memory=memory, threads=threads) as connection:
        try:
            yield Reader(connection)
        except duckdb.Error as error:
            raise ConfigurationError(
                "store-unreadable",
                "The record cannot be read",
                got=type(error).__name__,
                expected="the folder as proctor wrote it",
                hint="Start the gateway once; it mends what it can. `proctor doctor` says more.",
                where=str(path),
            ) from error


def reference(value: Mapping[str, Any] | None) -> ContentRef | None:
    """A reference as it stands in an envelope."""
    if value is None:
        return None
    return ContentRef(
        scope=value["scope"],
        hash=value["hash"],
        size=value["size"],
        encoding=value["enc"],
        blocks=value["blocks"],
    )


def numbers(blocks: str) -> Iterator[int]:
    """The inverse of `content.ranges`: `0-2,60` is 0, 1, 2, 60."""
    for part in blocks.split(",") if blocks else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _listed(pairs: Collection[tuple[str, int]]) -> dict[str, str]:
    """What `_BLOCKS` asks for: scopes and numbers of blocks."""
    return {
        "scopes": ",".join(scope for scope, _ in pairs),
        "numbers": ",".join(str(number) for _, number in pairs),
    }


def _first(ref: ContentRef, limit: int | None) -> Sequence[int]:
    """Its blocks, as far as they are needed; no block is empty, so there are never more than bytes.

    A limit is for what is stored without cuts: there all blocks but the last are full.
    """
    most = ref.size if limit is None else min(ref.size, 4 * limit // _FULL_BLOCK + 1)
    return list(islice(numbers(ref.blocks), most))


def _bytes(text: str, coded: bool) -> bytes:  # noqa: FBT001 - a row's columns
    return b64decode(text) if coded else text.encode()


def _content(ref: ContentRef, blocks: Iterable[bytes | None], limit: int | None) -> Content:
    parts: list[bytes] = []
    for block in blocks:
        if block is None:
            return Content(size=ref.size, omitted=ref.size, erased=True)
        parts.append(block)
    data = b"".join(parts)
    text = data.decode("utf-8", "backslashreplace")
    if limit is None or (len(text) <= limit and len(data) == ref.size):
        return Content(text=text, size=ref.size)
    shown = text[:limit]
    return Content(text=shown, size=ref.size, omitted=max(0, ref.size - len(shown.encode())))
