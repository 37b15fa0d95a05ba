"""The ledger against what was signed, and the files against the ledger."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from proctor.audit.store import SEGMENTS
from proctor.evidence import ledger
from proctor.evidence.ledger import NO_HEAD
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.signed import SealedLog
from proctor.evidence.verify.snapshot import PARQUET, File, Snapshot, WriterFiles

# Why rows may be gone.
DROPS: Final = frozenset({"retention", "erasure"})


@dataclass(slots=True, kw_only=True)
class Listed:
    """What a ledger says.

    Attributes:
        files: SHA-256 of those that are there, hex, by name.
        vouched: Names whose line a checkpoint covers.
        dropped: Files out of which rows were taken, by a line that a checkpoint covers.
        unsigned_drops: Likewise, by a line that none covers yet.
        was: What a file is until what was announced of it is done, by name.
        gone: Names of those that went.
        block: Number of the last line of content that a checkpoint covers in a file, or -1.
        record: Number of the last record that was in a file by then, or -1: content after `block`
            was written after it, so only later records refer to it.
        writers: Other writers that were seen.
    """

    files: dict[str, str] = field(default_factory=dict)
    vouched: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    unsigned_drops: set[str] = field(default_factory=set)
    was: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    block: int = -1
    record: int = -1
    writers: set[str] = field(default_factory=set)


def read_ledger(writer: WriterFiles, log: SealedLog, findings: Findings) -> Listed:
    """Reads a ledger and compares it with every checkpoint's word on it."""
    file = f"writers/{writer.name}/{ledger.NAME}"
    heads, said = [NO_HEAD], list[dict[str, Any]]()
    data = writer.ledger
    whole = data.rfind(b"\n") + 1
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        found = _line(line)
        if found.get("i") != number - 1:
            findings.problem(
                "ledger-unreadable",
                "A line of the ledger is not as it was written",
                writer=writer.name,
                file=file,
                at=f"line {number}",
            )
        said.append(found)
        heads.append(sha256(heads[-1] + line).digest())
    signed = 0
    for each in log.sealed:
        stand = each.statement.ledger
        if not each.good:
            continue
        if stand.count >= len(heads) or heads[stand.count] != stand.head:
            findings.problem(
                "ledger-changed",
                "The ledger is not what a checkpoint says it was",
                writer=writer.name,
                file=file,
                at=f"one of the first {stand.count} lines",
                expected=f"the head that is signed in {each.where} of checkpoints.jsonl",
                found=f"{len(said)} lines, another head",
            )
            break
        signed = max(signed, stand.count)
    last = log.last
    if (
        last is not None
        and last.due is None
        and len(data)
        and (len(said), whole) != (signed, len(data))
    ):
        findings.problem(
            "ledger-added",
            "The ledger goes on after the checkpoint with which the gateway ended",
            writer=writer.name,
            file=file,
            at=f"line {signed + 1}",
            expected=f"{signed} lines",
            found=f"{len(said)} lines, {len(data) - whole} bytes of another",
        )
    listed = Listed()
    _order(listed, said[:signed])
    for number, each_line in enumerate(said):
        _take(listed, each_line, writer.name, number < signed, file, number + 1, findings)
    return listed


def _line(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or json.dumps(found, separators=(",", ":")).encode() != line:
        return {}
    return found


def _take(  # noqa: PLR0913, PLR0917 - one line, and where it stands
    listed: Listed,
    said: dict[str, Any],
    writer: str,
    signed: bool,  # noqa: FBT001 - likewise
    file: str,
    number: int,
    findings: Findings,
) -> None:
    name = str(said.get("file", ""))
    own = PARQUET.fullmatch(name.rpartition("/")[2])
    mine = own is not None and own[1] == writer
    match said.get("op"):
        case ledger.MADE if mine:
            listed.files[name] = str(said.get("sha256"))
            listed.gone.discard(name)
            listed.was[name] = str(said.get("was", ""))
            (listed.vouched.add if signed else listed.vouched.discard)(name)
            if said.get("why") in DROPS:
                (listed.dropped if signed else listed.unsigned_drops).add(name)
        case ledger.GONE if mine:
            listed.files.pop(name, None)
            listed.vouched.discard(name)
            listed.gone.add(name)
            if said.get("why") in DROPS:
                (listed.dropped if signed else listed.unsigned_drops).add(name)
        case ledger.WRITER:
            listed.writers.add(str(said.get("writer")))
        case ledger.CHANGED:
            findings.problem(
                "journal-changed",
                "The gateway itself found that somebody had written into a journal",
                writer=writer,
                seq=_whole(said.get("first")),
                time=str(said.get("ts", "")),
                file=name,
                expected=str(said.get("expected", "")),
                found=str(said.get("sha256", "")),
            )
        case "made" | "gone":
            findings.problem(
                "ledger-unreadable",
                "A line of the ledger names a file that is not this writer's",
                writer=writer,
                file=file,
                at=f"line {number}",
            )
        case _:
            pass  # a later proctor's, signed as the others are


def _order(listed: Listed, said: Iterable[dict[str, Any]]) -> None:
    """How far content and records came in files: each journal's records go there first."""
    records = -1
    for each in said:
        match = PARQUET.fullmatch(str(each.get("file", "")).rpartition("/")[2])
        if match is None or each.get("op") != ledger.MADE or each.get("why") != "journal":
            continue
        if str(each["file"]).startswith(f"{SEGMENTS}/"):
            records = max(records, int(match[4]))
        elif int(match[4]) > listed.block:
            listed.block, listed.record = int(match[4]), records


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def check_files(
    shot: Snapshot,
    listed: dict[str, Listed],
    hashes: dict[str, str],
    ended: set[str],
    findings: Findings,
) -> set[str]:
    """Compares the files that are there with those on the ledgers.

    Args:
        shot: What is there.
        listed: What the ledgers say, by writer.
        hashes: SHA-256 of each file, hex, by name.
        ended: Writers that said that they ended: nothing of theirs is under way.
        findings: Takes what is wrong.

    Returns:
        Files that are, byte for byte, what a signed line says.
    """
    vouched = set[str]()
    for file in shot.files:
        of = listed.get(file.writer, Listed())
        if file.name not in hashes:
            continue  # it could not be read, which has been said
        if file.name in of.files:
            if hashes[file.name] == of.files[file.name]:
                if file.name in of.vouched:
                    vouched.add(file.name)
            elif hashes[file.name] == of.was[file.name] and file.writer not in ended:
                findings.notice(
                    "file-waiting",
                    "What the ledger announces of a file was not done yet",
                    writer=file.writer,
                    file=file.name,
                )
            else:
                findings.problem(
                    "file-changed",
                    "A file is not what the ledger says",
                    writer=file.writer,
                    seq=file.first if file.kind == "segments" else None,
                    file=file.name,
                    expected=f"SHA-256 {of.files[file.name]}",
                    found=f"SHA-256 {hashes[file.name]}",
                )
        else:
            _unlisted(file, of, file.writer in ended, findings)
    for name in _missing(shot.files, listed.values()):
        findings.problem(
            "file-missing",
            "A file that is on the ledger is not there",
            writer=name.rpartition("/")[2].partition("-")[0],
            file=name,
        )
    return vouched


def _unlisted(file: File, listed: Listed, ended: bool, findings: Findings) -> None:  # noqa: FBT001 - a fact
    say = findings.problem if ended else findings.notice
    what = "is gone, as the ledger says," if file.name in listed.gone else "is not on the ledger"
    say(
        "file-unlisted",
        f"A file that {what} is there"
        if file.name in listed.gone
        else "A file is there that is not on the ledger",
        writer=file.writer,
        file=file.name,
        expected="nothing" if file.name in listed.gone else "a line that says who made it",
        found=what,
    )


def _missing(files: Iterable[File], listed: Iterable[Listed]) -> list[str]:
    there = {file.name for file in files}
    return sorted(name for each in listed for name in each.files if name not in there)
