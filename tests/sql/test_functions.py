"""The list of functions: complete for the servers that are there, and reviewed."""

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from proctor.sql.functions import EXTENSIONS, known, known_operator, refusal
from proctor.sql.names import Function
from tests.postgres.conftest import every_postgres, postgres  # noqa: F401  # fixtures
from tests.postgres.server import Server


def script() -> ModuleType:
    path = str(Path(__file__).parents[2] / "scripts/sql-functions")
    spec = importlib.util.spec_from_file_location(
        "functions", loader=SourceFileLoader("functions", path)
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_function_of_the_server_is_listed_as_the_script_says(every_postgres: Server) -> None:  # noqa: F811
    made = script()
    with psycopg.connect(every_postgres.dsn()) as connection:
        rows = connection.execute(made.QUERY).fetchall()
    assert len(rows) > 2000
    for name, volatile, internal in rows:
        # Raises for a volatile function that nobody has looked at.
        why = made.reason(name, volatile=volatile, internal=internal)
        said = refusal(f"pg_catalog.{name}")
        assert said == why or (why == "internal" and said == ""), name


def test_reasons_are_explained() -> None:
    made = script()
    assert {why for _, why in made.REFUSED} <= set(made.REASONS)


@pytest.mark.parametrize(
    "name",
    [
        "pg_sleep", "pg_sleep_for", "pg_read_file", "pg_read_binary_file", "pg_ls_dir",
        "pg_stat_file", "lo_import", "lo_get", "lo_export", "query_to_xml", "table_to_xml",
        "cursor_to_xml", "database_to_xml", "schema_to_xml", "ts_stat", "ts_rewrite",
        "set_config", "pg_terminate_backend", "pg_cancel_backend", "pg_advisory_lock",
        "pg_notify", "pg_logical_emit_message", "pg_export_snapshot", "nextval", "setval",
        "pg_stat_get_activity", "currtid2", "inet_server_addr", "current_query", "pg_reload_conf",
        "pg_replication_origin_create", "pg_hba_file_rules", "pg_cursor", "eqsel",
    ],
)  # fmt: skip
def test_refused(name: str) -> None:
    assert refusal(f"pg_catalog.{name}")
    assert not known(Function("pg_catalog", name))


@pytest.mark.parametrize(
    "name",
    [
        "lower", "count", "now", "random", "current_setting", "has_table_privilege",
        "pg_get_viewdef", "pg_relation_size", "txid_current", "jsonb_agg", "generate_series",
        "gen_random_uuid", "to_regclass", "pg_is_in_recovery", "substring", "extract", "bernoulli",
    ],
)  # fmt: skip
def test_allowed(name: str) -> None:
    assert refusal(f"pg_catalog.{name}") == ""
    assert known(Function("pg_catalog", name))


def test_others_are_unknown_but_for_known_extensions_and_what_is_allowed() -> None:
    assert refusal("public.lower") == refusal("pg_catalog.no_such") == "unknown"
    assert not known(Function("public", "lower"))
    assert known(Function("public", "similarity", "pg_trgm"))
    assert not known(Function("public", "dblink", "dblink"))
    assert not known(Function("public", "crosstab", "tablefunc"))
    assert known(Function("public", "f"), frozenset({"public.f"}))
    assert known(Function("app", "f"), frozenset({"schema:app"}))
    assert known(Function("public", "st_area", "postgis"), frozenset({"extension:postgis"}))
    assert not known(Function("public", "f", ""), frozenset({"extension:"}))
    assert {"dblink", "tablefunc", "xml2", "lo", "postgis", "postgres_fdw"}.isdisjoint(EXTENSIONS)


def test_operators_of_extensions_are_known_and_a_users_are_not() -> None:
    assert known_operator(Function("public", "=", "postgis"))
    assert not known_operator(Function("public", "==="))
    assert known_operator(Function("public", "==="), frozenset({"public.operator ==="}))
    assert known_operator(Function("app", "==="), frozenset({"schema:app"}))
