"""What a statement shows of itself."""

from proctor.sql.statement import Call, CallKind, Reference, SqlError
from tests.support.sqlnames import statement


def test_the_error_holds_the_parsers_words_cut() -> None:
    error = SqlError.at('syntax error at or near "' + "x" * 500, 7)
    assert (error.code, error.position, len(error.message)) == ("sql-unparsable", 7, 200)


def test_nothing_of_the_text_is_in_a_repr() -> None:
    assert "hunter2" not in repr(statement("SELECT 'hunter2'"))


def test_names_are_shown_as_written() -> None:
    assert str(Reference("", "public", "orders")) == "public.orders"
    assert str(Call("app", "===", CallKind.OPERATOR)) == "operator app.==="
    assert str(Call("", "lower")) == "lower"
