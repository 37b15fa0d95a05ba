"""Plans, and what of them is shown."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.postgres.planning import Planned, hidden, planned
from tests.postgres.server import Server
from tests.postgres.trials import asking


def plan(server: Server, body: str, *, hide: bool = False) -> Planned:
    return asking(server, lambda connection: planned(connection, body, hide=hide))


def test_rows_that_come_out_and_rows_that_go_in(postgres: Server) -> None:
    assert plan(postgres, "SELECT * FROM orders LIMIT 7").rows == 7
    assert plan(postgres, "UPDATE orders SET total = 0").rows >= 4031
    both = "WITH a AS (DELETE FROM items RETURNING 1), b AS (DELETE FROM parts) SELECT 1"
    assert plan(postgres, both).rows >= 119
    assert plan(postgres, "INSERT INTO noted SELECT generate_series(1, 10)").rows == 10


def test_what_rules_make_of_a_statement(postgres: Server) -> None:
    shown = plan(postgres, "DELETE FROM ruled").text
    assert "Update on noted" in shown
    assert "Delete on ruled" in shown


def test_its_constants_are_hidden(postgres: Server) -> None:
    body = "SELECT * FROM orders WHERE who IN ('planted', E'pla\\'nted\n (x)') AND total > 12.5"
    shown = plan(postgres, body, hide=True).text
    assert "planted" not in shown
    assert "nted" not in shown
    assert "12.5" not in shown
    assert "cost=" in shown
    assert "Seq Scan on orders" in shown
    assert "planted" in plan(postgres, body).text


def test_names_and_estimates_stay() -> None:
    text = (
        """Seq Scan on t1 "a'b"  (cost=0.00..1.5 rows=1 width=4)\n  Filter: ("a'b".c2 = 'x''y')"""
    )
    assert hidden(text) == (
        """Seq Scan on t1 "a'b"  (cost=0.00..1.5 rows=1 width=4)\n  Filter: ("a'b".c2 = …)"""
    )
    assert hidden("Filter: (a = 17 AND b = '(cost=5)'::text AND c = '-3'::integer)") == (
        "Filter: (a = … AND b = …::text AND c = …::integer)"
    )


@given(st.text(alphabet="ab'\"(cost=1)\n "))
def test_a_text_is_never_shown(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert hidden(f"Filter: (a = {quoted}::text)") == "Filter: (a = …::text)"
