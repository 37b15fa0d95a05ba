"""What of an envelope can be searched."""

from typing import Any

from proctor.search.documents import Part, read


def ref(name: str) -> dict[str, Any]:
    return {"scope": "s", "hash": name, "size": 3, "enc": "utf8", "blocks": "0"}


def envelope(kind: str, **more: Any) -> dict[str, Any]:
    who = {"flow_id": "f", "principal": "i#a", "subject": "a", "session_id": None}
    return {"kind": kind, "ts": "2026-01-02T03:04:05.000000Z", "verdict": "allow", **who, **more}


def told(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    exchange = read(1, found)
    return [(t.part, t.ref.hash, t.verdict, t.tool) for t in exchange.texts] if exchange else []


TOOL = {"id": "t1", "name": "Bash", "input": ref("i"), "verdict": "deny"}
RESULT = {"tool_use_id": "t1", "content": ref("r"), "is_error": False}


def test_what_is_asked() -> None:
    found = envelope("flow.begin", turn={"prompt": ref("p")}, results=[RESULT], request=ref("b"))
    assert told(found) == [("prompt", "p", "allow", ""), ("result", "r", "allow", "")]


def test_what_is_answered() -> None:
    turn = {"prompt": ref("p"), "output": ref("o")}
    found = envelope("flow.end", begin_seq=0, turn=turn, tools=[TOOL], results=[RESULT])
    assert told(found) == [
        ("output", "o", "allow", ""),
        ("input", "i", "deny", "Bash"),
        ("result", "r", "allow", ""),
    ]


def test_what_was_refused_had_no_begin() -> None:
    found = envelope("flow.end", begin_seq=None, turn={"prompt": ref("p")}, tools=[], results=[])
    assert told(found | {"verdict": "deny"}) == [("prompt", "p", "deny", "")]


def test_statements() -> None:
    found = envelope("statement", sql=ref("q"), parameters=ref("p"), response=None)
    assert told(found) == [("statement", "q", "allow", ""), ("statement", "p", "allow", "")]


def test_what_a_statement_gave_back() -> None:
    ended = envelope("statement.end", begin_seq=0, response=ref("r"))
    del ended["verdict"]  # its statement has it
    assert told(ended) == [("result", "r", "", "")]
    assert read(1, envelope("statement.end", response=None)) is None


def test_nothing_to_search() -> None:
    assert read(1, envelope("event")) is None
    nothing = envelope("flow.begin", turn={"prompt": None}, results=[RESULT | {"content": None}])
    assert read(1, nothing) is None


def test_names_that_no_database_takes() -> None:
    found = envelope("statement", sql=ref("q"), findings=[{"entity_type": "B"}] * 2)
    exchange = read(7, found | {"flow_id": "f\ud800", "principal": None})
    assert exchange is not None
    assert (exchange.seq, exchange.flow_id, exchange.principal) == (7, "f?", "")
    assert exchange.entities == ("B",)
    assert exchange.texts[0].part is Part.STATEMENT
