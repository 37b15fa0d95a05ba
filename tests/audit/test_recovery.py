"""What a crash leaves behind, cut at every byte."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.envelope import GENESIS, Chain, leaf
from proctor.audit.journal import IS_BEGIN, NO_FLOW
from proctor.audit.recovery import interrupted, parse, read_open, recover
from proctor.audit.state import Bounds, State
from proctor.tlog.tree import Frontier, leaf_hash, root_of
from tests.support.envelopes import flow


class Lines:
    """Journals as a writer would have left them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain = Chain("w0")
        self.n = 0

    def record(self, kind: str = "event", **fields: Any) -> bytes:
        return self.chain.seal(kind, 0, fields)

    def block(self) -> bytes:
        self.n += 1
        return b'{"c":1,"writer":"w0","n":%d,"scope":"w0.x","no":0,"text":"\xc3\xa9"}\n' % (
            self.n - 1
        )

    def write(self, slot: int, *lines: bytes) -> None:
        (self.folder / f"{slot}.jsonl").write_bytes(b"".join(lines))


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    (tmp_path / "w0").mkdir()
    return Lines(tmp_path / "w0")


def test_nothing(lines: Lines) -> None:
    lines.write(0)
    found = recover(lines.folder)
    assert (found.seq, found.prev, found.n) == (0, GENESIS, 0)
    assert [slot.path.name for slot in found.empty] == ["0.jsonl"]
    assert (found.full, found.begins, found.cut, found.damaged) == ([], {}, {}, {})


def test_the_chain_goes_on(lines: Lines) -> None:
    lines.write(2, lines.block(), lines.record(), lines.record())
    lines.write(0, lines.record(), lines.block())
    lines.write(1, lines.block())  # content alone
    found = recover(lines.folder)
    assert (found.seq, found.prev, found.n) == (3, lines.chain.prev, 3)
    ranges = {
        slot.path.stem: (slot.first_seq, slot.seq, slot.first_n, slot.n) for slot in found.full
    }
    assert ranges == {"2": (0, 1, 0, 0), "0": (2, 2, 1, 1), "1": (0, -1, 2, 2)}


def test_it_goes_on_from_segments(lines: Lines) -> None:
    for _ in range(5):
        lines.record()
    state = State("w0", lines.chain.prev, Bounds([4, -1, -1]), Bounds([9, 3, -1]))
    state.write(lines.folder, lines.folder)
    found = recover(lines.folder)
    assert (found.seq, found.prev, found.n) == (5, lines.chain.prev, 10)
    assert found.state == state


def test_a_tail_torn_at_every_byte(lines: Lines) -> None:
    whole = [lines.record(), lines.block()]
    last = lines.record(path="/é")
    good = b"".join(whole)
    for cut in range(len(last)):
        lines.write(0, good, last[:cut])
        found = recover(lines.folder)
        assert (lines.folder / "0.jsonl").read_bytes() == good
        assert (found.seq, found.prev, found.n) == (1, leaf(whole[0][:-1]), 1)
        assert found.cut == ({"0.jsonl": cut} if cut else {})
        if cut:
            assert (lines.folder / "0.torn").read_bytes() == last[:cut]
    lines.write(0, good, last)
    assert recover(lines.folder).seq == 2


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"\n\n", b"{}\n", b"[1]\n", b"\xff\xfe\n{"])
def test_other_tails(lines: Lines, tail: bytes) -> None:
    line = lines.record()
    lines.write(0, line, tail)
    assert recover(lines.folder).cut == {"0.jsonl": len(tail)}
    assert (lines.folder / "0.jsonl").read_bytes() == line


def test_damage_in_the_middle_stays_for_all_to_see(lines: Lines) -> None:
    first, second, third = lines.record(), lines.record(), lines.record()
    bad = b"#" + second[1:]
    lines.write(0, first, bad, third)
    found = recover(lines.folder)
    assert found.damaged == {"0.jsonl": 1}
    assert found.cut == {}
    assert (lines.folder / "0.jsonl").read_bytes() == first + bad + third
    assert (found.seq, found.prev) == (3, lines.chain.prev)
    (slot,) = found.full
    assert (slot.first_seq, slot.seq, slot.records) == (0, 2, 2)


def test_flows_without_an_end(lines: Lines) -> None:
    old = lines.record("flow.begin", flow_id="old")
    lost = lines.record("flow.begin", flow_id="lost")
    (lines.folder / "open.jsonl").write_bytes(old + lost)
    State("w0", lines.chain.prev, Bounds([1, -1, -1])).write(lines.folder, lines.folder)
    lines.write(
        0,
        lines.record("flow.begin", flow_id="new"),
        lines.record("flow.end", flow_id="old", begin_seq=0),
        lines.record("flow.end", flow_id="refused", begin_seq=None),
    )
    found = recover(lines.folder)
    assert {seq: begin["flow_id"] for seq, begin in found.begins.items()} == {1: "lost", 2: "new"}
    assert list(read_open(lines.folder)) == [0, 1]


def test_the_end_of_what_was_interrupted() -> None:
    turn = {"model": "m", "prompt": {"scope": "x"}}
    begin = {"v": 1, "kind": "flow.begin", "writer": "w0", "seq": 3, "prev": "", "ts": "t"}
    begin |= flow("f", request={"scope": "x"}, turn=turn, decisions=[1], results=[2])
    begin |= {"findings": [{"entity_type": "PERSON"}]}
    fields = interrupted(3, begin, "2026-01-02T00:00:00Z")
    assert fields["begin_seq"] == 3
    assert fields["error"] == "interrupted: gateway stopped"
    assert fields["findings"] == [{"entity_type": "PERSON"}]
    assert fields["turn"] == {**turn, "stop_reason": None, "output": None}
    assert fields["request"] == {"scope": "x"}
    assert not {"v", "kind", "seq", "prev", "ts", "decisions", "results"} & fields.keys()
    assert interrupted(3, begin | {"turn": None}, "")["turn"] is None


@given(
    st.binary(max_size=60)
    | st.text(st.sampled_from('{"vc:1,seqn}[]\n '), max_size=40).map(str.encode)
)
def test_no_line_breaks_it(line: bytes) -> None:
    found = parse(line)
    if found:
        assert isinstance(json.loads(line), dict)
        assert isinstance(found[0].number, int)


@pytest.mark.parametrize(
    ("line", "flow_of", "is_record"),
    [
        (b'{"v":1,"kind":"flow.begin","seq":1}', IS_BEGIN, True),
        (b'{"v":1,"kind":"flow.end","seq":1,"begin_seq":0}', 0, True),
        (b'{"v":1,"kind":"flow.end","seq":1,"begin_seq":null}', NO_FLOW, True),
        (b'{"v":1,"kind":"approval","seq":1}', NO_FLOW, True),
        (b'{"c":2,"n":1}', NO_FLOW, False),
    ],
)
def test_sorts_of_lines(line: bytes, flow_of: int, *, is_record: bool) -> None:
    found = parse(line)
    assert found
    assert (found[0].number, found[0].flow, found[1]) == (1, flow_of, is_record)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"leaf": "", "levels": {"segments": ["x"]}}'])
def test_a_state_that_cannot_be_read(lines: Lines, text: str) -> None:
    (lines.folder / "state.json").write_text(text)
    with pytest.raises((ValueError, KeyError, TypeError)):
        recover(lines.folder)


def test_the_day_of_a_journal(lines: Lines) -> None:
    lines.write(0, lines.block(), lines.record(), lines.record())
    lines.write(1, lines.block())
    lines.write(2, lines.record(), lines.chain.seal("event", 86400, {}))
    found = recover(lines.folder)
    assert {slot.path.stem: slot.day for slot in found.full} == {
        "0": "1970-01-01",
        "1": "",
        "2": "",
    }


def test_the_tree_over_all_records(lines: Lines) -> None:
    records = [lines.record() for _ in range(7)]
    leaves = b"".join(leaf_hash(line[:-1]) for line in records)
    lines.write(3, *records[:3])
    lines.write(0, lines.block(), *records[3:])
    found = recover(lines.folder)
    assert found.leaves == leaves
    assert found.tree
    assert (found.tree.size, found.tree.root()) == (7, root_of(leaves))
    # As it goes on from what is in segments.
    tree = Frontier()
    tree.extend(leaves[: 4 * 32])
    peaks = [peak.hex() for peak in tree.peaks]
    State("w0", "", Bounds([3, -1, -1]), peaks=peaks).write(lines.folder, lines.folder)
    found = recover(lines.folder)
    assert found.leaves == leaves[4 * 32 :]
    assert found.tree
    assert found.tree.root() == root_of(leaves)


def test_no_tree_where_a_record_is_missing(lines: Lines) -> None:
    records = [lines.record() for _ in range(5)]
    lines.write(0, *records[:2], *records[3:])
    assert recover(lines.folder).tree is None
    lines.write(0, *records[1:])
    assert recover(lines.folder).tree is None
    lines.write(0, *records[:2])
    lines.write(1, *records[3:])
    assert recover(lines.folder).tree is None
