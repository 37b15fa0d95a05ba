"""Statements whole."""

import json
from pathlib import Path
from typing import Any

from proctor.audit.reader import opened
from proctor.export import joined as module
from proctor.export.joined import joined, whole
from proctor.export.records import Choice, plan, walk
from tests.support.recorded import SESSION, record
from tests.support.spoken import MANY, alone, spoken


def test_each_end_has_its_beginning(tmp_path: Path) -> None:
    with opened(record(tmp_path / "r", spoken, alone)) as reader:
        assert reader is not None
        everything = list(joined(reader, walk(reader, plan(reader, Choice()))))
        # Its beginning may stand elsewhere than where ends are looked at.
        ends = Choice(kinds=("statement.end",))
        found = list(joined(reader, walk(reader, plan(reader, ends))))
    assert [e for e in everything if e["kind"] == "statement.end"] == found
    assert len(found) == MANY + 5
    first = found[0]
    assert (first["session_id"], first["rows"], first["verbs"]) == (SESSION, 2, ["SELECT"])
    assert first["sql"]["size"] == len("SELECT id, email FROM orders WHERE id < $1")
    assert first["seq"] > first["begin_seq"]
    assert first["started_at"] < first["ts"]
    assert json.dumps(first)


def test_one_whose_beginning_is_gone_stays_as_it_is(tmp_path: Path) -> None:
    end: dict[str, Any] = {"kind": "statement.end", "writer": "w0", "seq": 9, "begin_seq": 10**6}
    with opened(record(tmp_path / "r", alone)) as reader:
        assert reader is not None
        assert whole(reader, [end]) == [end]
        other = {"kind": "flow.end", "writer": "w0", "seq": 1}
        assert whole(reader, [other, end]) == [other, end]


def test_batches_end_anywhere(tmp_path: Path, monkeypatch: Any) -> None:
    with opened(record(tmp_path / "r", alone)) as reader:
        assert reader is not None
        every = list(joined(reader, walk(reader, plan(reader, Choice()))))
        monkeypatch.setattr(module, "BATCH", 3)
        assert list(joined(reader, walk(reader, plan(reader, Choice())))) == every
