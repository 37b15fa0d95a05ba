"""What the names in one text mean must be the same before it and in it."""

import pytest

from proctor.errors import RefusedError
from proctor.postgres.straight import straight
from proctor.sql.reading import read


@pytest.mark.parametrize(
    "text",
    [
        "SET search_path TO other; SELECT * FROM t",
        "SET ROLE bob; SELECT f()",
        "DO 'BEGIN END'; SELECT * FROM t",
        "SELECT set_config('search_path', 'other', true); SELECT * FROM t",
        "DROP TABLE pg_temp.t; SELECT * FROM t",
        "DROP TABLE t; DROP TABLE t",
        "DROP VIEW v, t; INSERT INTO t VALUES (1)",
        "DROP TABLE base CASCADE; SELECT * FROM v",
        "DROP SCHEMA other CASCADE; SELECT * FROM t",
        "DROP FUNCTION other.f(int); SELECT f(1)",
        "DROP OWNED BY bob; SELECT * FROM t",
        "DISCARD TEMP; SELECT * FROM t",
        "SET search_path TO public; EXECUTE p",
        "SET search_path TO public; EXPLAIN ANALYZE EXECUTE p",
        "SET search_path TO public; CREATE TABLE new AS EXECUTE p",
        "DROP TABLE other.t; EXECUTE p(1)",
        "ALTER TABLE other.t RENAME TO u; SELECT * FROM t",
        "ALTER TABLE t SET SCHEMA attic; SELECT * FROM t",
        "ALTER SCHEMA other RENAME TO attic; SELECT * FROM t",
    ],
)
def test_a_statement_must_not_change_what_the_next_one_means(text: str) -> None:
    with pytest.raises(RefusedError) as raised:
        straight(read(text).statements, moved=False)
    assert raised.value.code == "sql-several"


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t; SET search_path TO other",
        "SET search_path TO other; SELECT 1; COMMIT",
        "BEGIN; UPDATE t SET a = 1; COMMIT; SELECT * FROM t",
        "DROP TABLE IF EXISTS t; CREATE TABLE t (a int); INSERT INTO t VALUES (1)",
        "DROP TABLE t; SELECT * FROM other.t, u",
        "DROP TRIGGER x ON t; INSERT INTO t VALUES (1)",
        "CREATE TEMP TABLE t (a int); SELECT * FROM t",
        "ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = 1",
    ],
)
def test_what_changes_nothing_of_that_may_stand_together(text: str) -> None:
    straight(read(text).statements, moved=False)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "ROLLBACK TO s", "END", "ABORT AND CHAIN"])
def test_the_end_of_a_block_undoes_what_the_block_has_changed(end: str) -> None:
    (ends,), (selects,) = read(end).statements, read("SELECT * FROM t").statements
    straight((ends, selects), moved=False)
    with pytest.raises(RefusedError):
        straight((ends, selects), moved=True)
    straight((selects, ends), moved=True)
