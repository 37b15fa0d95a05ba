"""Columns that a header names."""

import pytest

from proctor.redaction.recognizers.tables import SHAPES
from tests.redaction.recognizers.shaped import values

P, Q = "Vq8mZ2" + "kLp0xR", "hY5tR9" + "wQ2eZ7"


@pytest.mark.parametrize(
    "text",
    [
        "user,password,role\nalice,@@,x\nbob,%%,y\n",
        '"user";"password"\r\n"alice";"@@"\r\n"bob";"%%"\r\n',
        "user\tPassword\nalice\t@@\nbob\t%%",
        "| user | password |\n|---|---|\n| alice | @@ |\n| bob | %% |\n",
    ],
    ids=["csv", "semicolons", "tabs", "markdown"],
)
def test_columns(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P).replace("%%", Q)) == [P, Q]


def test_other_columns_and_other_lines() -> None:
    assert values(SHAPES, f"user,city\nalice,{P}\n") == []
    assert values(SHAPES, f"user,password,role\nno table {P}\n") == []


def test_a_table_may_end_anywhere() -> None:
    text = f"user,password,role\nalice,{P},x\n"
    for cut in range(len(text)):
        assert all(value in P for value in values(SHAPES, text[:cut]))


@pytest.mark.parametrize(
    "text",
    [
        "  user  |   passwd    \n--------+------------\n alice  | @@\n bob    | %%\n(2 rows)\n",
        "+---+-------+\n| u | token |\n+---+-------+\n| a | @@ |\n| b | %% |\n+---+-------+\n",
        "│ user │ password │\n├──────┼──────────┤\n│ a │ @@ │\n│ b │ %% │\n",
        "name;login;kennwort\nA;a;@@\nB;b;%%\n",
        "|| User || Password ||\n| a | @@ |\n| b | %% |\n",
        '{"out": "user,password\na,@@\nb,%%"}',
    ],
    ids=["psql", "mysql", "boxes", "german", "jira", "in JSON"],
)
def test_tables_of_other_programs(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P).replace("%%", Q)) == [P, Q]


@pytest.mark.parametrize(
    "text",
    [
        " column   | type\n----------+------\n password | varchar64\n",
        "def f(user, password, token):\n    return g(user, password2, token)\n",
        "self.assertEqual(r.password,\nself.assertEqual(r.port2,\n",
    ],
)
def test_code_and_descriptions_are_no_tables(text: str) -> None:
    assert values(SHAPES, text) == []
