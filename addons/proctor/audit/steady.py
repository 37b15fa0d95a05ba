"""Reading a record that is being written: each record that is durable is there exactly once.

Records move from journals into segments, and segments are merged, while somebody reads. So whoever
reads takes the bounds of all tiers first (see state.py), and has the files listed after that: what
counts as lying in a segment is in one that is listed. What counts as lying in a journal, or in a
file that was merged since, has to be there until it is read. How long that takes nobody knows; so a
writer says in `gone.json`, before it empties a journal or unlinks a file, which bounds are too old
from then on. Where those that were used are too old once all is read, it is read anew.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import proctor.audit.views as sql
from proctor.audit.state import Gone
from proctor.errors import ConfigurationError, InternalError

if TYPE_CHECKING:
    import duckdb

TRIES = 10
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Held:
    """The bounds as of one moment.

    Attributes:
        upto: By folder of a writer, what counts, by kind and tier.
    """

    upto: Mapping[Path, Mapping[tuple[str, int], int]]

    def good(self) -> bool:
        """Whether nothing has gone so far that counts by these bounds.

        Raises:
            ConfigurationError: Code `store-unreadable`: a writer's `gone.json` is none.
        """
        return all(_good(folder, upto) for folder, upto in self.upto.items())


def mark(database: "duckdb.DuckDBPyConnection", path: Path) -> None:
    """Tells a connection with the views which record it reads."""
    database.execute(f"SET VARIABLE {sql.RECORD} = {sql.quote(str(path))}")


def steadily[T](database: "duckdb.DuckDBPyConnection", read: Callable[[], T]) -> T:
    """What `read` finds when nothing goes away under it.

    Args:
        database: With the views of a record, and marked; others are read as they are. Every
            statement on it goes through here, as the bounds of the last one stay.
        read: Runs one statement and takes its rows; at least the first of them where the statement
            sorts or adds up. Called again when something went away meanwhile.

    Raises:
        InternalError: Code `record-moving`: that happened each time.
        ConfigurationError: Code `store-unreadable`: what a writer says of its files is no such
            thing.
    """
    import duckdb  # noqa: PLC0415 - commands that do not ask need not wait for it

    held = None
    for tried in range(1, TRIES + 1):
        held = hold(database)
        try:
            found = read()
        except duckdb.IOException:
            if held is None or tried == TRIES:
                raise
        else:
            if held is None or held.good():
                return found
    raise InternalError(
        "record-moving",
        "What was asked for moved faster than it could be read",
        got=f"{TRIES} attempts",
        expected="an answer before the gateway empties the journals it was read from",
        hint="Ask again, for less: name a session_id, a flow_id or a span of ts.",
    )


def hold(database: "duckdb.DuckDBPyConnection") -> Held | None:
    """Has the next statement use the bounds as they are now; None where they cannot be had.

    Then the views read them by themselves, and say what is wrong.
    """
    found = database.execute(f"SELECT getvariable('{sql.RECORD}')").fetchone()
    if not found or not found[0]:
        return None
    tiers: list[dict[str, Any]] = []
    upto: dict[Path, dict[tuple[str, int], int]] = {}
    try:
        for path in sorted(Path(found[0]).glob("writers/*/state.json")):
            said = json.loads(_read(path))
            upto[path.parent] = {
                (each["kind"], int(each["tier"])): int(each["upto"]) for each in said["tiers"]
            }
            tiers += [{"writer": said["writer"], **each} for each in said["tiers"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        database.execute(f"RESET VARIABLE {sql.BOUNDS}")
        return None
    database.execute(f"SET VARIABLE {sql.BOUNDS} = {sql.quote(json.dumps(tiers))}")
    return Held(upto)


def _good(folder: Path, upto: Mapping[tuple[str, int], int]) -> bool:
    try:
        gone = Gone.read(folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigurationError(
            "store-unreadable",
            "What a writer says of files that are gone cannot be read",
            expected="gone.json as proctor wrote it",
            hint="Remove it while no gateway runs; the next one writes it anew.",
            where=str(folder / Gone.NAME),
        ) from None
    return all(
        upto.get((kind, tier), -1) >= last
        for kind, bounds in gone.kinds()
        for tier, last in enumerate(bounds.last)
    )


def _read(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(_LARGEST)
