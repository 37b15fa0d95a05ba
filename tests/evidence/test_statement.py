"""What our checkpoints say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.evidence.ledger import Stand
from proctor.evidence.statement import FIRST, Statement

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SAID = Statement(
    origin="proctor/ab/w0",
    size=3,
    root=b"r" * 32,
    time=NOON,
    due=NOON.replace(minute=2),
    after=FIRST,
    ledger=Stand(1, b"l" * 32),
)
TEXT = """\
proctor/ab/w0
3
cnJycnJycnJycnJycnJycnJycnJycnJycnJycnJycnI=
time 2026-11-22T12:00:00.000000Z
due 2026-11-22T12:02:00.000000Z
after AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
ledger 1 bGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGxsbGw=
"""


def test_there_and_back() -> None:
    assert str(SAID) == TEXT
    assert Statement.parse(TEXT) == SAID


def test_the_last_one_promises_none() -> None:
    text = TEXT.replace("due 2026-11-22T12:02:00.000000Z", "due never")
    assert Statement.parse(text).due is None
    assert str(Statement.parse(text)) == text


@pytest.mark.parametrize("at", range(len(TEXT)))
def test_cut_at_any_place(at: int) -> None:
    with pytest.raises(ClientError) as caught:
        Statement.parse(TEXT[:at])
    assert caught.value.code == "checkpoint-malformed"


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_another_text_says_something_else(at: int, char: str) -> None:
    text = TEXT[:at] + char + TEXT[at + 1 :]
    try:
        said = Statement.parse(text)
    except ClientError:
        return
    assert (said == SAID) == (text == TEXT)
    assert str(said) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12:00:00.000000Z", "12:00:00Z"),
        ("12:00:00.000000Z", "12:00:00.000000+00:00"),
        ("time", "Time"),
        ("after AA", "after  AA"),
        ("ledger 1 ", "ledger 01 "),
        ("ledger 1 ", "ledger -1 "),
        ("ledger", "x\nledger"),
        ("due 2026", "due 9999999"),
    ],
)
def test_one_way_to_write_it(old: str, new: str) -> None:
    with pytest.raises(ClientError):
        Statement.parse(TEXT.replace(old, new))
