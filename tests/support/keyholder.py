"""What leaves a record that is whole in itself: then what was kept elsewhere tells, or the time.

Most of it takes the record's key.

A checkpoint that was kept is of the record as it was before it was changed.
"""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.evidence.keys import KEY_FILE, read_key
from proctor.evidence.statement import Statement
from proctor.tlog.note import Signer, parse_note, signed

type Kept = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What there is of a record beside the record.

    Attributes:
        state: Proctor's folder, with the key.
        older: The record as it once was.
        other: That, written on by the same key: another history.
    """

    state: Path
    older: Path
    other: Path

    @property
    def key(self) -> Ed25519PrivateKey:
        """The record's."""
        return read_key(self.state / KEY_FILE)


type Holder = Callable[[Path, random.Random, Past], tuple[str, Kept]]

HOLDERS: dict[str, Holder] = {}
"""Kinds of change: what was done, and what was kept elsewhere."""


def holder(name: str) -> Callable[[Holder], Holder]:
    """Names a kind of change."""

    def put(function: Holder) -> Holder:
        HOLDERS[name] = function
        return function

    return put


def _logs(path: Path) -> list[Path]:
    return sorted(path.glob("writers/*/checkpoints.jsonl"))


def _said(line: bytes) -> Statement:
    return Statement.parse(parse_note(json.loads(line)).text)


def _line(said: Statement, key: Ed25519PrivateKey) -> bytes:
    return json.dumps(str(signed(str(said), [Signer(said.origin, key)]))).encode() + b"\n"


def _kept(path: Path, chance: random.Random, older: Path) -> Kept:
    """A checkpoint that is newer than a copy."""
    newer = [
        line
        for log in _logs(path)
        for line in log.read_bytes().splitlines()
        if line not in (older / log.relative_to(path)).read_bytes()
    ]
    return (("kept", json.loads(chance.choice(newer))),)


def _exchange(path: Path, other: Path) -> None:
    shutil.rmtree(path)
    shutil.copytree(other, path)


@holder("put an older copy of all back")
def put_all_back(path: Path, chance: random.Random, past: Past) -> tuple[str, Kept]:
    """Whole in itself."""
    kept = _kept(path, chance, past.older)
    _exchange(path, past.older)
    return f"kept: {kept[0][1].splitlines()[:2]}", kept


@holder("write on an older copy of all")
def write_on(path: Path, chance: random.Random, past: Past) -> tuple[str, Kept]:
    """Another history, whole in itself."""
    kept = _kept(path, chance, past.older)
    _exchange(path, past.other)
    return f"kept: {kept[0][1].splitlines()[:2]}", kept


def cut_off(log: Path, last: Statement, lines: list[bytes]) -> None:
    """Leaves these checkpoints, and the records in journals that the last one covers."""
    log.write_bytes(b"".join(lines))
    for file in log.parent.glob("[0-9]*.jsonl"):
        kept = [
            line
            for line in file.read_bytes().splitlines(keepends=True)
            if not line.startswith(b'{"v":1') or json.loads(line)["seq"] < last.size
        ]
        file.write_bytes(b"".join(kept))


@holder("cut a writer back to where it once ended")
def cut_back(path: Path, chance: random.Random, past: Past) -> tuple[str, Kept]:
    """Takes no key; the ledger of that time is not always put back with it."""
    del past
    ends = [
        (log, at)
        for log in _logs(path)
        for at, line in enumerate(log.read_bytes().splitlines()[:-1])
        if _said(line).due is None
    ]
    log, at = chance.choice(ends)
    lines = log.read_bytes().splitlines(keepends=True)
    kept = (("kept", json.loads(chance.choice(lines[at + 1 :]))),)
    last = _said(lines[at])
    cut_off(log, last, lines[: at + 1])
    ledger = log.with_name("ledger.jsonl")
    if chance.random() < 0.5:
        said = ledger.read_bytes().splitlines(keepends=True)
        ledger.write_bytes(b"".join(said[: last.ledger.count]))
    return f"{log.parent.name} after line {at + 1}", kept


@holder("a second history, signed with the key")
def fork_by_key(path: Path, chance: random.Random, past: Past) -> tuple[str, Kept]:
    """A checkpoint of some size that was signed before, with another root."""
    log = chance.choice(_logs(path))
    lines = log.read_bytes().splitlines(keepends=True)
    at = chance.choice([at for at, line in enumerate(lines) if _said(line).size])
    last = _said(lines[at])
    said = replace(last, root=chance.randbytes(32), after=last.hash)
    log.write_bytes(b"".join([*lines[: at + 1], _line(said, past.key)]))
    return f"{log.parent.name} after line {at + 1}", ()


@holder("hide with the key that there was no gateway for a time")
def hide_a_gap(path: Path, chance: random.Random, past: Past) -> tuple[str, Kept]:
    """Checkpoints go, and the next one comes later than was promised."""
    log = chance.choice(_logs(path))
    lines = log.read_bytes().splitlines(keepends=True)
    at = chance.choice([at for at, line in enumerate(lines) if _said(line).due])
    before, last = _said(lines[at]), _said(lines[-1])
    assert before.due is not None
    late = before.due + timedelta(seconds=chance.randint(60, 3600))
    said = replace(last, time=late, due=None, after=before.hash)
    log.write_bytes(b"".join([*lines[: at + 1], _line(said, past.key)]))
    return f"{log.parent.name} after line {at + 1}", ()
