"""The lists of what is closed name what there is."""

from proctor.postgres.masking.closed import FUNCTIONS, RELATIONS
from tests.postgres.server import Server

# Of extensions, and of versions newer than some.
ELSEWHERE = {"pg_stat_statements"}


def test_relations_are_spelled_as_the_server_does(postgres: Server) -> None:
    known = postgres.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
    )
    assert set(RELATIONS) - {name for (name,) in known} == ELSEWHERE


def test_functions_of_the_servers_own_are_spelled_as_it_does(postgres: Server) -> None:
    known = {name for (name,) in postgres.execute("SELECT proname FROM pg_proc")}
    extensions = ("dblink", "crosstab", "connectby", "xpath_table", "pg_stat_statements")
    pages = ("_page", "_items", "_item_attrs", "_split", "pg_get_wal")
    missing = {
        name
        for name in FUNCTIONS
        if name not in known
        and not name.startswith(extensions)
        and not any(p in name for p in pages)
    }
    assert missing == set()


def test_every_view_that_shows_statements_is_closed(postgres: Server) -> None:
    rows = postgres.execute(
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE a.attname IN ('query', 'statement') AND c.relkind = 'v'"
        " AND c.relnamespace = 'pg_catalog'::regnamespace"
    )
    assert {name for (name,) in rows} <= set(RELATIONS)
