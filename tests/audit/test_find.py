"""Which session a person means."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import Target, find, findings, sessions
from proctor.audit.reader import Reader, opened
from proctor.errors import ClientError
from tests.support.parts import ALICE, BOB
from tests.support.recorded import OTHER, SESSION, START, others, record, redacted, story
from tests.support.ventured import venture


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    path = record(tmp_path_factory.mktemp("find") / "recordings", story, others)
    with opened(path) as found:
        assert found is not None
        yield found


ALICES = Target(principal=ALICE.key, session_id=SESSION)


@pytest.mark.parametrize(
    ("text", "principal", "target"),
    [
        (None, None, Target(principal=ALICE.key, session_id=OTHER)),
        ("last", "bob", Target(principal=BOB.key, session_id=SESSION)),
        ("3f2b", None, Target(principal=ALICE.key, session_id=OTHER)),
        (SESSION, "alice", ALICES),
        ("3f2a", ALICE.key, ALICES),
        ("f0002", None, Target(principal=ALICE.key, session_id=SESSION, flow_id="f0002-0000")),
        ("f1003-0000", None, Target(principal=ALICE.key, flow_id="f1003-0000")),
    ],
)
def test_found(reader: Reader, text: str | None, principal: str | None, target: Target) -> None:
    assert find(reader, text, principal) == target


@pytest.mark.parametrize(
    ("text", "principal", "code", "words"),
    [
        (SESSION, None, "session-ambiguous", f"{SESSION} of {BOB.key}"),
        (SESSION, None, "session-ambiguous", "--principal"),
        ("3f2", "alice", "session-ambiguous", f"{OTHER} of {ALICE.key}"),
        ("f", None, "session-ambiguous", "more"),
        ("nope", None, "session-unknown", "proctor sessions"),
        ("%", None, "session-unknown", "'%'"),
        (None, "carol", "record-empty", "ANTHROPIC_BASE_URL"),
    ],
)
def test_not_found(
    reader: Reader, text: str | None, principal: str | None, code: str, words: str
) -> None:
    with pytest.raises(ClientError) as caught:
        find(reader, text, principal)
    assert caught.value.code == code
    assert words in str(caught.value)


def test_sessions_the_newest_first(reader: Reader) -> None:
    rows = list(sessions(reader, principal=None, since=None, limit=9))
    assert [(row["session_id"], row["subject"]) for row in rows] == [
        (OTHER, "alice"), (SESSION, "bob"), (SESSION, "alice"), (SESSION, "alice"),
    ]  # fmt: skip
    assert rows[3]["started_at"] == START
    assert (rows[3]["turns"], rows[3]["tool_calls"], rows[3]["denied"]) == (8, 4, 1)
    assert (rows[3]["input_tokens"], rows[3]["cache_read_tokens"]) == (280, 36_000)


def test_some_sessions(reader: Reader) -> None:
    assert len(list(sessions(reader, principal="bob", since=None, limit=9))) == 1
    assert len(list(sessions(reader, principal=None, since=None, limit=2))) == 2
    day = START + timedelta(days=1)
    assert len(list(sessions(reader, principal=None, since=day, limit=9))) == 2
    run = START + timedelta(minutes=1)  # the first run began before, and went on
    assert len(list(sessions(reader, principal=None, since=run, limit=9))) == 4


def test_findings(tmp_path: Path) -> None:
    with opened(record(tmp_path / "recordings", redacted)) as reader:
        assert reader is not None
        every = list(findings(reader, session=None, kind=None, since=None, limit=9))
        late = START + timedelta(seconds=2)
        assert list(findings(reader, session=None, kind=None, since=late, limit=9)) == []
        some = list(findings(reader, session=SESSION[:4], kind="PASSWORD", since=START, limit=9))
    assert [row["entity_type"] for row in every].count("PASSWORD") == 2
    assert len(every) == 4
    assert {row["ts"] for row in every} == {START + timedelta(seconds=1.25)}
    assert {row["location"] for row in some} == {"messages[0].content[0].text", "system"}


def test_what_a_session_called_elsewhere(tmp_path: Path) -> None:
    """The same figures in the list of sessions and at the head of one."""
    with opened(venture(tmp_path / "r")) as reader:
        assert reader is not None
        (row,) = sessions(reader, principal=None, since=None, limit=9)
        totals = conversation(reader, find(reader, SESSION)).totals
    assert (row["turns"], row["outside"], row["tool_calls"], row["denied"]) == (3, 6, 3, 2)
    assert (totals.turns, totals.outside, totals.tool_calls, totals.refused) == (3, 6, 3, 2)
