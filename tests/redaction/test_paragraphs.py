# ruff: noqa: RUF001 - people's own punctuation
"""What counts as natural language."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.edits import SEPARATOR
from proctor.redaction.paragraphs import LONGEST, paragraphs

LETTER = """\
Hi Bob,

could you please call Jane Roe about the invoice?
She is in Berlin until Friday.

Kind regards,

Alice"""


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in paragraphs(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Please write to Jane Roe in Berlin.",
        "Who is Jane Roe?",
        "Email Jane Roe",
        "- Jane Roe still has to approve the change",
        "1. Ask Jane about the table",
        "# Notes from the call with Jane Roe",
        "> Jane wrote that she would come",
        "    # written by Jane Roe, who knows more about it",
        "// Jane Roe says this is never called",
        "Jane’s “new” flat (in Berlin) is nice.",
        "The file `a_b.py` was written by Jane Roe last week.",
        "Bitte schreib Jane Roe in München, dass die Rechnung da ist.",
        "Écris à Jane Roe à propos de l'hôtel, s'il te plaît !",
        '"note": "Jane Roe called and wants her money back"',
        "Jane asked for 3 copies of the contract of 12 May 2024.",
        "So war es. " * 100,
        LETTER,
        "Jane Roe\n\nshe is the one who called about the refund",
    ],
)
def test_prose(text: str) -> None:
    text = text.rstrip()
    assert found(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\n",
        "Jane",
        "Jane Roe\n\nBob Roe",
        "def find(self, text: str) -> list[str]:",
        "    for name in self.names:",
        "from jane import roe as Jane",
        "import jane",
        "raise ValueError(Jane Roe is missing here)",
        "x = Jane or Roe or something else",
        "const name = user.name ?? Jane",
        "if (user.name === Jane && roe) {",
        '{"name": "Jane Roe", "city": "Berlin", "age": 41}',
        '[{"a": 1}, {"b": "Jane Roe"}]',
        "jane,roe,berlin,41,+1 555 123 4567",
        "Jane;Roe;Berlin;41",
        "/home/jane/roe/berlin.txt",
        "C:\\Users\\Jane\\Roe",
        "https://jane.example/roe?city=Berlin",
        "2024-05-12 10:11:12,345 INFO the user Jane Roe has logged in",
        "[ERROR] the user Jane Roe has logged in",
        "May 12 10:11:12 host sshd[12]: accepted password for jane",
        "SELECT name, city FROM users WHERE id = 12;",
        "drwxr-xr-x 2 jane roe 4096 May 12 10:11 berlin",
        "+--------+--------+\n| 1      | 2      |\n+--------+--------+",
        "(" * 10_000,
        "QUJD" * 2_000,
        "\x00\x01\x02",
    ],
)
def test_no_prose(text: str) -> None:
    assert found(text) == []


def test_paragraphs_end_at_empty_lines() -> None:
    one, two = "This is the first of them.", "And this is the second of them."
    assert found(f"{one}\n\n{two}\n") == [one, two]
    assert found(f"{one}\n{two}") == [f"{one}\n{two}"]
    assert found(f"{one}\r\n\r\n{two}") == [one, two]


def test_code_between_prose_is_left_out() -> None:
    before, after = "This is how Jane does it:", "Bob does it in another way."
    code = "def f(x):\n    return g(x) + 1"
    assert found(f"{before}\n\n{code}\n\n{after}") == [before, after]
    assert found(f"{before}\n{code}\n{after}") == [before, after]


def test_a_long_one_is_cut_between_sentences() -> None:
    text = "Jane is here and Bob is there. " * 500
    parts = found(text)
    assert "".join(parts) == text
    assert all(len(part) <= LONGEST for part in parts)
    assert all(part.endswith(". ") for part in parts)


def test_a_long_sentence_is_cut_between_words() -> None:
    text = "Jane and Bob and " * 500
    parts = found(text)
    assert "".join(parts) == text
    assert all(len(part) <= LONGEST and part.endswith(" ") for part in parts)


@pytest.mark.parametrize("length", [2040, 2048, 2049, 2060, 4096, 4100, 6000, 6150])
@pytest.mark.parametrize("between", [" ", "\n"])
def test_the_last_word_of_a_long_one_is_in_it(length: int, between: str) -> None:
    text = f"and so on{between}" * (length // 10) + "Jane"
    parts = found(text)
    assert between.join(part.rstrip() for part in parts) == text


SOME = st.lists(
    st.sampled_from(
        ["Jane Roe", "is in Berlin.", " ", "\n", "\n\n", "\r", "\u2028", "x = 1", "{", "so", "\t"]
    ),
    max_size=30,
).map("".join) | st.text(max_size=200)


@given(SOME)
def test_they_are_in_order_and_apart(text: str) -> None:
    last = 0
    for start, end in paragraphs(text):
        assert last <= start < end <= len(text)
        assert end - start <= LONGEST
        assert text[start:end].strip()
        last = end


@given(SOME, SOME)
def test_what_stands_next_to_a_leaf_changes_nothing(one: str, two: str) -> None:
    together = f"{one}{SEPARATOR}{two}"
    assert found(together) == [*found(one), *found(two)]


@pytest.mark.parametrize(
    "text",
    [
        "Jane " * 200_000,
        "Jane\n" * 200_000,
        "Jane is here.\n\n" * 60_000,
        "\n" * 1_000_000,
        "a-" * 500_000,
        '"' * 1_000_000,
        "(((" * 300_000,
        "if a " * 200_000,
        "- " * 500_000,
        "a= " * 300_000,
        "if " + "(" * 1_000_000,
    ],
    ids=lambda text: text[:6],
)
def test_its_time_is_bounded(text: str) -> None:
    begin = time.process_time()
    list(paragraphs(text))
    assert time.process_time() - begin < 5
