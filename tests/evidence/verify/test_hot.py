"""Journals: lines as they stand, or a finding; never a trace."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proctor.audit.envelope import Chain
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.hot import Hot, read_journals
from proctor.evidence.verify.snapshot import WriterFiles
from proctor.tlog.tree import leaf_hash

CHAIN = Chain("w0", 0, "0" * 64)
LINES = [CHAIN.seal("event", 1.7e9, {"event_kind": "x", "detail": {"n": n}}) for n in range(4)]
BLOCK = b'{"c":1,"writer":"w0","n":0,"scope":"w0.a","no":0,"hash":"x","text":"\xe2\x80\xa8y"}\n'
DATA = b"".join([*LINES[:2], BLOCK, *LINES[2:]])


def files(**given: Any) -> WriterFiles:
    """A writer's, empty but for what is given."""
    empty: dict[str, Any] = {
        "checkpoints": b"",
        "ledger": b"",
        "state": None,
        "opened": b"",
        "retired": None,
        "leaves": b"",
        "journals": {},
    }
    return WriterFiles(name="w0", folder=Path("writers/w0"), **(empty | given))


def read(data: bytes, *, running: bool = False) -> tuple[Hot, Findings]:
    findings = Findings()
    journal = files(journals={"0.jsonl": data})
    return read_journals(journal, running=running, findings=findings), findings


def test_what_is_whole() -> None:
    hot, findings = read(DATA)
    assert not findings.counts
    assert hot.leaves == {n: leaf_hash(line[:-1]) for n, line in enumerate(LINES)}
    assert hot.where[2] == ("writers/w0/0.jsonl", DATA.index(LINES[2]))
    assert hot.blocks[0]["text"] == "\u2028y"
    assert hot.content_where[0] == ("writers/w0/0.jsonl", DATA.index(BLOCK))


def test_cut_at_every_byte() -> None:
    """What was never acknowledged is only worth knowing, and nothing while somebody writes."""
    ends = {at + 1 for at, byte in enumerate(DATA) if byte == 0x0A} | {0}
    for at in range(len(DATA) + 1):
        hot, findings = read(DATA[:at])
        assert findings.codes() == set()
        assert findings.codes(Level.NOTICE) == (set() if at in ends else {"journal-torn"})
        assert all(hot.raws[n] == LINES[n][:-1] for n in hot.raws)
        assert not read(DATA[:at], running=True)[1].counts


def test_a_bad_line_in_between_is_named() -> None:
    for bad in (
        b"x\n",
        b"\n",
        b"{}\n",
        b'{"c":1}\n',
        b"\xff\r\n",
        LINES[1].replace(b'"w0"', b'"w1"'),
    ):
        found = read(LINES[0] + bad + LINES[2])[1]
        assert "line-unreadable" in found.codes()
        assert found.listed[0].at == f"byte {len(LINES[0])}"


def test_content_is_as_proctor_writes_it() -> None:
    """What a name that was changed hides, views would pass over: so it is no line."""
    birth = b'{"c":2,"writer":"w0","n":0,"scope":"w0.a","salt":"ab","principal":"\\u00e9",'
    birth += b'"session_id":null}\n'
    coded = b'{"c":1,"writer":"w0","n":1,"scope":"w0.a","no":0,"hash":"x","text":"eA==","b64":1}\n'
    assert set(read(birth + coded + LINES[0])[0].blocks) == {0, 1}
    for line in (birth, coded, BLOCK):
        for at in range(len(line) - 1):
            changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            hot, findings = read(changed + LINES[0])
            (whole,) = read(line)[0].blocks.values()
            said = hot.blocks.values()
            assert findings.codes() == {"line-unreadable"} or whole not in said
            assert all(set(each) == set(whole) for each in said)


def test_a_writer_that_ended_leaves_whole_lines() -> None:
    findings = Findings()
    journal = files(journals={"0.jsonl": DATA[:-9]})
    read_journals(journal, running=False, ended=True, findings=findings)
    assert findings.codes() == {"line-unreadable"}


def test_twice_and_out_of_order() -> None:
    assert read(LINES[0] + LINES[0])[1].codes() == {"record-twice"}
    assert read(LINES[1] + LINES[0])[1].codes() == {"record-reordered"}
    assert read(LINES[0] + LINES[2])[1].codes() == {"record-missing"}
    assert read(BLOCK + BLOCK)[1].codes() == {"content-reordered"}


@given(st.integers(0, len(DATA) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_anything_anywhere(at: int, put: bytes, take: int) -> None:
    read(DATA[:at] + put + DATA[at + take :])


@given(st.binary(max_size=300))
def test_anything_at_all(data: bytes) -> None:
    assert not read(data)[0].raws
