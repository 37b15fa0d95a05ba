"""The table of statements is complete."""

from proctor.sql.nodes import KNOWN
from proctor.sql.verbs import DANGERS, KINDS


def test_every_statement_of_the_grammar_has_a_verb() -> None:
    assert {kind for kind in KNOWN if kind.endswith("Stmt")} - {"RawStmt"} == set(KINDS)


def test_dangers_are_words() -> None:
    assert {kind.danger for kind in KINDS.values()} - {""} < DANGERS
    assert "" not in DANGERS
