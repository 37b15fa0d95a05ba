# ruff: noqa: S608 - a test asks with paths of its own
"""Lines become rows, whatever is in them."""

import json
import tempfile
from pathlib import Path

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.audit import views
from proctor.audit.envelope import Chain


def test_quote() -> None:
    assert duckdb.sql(f"SELECT {views.quote("it's")}").fetchall() == [("it's",)]


def test_the_views_name_the_place(tmp_path: Path) -> None:
    found = "\n".join(views.statements(tmp_path / "o'clock"))
    assert "o''clock/segments" in found
    assert found.count("CREATE OR REPLACE VIEW") == 14


def test_lines_of_all_sorts(tmp_path: Path) -> None:
    """What is no line of ours is passed over, and does not keep others from being read."""
    chain = Chain("w0")
    good = [
        chain.seal("flow.end", 0, {"flow_id": "a", "groups": ["x"], "port": "not a number"}),
        chain.seal("flow.end", 0, {"flow_id": "b", "turn": {"model": "m", "prompt": None}}),
        chain.seal("event", 0, {"detail": {"deep": [{"a": "\0"}]}, "later": {"field": 1}}),
    ]
    bad = [b"\x00" * 100 + b"\n", b"garbage\n", b"{}\n", b"[1]\n", b'"v"\n', b"\xff\n", b"\n"]
    journal = tmp_path / "0.jsonl"
    journal.write_bytes(b"".join([*bad, good[0], *bad, *good[1:], *bad, good[0][:50]]))
    found = duckdb.sql(
        f"SELECT seq, flow_id, groups, port, turn.model, turn IS NULL, detail, raw"
        f" FROM ({views.envelopes([str(journal)])}) ORDER BY seq"
    ).fetchall()
    assert [row[:-2] for row in found] == [
        (0, "a", ["x"], None, None, True),
        (1, "b", None, None, "m", False),
        (2, None, None, None, None, True),
    ]
    assert json.loads(found[2][-2]) == {"deep": [{"a": "\0"}]}
    assert [row[-1].encode() + b"\n" for row in found] == good


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(views.FIELDS) - {"ts", "kind", "writer", "seq"})),
       st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)
       | st.dictionaries(st.text(), st.integers(), max_size=2)))  # fmt: skip
def test_no_field_keeps_a_record_from_being_there(fields: dict[str, object]) -> None:
    line = Chain("w0").seal("flow.end", 0, fields)
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as journal:
        journal.write(line)
        journal.flush()
        found = duckdb.sql(f"SELECT seq, raw FROM ({views.envelopes([journal.name])})").fetchall()
    assert found == [(0, line[:-1].decode())]
