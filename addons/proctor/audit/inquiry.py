"""Reading the record: a connection that can do nothing else."""

from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING

from proctor.audit import views
from proctor.audit.segments import has_views
from proctor.audit.steady import mark, steadily
from proctor.audit.store import Store
from proctor.errors import ClientError, ConfigurationError

if TYPE_CHECKING:
    import duckdb

MEMORY = "1GB"
THREADS = 2
SECONDS = 60.0


def open_record(
    path: Path, *, memory: str = MEMORY, threads: int = THREADS
) -> "duckdb.DuckDBPyConnection":
    """A connection that sees the record at `path` and nothing else.

    A record that was copied or moved reads as well: the views are then made afresh, in memory,
    which takes a quarter of a second. No file outside the record can be reached and no setting
    changed; that no statement but a SELECT is run is `select`'s part.

    Args:
        path: The store's folder.
        memory: What the connection may take.
        threads: That it may use.

    Raises:
        ConfigurationError: Codes `store-missing`, `store-too-new`, `store-unreadable`.
    """
    import duckdb  # noqa: PLC0415 - commands that do not ask need not wait for it

    store = Store.at(path)
    store.check_version()
    if not (store.path / "store.json").exists():
        raise ConfigurationError(
            "store-missing",
            "There is no record here yet",
            expected="a folder that `proctor run` has written to",
            where=str(store.path),
        )
    try:
        # An instance of its own: DuckDB opens a file once in a process, with one configuration.
        database = duckdb.connect(
            ":memory:",
            config={
                "threads": threads,
                "memory_limit": memory,
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            },
        )
    except duckdb.Error as error:
        raise _unreadable(store, error) from error
    try:
        if has_views(store):
            database.execute(f"ATTACH {views.quote(str(store.views))} AS record (READ_ONLY)")
            database.execute("USE record")
        else:
            for statement in views.statements(store.path):
                database.execute(statement)
        database.execute(f"SET allowed_directories = [{views.quote(str(store.path))}]")
        database.execute("SET enable_external_access = false")
        # It would be written to standard output, amid what a program reads there.
        database.execute("SET enable_progress_bar = false")
        database.execute("SET lock_configuration = true")
        mark(database, store.path)
    except duckdb.Error as error:
        database.close()
        raise _unreadable(store, error) from error
    return database


def select[T](
    database: "duckdb.DuckDBPyConnection",
    sql: str,
    take: Callable[["duckdb.DuckDBPyConnection"], T],
    *,
    seconds: float = SECONDS,
) -> T:
    """Runs one SELECT in a READ ONLY transaction.

    Args:
        database: From `open_record`.
        sql: Exactly one SELECT.
        take: Fetches what is wanted of its rows; called again when a file went away meanwhile.
        seconds: After which it is stopped.

    Returns:
        What was taken.

    Raises:
        ClientError: Codes `query-refused` (not one SELECT), `query-failed`, `query-too-long`.
        InternalError: Code `record-moving`.
    """
    import duckdb  # noqa: PLC0415 - as above

    ended = False

    def stop() -> None:
        nonlocal ended
        ended = True
        database.interrupt()

    timer = Timer(seconds, stop)
    timer.daemon = True
    try:
        found = database.extract_statements(sql)
        if len(found) != 1 or found[0].type != duckdb.StatementType.SELECT:
            raise ClientError(
                "query-refused",
                "Only a single SELECT can be asked",
                got=", ".join(statement.type.name for statement in found)[:100] or "nothing",
                expected="SELECT",
            )
        # A SELECT may hold a statement that writes (a CTE can, from DuckDB 2.0 on).
        database.execute("BEGIN TRANSACTION READ ONLY")
        try:
            timer.start()
            return steadily(database, lambda: take(database.execute(found[0])))
        finally:
            timer.cancel()
            database.execute("ROLLBACK")
    except duckdb.Error as error:
        if ended:
            raise ClientError(
                "query-too-long",
                "The query was stopped",
                expected=f"an answer within {seconds:g} s",
                hint="Name a session_id, a flow_id or a span of ts.",
            ) from error
        raise ClientError("query-failed", str(error).splitlines()[0]) from error


def _unreadable(store: Store, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        "store-unreadable",
        "The record cannot be read",
        got=type(error).__name__,
        expected="the folder as proctor wrote it",
        hint="Start the gateway once; it mends what it can.",
        where=str(store.path),
    )
