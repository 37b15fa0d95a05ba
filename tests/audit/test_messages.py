"""Messages of WebSockets, out of the record."""

from collections.abc import Iterator

import pytest

from proctor.audit.conversation import conversation
from proctor.audit.find import Target, find, sessions
from proctor.audit.messages import read_messages
from proctor.audit.reader import Reader, opened
from proctor.audit.turns import Turn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record
from tests.support.talked import ALONE, FLOW, LONG, MANY, alone, talked

TARGET = Target(principal=ALICE.key, session_id=SESSION)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with opened(record(tmp_path_factory.mktemp("said") / "r", talked, alone)) as found:
        assert found is not None
        yield found


def there(reader: Reader) -> Turn:
    (turn,) = (t for t in conversation(reader, TARGET).turns() if t.messages)
    return turn


def test_each_stands_in_its_place(reader: Reader) -> None:
    turn = there(reader)
    assert (turn.exchange.flow_id, turn.outside, turn.heard) == (FLOW, True, 7)
    first, hostile, found, quiet, binary, long, refused = turn.messages
    assert first.content is not None
    assert first.content.text == '{"op": "subscribe"}'
    entry = first.entry
    assert (entry.n, entry.direction, entry.type, entry.size, entry.verdict, entry.rule_id) == (
        1, "client", "text", 19, "allow", "talk",
    )  # fmt: skip
    assert hostile.entry.direction == "server"
    assert found.entry.found == ("API_KEY",)
    assert [each.rule_id for each in found.entry.observed] == ["watch"]
    assert (quiet.content, quiet.entry.record) == (None, "metadata")
    assert binary.entry.type == "binary"
    assert long.content is not None
    assert long.content.text == LONG
    assert refused.entry.refused
    assert refused.entry.error == "policy-denied: Nothing is dropped."
    assert refused.entry.digests == ("f" * 64,)


def test_totals(reader: Reader) -> None:
    totals = conversation(reader, TARGET).totals
    assert (totals.turns, totals.outside, totals.refused) == (1, 1, 1)
    (listed,) = sessions(reader, principal=None, since=None, limit=9)
    assert (listed["outside"], listed["denied"], listed["statements"]) == (1, 1, 0)


def test_a_websocket_of_no_session(reader: Reader) -> None:
    talk = conversation(reader, find(reader, ALONE))
    (some,) = talk.turns(statements=10)
    assert [each.entry.n for each in some.messages] == list(range(1, 11))
    assert some.heard == MANY
    (none,) = talk.turns(limit=0, statements=0)
    assert (none.messages, none.heard) == ((), MANY)


def test_more_than_are_read_are_counted(reader: Reader) -> None:
    heard = read_messages(reader, find(reader, ALONE), most=5)
    assert [len(found) for found in heard.entries.values()] == [5]
    assert heard.counts == {ALONE: MANY}


def test_the_views_have_them(reader: Reader) -> None:
    rows = list(
        reader.rows("SELECT * FROM messages WHERE flow_id = $flow ORDER BY n", {"flow": FLOW})
    )
    assert [row["n"] for row in rows] == list(range(1, 8))
    assert rows[0]["content"] == '{"op": "subscribe"}'
    assert rows[3]["content"] is None
    assert (rows[6]["verdict"], rows[6]["rule_id"]) == ("deny", "no-drop")
    (flow,) = reader.rows("SELECT * FROM flows WHERE flow_id = $flow", {"flow": FLOW})
    assert flow["protocol"] == "websocket"
    (found,) = reader.rows("SELECT * FROM findings WHERE flow_id = $flow", {"flow": FLOW})
    assert found["entity_type"] == "API_KEY"
    kinds = reader.rows(
        "SELECT action_kind, verdict, mode FROM decisions WHERE flow_id = $flow", {"flow": FLOW}
    )
    told = [(row["action_kind"], row["verdict"], row["mode"]) for row in kinds]
    assert ("ws.message", "deny", "enforce") in told
    assert ("ws.message", "deny", "observe") in told
