"""The ledger, cut and changed; and files against it."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from proctor.evidence.ledger import NO_HEAD, Stand
from proctor.evidence.verify.files import Listed, check_files, read_ledger
from proctor.evidence.verify.findings import Findings, Level
from proctor.evidence.verify.signed import Sealed, SealedLog
from proctor.evidence.verify.snapshot import File, Snapshot
from tests.evidence.verify.test_hot import files
from tests.evidence.verify.test_signed import history

NAME = "segments/w0-0-000000000000-000000000009.parquet"
SAID = [
    {"op": "made", "file": NAME, "sha256": "aa", "why": "journal"},
    {"op": "writer", "writer": "w1"},
    {"op": "gone", "file": NAME, "why": "merge"},
    {"op": "made", "file": NAME.replace("-0-", "-1-", 1), "sha256": "bb", "why": "merge"},
    {"op": "gone", "file": NAME.replace("-0-", "-1-", 1), "why": "retention"},
]
LINES = [
    json.dumps({"i": n, "ts": "t", **said}, separators=(",", ":")).encode()
    for n, said in enumerate(SAID)
]
DATA = b"".join(line + b"\n" for line in LINES)


def head(count: int) -> bytes:
    found = NO_HEAD
    for line in LINES[:count]:
        found = sha256(found + line).digest()
    return found


def log(count: int = 5, *, ended: bool = True) -> SealedLog:
    *_, last = history()
    said = replace(last, ledger=Stand(count, head(count)), due=None if ended else last.time)
    return SealedLog(sealed=[Sealed(statement=said, where="line 1", good=True)], gaps=[])


def read(data: bytes, of: SealedLog) -> tuple[Listed, Findings]:
    findings = Findings()
    return read_ledger(files(ledger=data), of, findings), findings


def test_what_is_whole() -> None:
    listed, findings = read(DATA, log())
    assert not findings.counts
    assert (listed.files, listed.writers, listed.dropped) == ({}, {"w1"}, {SAID[4]["file"]})
    assert listed.gone == {NAME, SAID[4]["file"]}


def test_cut_at_every_byte() -> None:
    for at in range(len(DATA)):
        assert "ledger-changed" in read(DATA[:at], log())[1].codes(), at


def test_changed_at_any_byte() -> None:
    for at in range(len(DATA)):
        changed = DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :]
        assert "ledger-changed" in read(changed, log())[1].codes(), at


def test_what_was_added_after_the_end() -> None:
    assert read(DATA, log(3))[1].codes() == {"ledger-added"}
    listed, findings = read(DATA, log(3, ended=False))
    assert (findings.problems, listed.dropped) == (0, set())
    assert listed.unsigned_drops == {SAID[4]["file"]}


@given(st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=30)), max_size=7))
def test_any_lines(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    assert data == DATA or read(data, log())[1].problems


def check(
    listed: Listed, there: dict[str, str], *, ended: bool = True
) -> tuple[set[str], Findings]:
    findings = Findings()
    shot = Snapshot(
        path=Path("record"),
        note={},
        bundle=None,
        files=[
            File(name=name, kind="segments", writer="w0", level=0, first=0, last=9)
            for name in there
        ],
    )
    return check_files(shot, {"w0": listed}, there, {"w0"} if ended else set(), findings), findings


def test_files_against_it() -> None:
    listed = Listed(files={NAME: "aa"}, vouched={NAME}, was={NAME: "old"})
    assert check(listed, {NAME: "aa"})[0] == {NAME}
    assert check(listed, {NAME: "bb"})[1].codes() == {"file-changed"}
    assert check(listed, {})[1].codes() == {"file-missing"}
    assert check(listed, {NAME: "aa", "other": "x"})[1].codes() == {"file-unlisted"}
    assert check(listed, {NAME: "old"})[1].codes() == {"file-changed"}
    waiting = check(listed, {NAME: "old"}, ended=False)[1]
    assert (waiting.codes(), waiting.codes(Level.NOTICE)) == (set(), {"file-waiting"})


def test_records_that_may_speak_of_content_that_is_in_no_file_yet() -> None:
    """Signed lines alone tell, and of those the ones that say what came out of a journal."""

    def made(kind: str, first: int, last: int, why: str = "journal") -> dict[str, str]:
        return {"op": "made", "file": f"{kind}/w0-0-{first:012d}-{last:012d}.parquet", "why": why}

    def found(*said: dict[str, str], signed: int) -> tuple[int, int]:
        lines = [
            json.dumps({"i": n, "ts": "t", **each}, separators=(",", ":")).encode()
            for n, each in enumerate(said)
        ]
        top = NO_HEAD
        for line in lines[:signed]:
            top = sha256(top + line).digest()
        last = replace(history()[-1], ledger=Stand(signed, top), due=history()[-1].time)
        of = SealedLog(sealed=[Sealed(statement=last, where="line 1", good=True)], gaps=[])
        listed = read(b"".join(line + b"\n" for line in lines), of)[0]
        return listed.block, listed.record

    said = [
        made("segments", 0, 9),
        made("content", 0, 4),
        made("segments", 10, 19),
        made("content", 5, 8, "found"),
        made("content", 5, 20),
    ]
    assert [found(*said, signed=count) for count in range(6)] == [
        (-1, -1), (-1, -1), (4, 9), (4, 9), (4, 9), (20, 19),
    ]  # fmt: skip
