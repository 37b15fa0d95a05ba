"""QUESTION as text: nothing of the user's can be in its way. What it answers: test_names.py."""

import re

from proctor.sql.parsing import parse
from proctor.sql.question import MOST, MOST_CHILDREN, QUESTION
from proctor.sql.reading import read
from proctor.sql.statement import CallKind


def test_every_operator_function_and_table_is_named_with_its_schema() -> None:
    (statement,) = read(QUESTION).statements
    calls = [call for call in statement.calls if call.kind is not CallKind.ATTRIBUTE]
    assert {call.schema for call in calls} == {"pg_catalog"}
    ours = {"s", "named", "reach", "graph", "nodes", "parts", "code"}
    assert {one.schema for one in statement.references} == {"pg_catalog"}
    assert not ours & {one.name for one in statement.references}
    assert statement.parameters == 7
    assert statement.read_only
    # What asks for an operator without naming one takes it from the search path.
    assert not re.search(r"\bIN\b|\bBETWEEN\b|\bLIKE\b|\bDISTINCT\b|CASE (?!WHEN)", QUESTION)
    assert re.findall(r"::(?!pg_catalog\.)", QUESTION) == []
    assert parse(QUESTION)


def test_it_is_bounded_as_is_said() -> None:
    assert f"LIMIT {MOST_CHILDREN + 1})" in QUESTION
    assert QUESTION.count(f"LIMIT {MOST})") == 2
