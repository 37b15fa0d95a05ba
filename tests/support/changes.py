# ruff: noqa: S608 - made of the tests' own names
"""Every way in which somebody might change a record, who has not got its key."""

import json
import random
import re
import shutil
from base64 import b64encode
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import duckdb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit.envelope import Chain, timestamp
from proctor.audit.store import Store
from proctor.evidence import copied
from proctor.evidence.sealer import newest
from proctor.evidence.statement import Statement
from proctor.tlog.note import Signer, parse_note, signed
from proctor.tlog.tree import leaf_hash, root_of
from tests.support.keyholder import cut_off

type Change = Callable[[Path, random.Random], str]

CHANGES: dict[str, Change] = {}
"""Kinds of change: each changes a record at a random place, and says what it did."""


def change(name: str) -> Callable[[Change], Change]:
    """Names a kind of change."""

    def put(function: Change) -> Change:
        CHANGES[name] = function
        return function

    return put


def evidence(path: Path) -> list[Path]:
    """Files that bear evidence, and are not empty.

    Out of scope, for a changed byte there alters nothing that anybody relies on: `lock`, `tmp`,
    `*.torn`, `seed.parquet` (verify sees to it that it has no rows), the unused pages of
    audit.duckdb (its definitions are compared), and `cosignatures.jsonl` (witnesses' keys are not
    the verifier's).
    """
    found = [path / "store.json", *sorted((path / "keys").glob("*.note"))]
    found += sorted(file for kind in ("segments", "content") for file in (path / kind).glob("w*"))
    for writer in sorted((path / "writers").iterdir()):
        found += sorted(writer.glob("[0-9]*.jsonl"))
        found += [writer / name for name in ("checkpoints.jsonl", "ledger.jsonl", "leaves")]
        found += [writer / name for name in ("state.json", "open.jsonl")]
    return [file for file in found if file.exists() and file.stat().st_size]


def _pick(path: Path, chance: random.Random, pattern: str) -> Path:
    return chance.choice([file for file in sorted(path.glob(pattern)) if file.stat().st_size])


def _name(file: Path, path: Path) -> str:
    return file.relative_to(path).as_posix()


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


_KINDS = (b'{"v', b'{"c')


def _number(line: bytes) -> tuple[str, int]:
    said = json.loads(line)
    return ("seq", said["seq"]) if "seq" in said else ("n", said["n"])


def _needed(file: Path) -> bool:
    """Whether something is in this file alone: a journal's lines may all be in Parquet by now.

    The gateway itself then takes the journal away some time later, so that changes nothing.
    """
    if not file.stem.isdecimal() or file.suffix != ".jsonl":
        return True
    last = json.loads((file.parent / "state.json").read_bytes())["levels"]
    ends = {"seq": last["segments"][0], "n": last["content"][0]}
    return any(number > ends[kind] for kind, number in map(_number, _lines(file)))


def _sized(file: Path) -> bool:
    return file.stat().st_size > 0 and _needed(file)


def _records(lines: list[bytes]) -> list[int]:
    return [at for at, line in enumerate(lines) if line.startswith(b'{"v":1')]


@change("flip a byte")
def flip(path: Path, chance: random.Random) -> str:
    """One bit of one byte of any file that bears evidence."""
    file = chance.choice(evidence(path))
    data = bytearray(file.read_bytes())
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    return f"{_name(file, path)} byte {at}"


@change("change a name in a journal or of its bounds")
def rename(path: Path, chance: random.Random) -> str:
    """One bit of the name of a member, so that who looks for it does not find it."""
    files = [*path.glob("writers/*/[0-9]*.jsonl"), *path.glob("writers/*/state.json")]
    file = chance.choice(sorted(each for each in files if each.stat().st_size))
    data = bytearray(file.read_bytes())
    names = [match.span(1) for match in re.finditer(rb'[{,]"([a-z_0-9]+)":', data)]
    at = chance.randrange(*chance.choice(names))
    data[at] ^= 1 << chance.randrange(3)
    file.write_bytes(data)
    return f"{_name(file, path)} byte {at}"


@change("edit a record in a journal")
def edit(path: Path, chance: random.Random) -> str:
    """Another host in one record, JSON as it should be."""
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    at = chance.choice(_records(lines))
    lines[at] = lines[at].replace(b'"ts":"20', b'"ts":"19', 1)
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} line {at + 1}"


@change("edit a record in a journal and mend the chain after it")
def rewrite(path: Path, chance: random.Random) -> str:
    """As one who has no key, and all the patience in the world."""
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    start = chance.choice(_records(lines))
    prev = ""
    for at in [each for each in _records(lines) if each >= start]:
        said = json.loads(lines[at])
        if at == start:
            said["ts"] = "1999" + said["ts"][4:]
        elif prev:
            said["prev"] = prev
        lines[at] = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        prev = leaf_hash(lines[at][:-1]).hex()
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} from line {start + 1}"


@change("delete a line of a journal")
def delete(path: Path, chance: random.Random) -> str:
    """A record or a block; not the first one of all, of which a segment may have the only copy."""
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    others = [line for each in file.parent.glob("[0-9]*.jsonl") for line in _lines(each)]
    first = {min(_number(line) for line in others if line[:3] == kind) for kind in _KINDS}
    at = chance.randrange(len(lines))
    if _number(lines[at]) in first:
        return delete(path, chance)
    del lines[at]
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} line {at + 1}"


@change("insert a line into a journal")
def insert(path: Path, chance: random.Random) -> str:
    """A copy of another one, or a record that never was."""
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    at = chance.randrange(len(lines) + 1)
    if chance.random() < 0.5:
        line = chance.choice(lines)
    else:
        chain = Chain(file.parent.name, chance.randrange(1000), "ab" * 32)
        line = chain.seal("event", 1e9, {"event_kind": "x", "detail": {}})
    lines.insert(at, line)
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} before line {at + 1}: {line[:70]!r}"


@change("reorder lines of a journal")
def reorder(path: Path, chance: random.Random) -> str:
    """Two records, or two blocks, in each other's place."""
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    kind = _records(lines)
    if len(kind) < 2:
        return delete(path, chance)
    one, other = chance.sample(kind, 2)
    lines[one], lines[other] = lines[other], lines[one]
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} lines {one + 1} and {other + 1}"


@change("cut a file short")
def truncate(path: Path, chance: random.Random) -> str:
    """Any file that bears evidence."""
    file = chance.choice([file for file in evidence(path) if _needed(file)])
    size = chance.randrange(file.stat().st_size)
    with file.open("r+b") as target:
        target.truncate(size)
    return f"{_name(file, path)} at {size}"


@change("cut off the end of a record and of its checkpoints")
def roll_back(path: Path, chance: random.Random) -> str:
    """As if the last records had never been: what truncation looks like without a kept head.

    Not to where the gateway once ended: what it was like then is whole (keyholder.py has that).
    """
    log = _pick(path, chance, "writers/*/checkpoints.jsonl")
    lines = _lines(log)
    said = [Statement.parse(parse_note(json.loads(line)).text) for line in lines]
    end = chance.choice([at for at, each in enumerate(said[:-1], 1) if each.due])
    cut_off(log, said[end - 1], lines[:end])
    return f"{_name(log, path)}: {end} checkpoints are left"


@change("edit a record that a segment holds in the journal only")
def disagree(path: Path, chance: random.Random) -> str:
    """Journal and segment then hold it differently."""
    files = []
    for file in sorted(path.glob("writers/*/[0-9]*.jsonl")):
        last = json.loads((file.parent / "state.json").read_bytes())["levels"]["segments"][0]
        lines = _lines(file)
        files += [(file, at) for at in _records(lines) if _number(lines[at])[1] <= last]
    if not files:
        return edit(path, chance)
    file, at = chance.choice(files)
    lines = _lines(file)
    lines[at] = lines[at].replace(b'"ts":"20', b'"ts":"19', 1)
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} line {at + 1}"


@change("delete a record and all that follows it in a journal")
def cut(path: Path, chance: random.Random) -> str:
    """At the end of a line, so that each line is whole."""
    file = chance.choice(
        [each for each in sorted(path.glob("writers/*/[0-9]*.jsonl")) if _sized(each)]
    )
    lines = _lines(file)
    at = chance.randrange(len(lines))
    file.write_bytes(b"".join(lines[:at]))
    return f"{_name(file, path)} before line {at + 1}"


@change("take out a checkpoint")
def forget(path: Path, chance: random.Random) -> str:
    """Any of them."""
    log = _pick(path, chance, "writers/*/checkpoints.jsonl")
    lines = _lines(log)
    at = chance.randrange(len(lines))
    del lines[at]
    log.write_bytes(b"".join(lines))
    return f"{_name(log, path)} line {at + 1}"


@change("change a checkpoint and sign it with another key")
def resign(path: Path, chance: random.Random) -> str:
    """The right name, the wrong key."""
    log = _pick(path, chance, "writers/*/checkpoints.jsonl")
    lines = _lines(log)
    at = chance.randrange(len(lines))
    note = parse_note(json.loads(lines[at]))
    signer = Signer(note.text.partition("\n")[0], Ed25519PrivateKey.generate())
    lines[at] = json.dumps(str(signed(note.text, [signer]))).encode() + b"\n"
    log.write_bytes(b"".join(lines))
    return f"{_name(log, path)} line {at + 1}"


@change("a second history, signed with another key")
def fork(path: Path, chance: random.Random) -> str:
    """A checkpoint of the same size over other records, put after the last."""
    log = _pick(path, chance, "writers/*/checkpoints.jsonl")
    lines = _lines(log)
    said = Statement.parse(parse_note(json.loads(lines[-1])).text)
    text = str(said).replace(
        b64encode(said.root).decode(), b64encode(root_of(chance.randbytes(64))).decode()
    )
    signer = Signer(said.origin, Ed25519PrivateKey.generate())
    log.write_bytes(b"".join([*lines, json.dumps(str(signed(text, [signer]))).encode() + b"\n"]))
    return _name(log, path)


@change("take a file away")
def remove(path: Path, chance: random.Random) -> str:
    """One file, or a whole writer."""
    writers = sorted((path / "writers").iterdir())
    others = {"open.jsonl", "store.json"}
    files = [file for file in evidence(path) if file.name not in others and _needed(file)]
    file = chance.choice([*files, *writers])
    shutil.rmtree(file) if file.is_dir() else file.unlink()
    return _name(file, path)


@change("swap two files")
def swap(path: Path, chance: random.Random) -> str:
    """Two segments, or two files of content."""
    kind = chance.choice(["segments", "content"])
    one, other = chance.sample(sorted((path / kind).glob("w*.parquet")), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{_name(one, path)} and {_name(other, path)}"


def _sql(path: Path | str = ":memory:") -> duckdb.DuckDBPyConnection:
    """A database that draws no bars where there is no terminal."""
    database = duckdb.connect(str(path))
    database.execute("SET enable_progress_bar = false")
    return database


def remake(file: Path, select: str) -> None:
    """Writes a file anew, as a query over its rows makes them."""
    with _sql() as database:
        rows = f"(SELECT * FROM read_parquet('{file}'))"
        made = file.with_suffix(".new")
        database.execute(f"COPY ({select.format(rows=rows)}) TO '{made}' (FORMAT parquet)")
    made.replace(file)


@change("edit only a column of a segment")
def edit_column(path: Path, chance: random.Random) -> str:
    """The verdict that SQL shows, not the record."""
    file = _pick(path, chance, "segments/w*.parquet")
    column = chance.choice(["verdict", "host", "subject", "reason"])
    remake(file, f"SELECT * REPLACE ('x' AS {column}) FROM {{rows}}")
    return f"{_name(file, path)} {column}"


@change("edit a record of a segment and its columns")
def edit_segment(path: Path, chance: random.Random) -> str:
    """Both alike."""
    file = _pick(path, chance, "segments/w*.parquet")
    remake(
        file,
        "SELECT * REPLACE (replace(raw, 'api.internal', 'api.elsewhere') AS raw,"
        " 'api.elsewhere' AS host) FROM {rows}",
    )
    return _name(file, path)


@change("edit a record of a segment and mend the ledger")
def edit_listed(path: Path, chance: random.Random) -> str:
    """The ledger's own line as well, but for what was signed of it."""
    from proctor.evidence.ledger import digest_of  # noqa: PLC0415 - one use

    file = _pick(path, chance, "segments/w*.parquet")
    before = digest_of(file)
    remake(file, "SELECT * REPLACE ('x' AS verdict) FROM {rows}")
    for ledger in path.glob("writers/*/ledger.jsonl"):
        ledger.write_bytes(ledger.read_bytes().replace(before.encode(), digest_of(file).encode()))
    return _name(file, path)


@change("delete a row of a segment or of content")
def delete_row(path: Path, chance: random.Random) -> str:
    """One."""
    kind, number = chance.choice([("segments", "seq"), ("content", "n")])
    file = _pick(path, chance, f"{kind}/w*.parquet")
    first, last = map(int, file.stem.split("-")[-2:])
    which = chance.randint(first, last)
    remake(file, f"SELECT * FROM {{rows}} WHERE {number} <> {which}")
    return f"{_name(file, path)} {number} {which}"


@change("edit a block of content")
def edit_block(path: Path, chance: random.Random) -> str:
    """What somebody typed, in a journal or a file."""
    if chance.random() < 0.5:
        file = _pick(path, chance, "content/w*.parquet")
        remake(file, "SELECT * REPLACE (replace(text, 'says', 'sang') AS text) FROM {rows}")
        return _name(file, path)
    file = _pick(path, chance, "writers/*/[0-9]*.jsonl")
    lines = _lines(file)
    blocks = [at for at, line in enumerate(lines) if b'"text":"' in line]
    if not blocks:
        return edit_block(path, chance)
    at = chance.choice(blocks)
    lines[at] = lines[at].replace(b'"text":"', b'"text":"x', 1)
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} line {at + 1}"


@change("edit a block of content and its name in a journal")
def rename_block(path: Path, chance: random.Random) -> str:
    """As one who knows how names are made, with the salt that lies beside."""
    salts: dict[str, str] = {}
    for file in sorted(path.glob("content/w*.parquet")):
        with _sql() as database:
            found = f"SELECT \"scope\", salt FROM '{file}' WHERE salt IS NOT NULL"
            salts |= dict(database.execute(found).fetchall())
    there = []
    for file in sorted(path.glob("writers/*/[0-9]*.jsonl")):
        for at, line in enumerate(_lines(file)):
            said = json.loads(line)
            if "salt" in said:
                salts[said["scope"]] = said["salt"]
            if "text" in said and not said.get("b64"):
                there.append((file, at, said))
    file, at, said = chance.choice([each for each in there if each[2]["scope"] in salts])
    said["text"] = said["text"].replace("says", "sang") + "!"
    salt = bytes.fromhex(salts[said["scope"]])
    said["hash"] = blake2b(said["text"].encode(), key=salt, digest_size=16).hexdigest()
    lines = _lines(file)
    lines[at] = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    file.write_bytes(b"".join(lines))
    return f"{_name(file, path)} line {at + 1}"


@change("add a file that views read")
def add(path: Path, chance: random.Random) -> str:
    """Beside the others, under a name that is proctor's or is not."""
    kind = chance.choice(["segments", "content"])
    file = _pick(path, chance, f"{kind}/w*.parquet")
    name = chance.choice(["x.parquet", "w0-0-000000090000-000000090001.parquet", "seed.parquet"])
    shutil.copy(file, file.parent / name)
    return f"{kind}/{name}"


@change("change a view")
def lie(path: Path, chance: random.Random) -> str:
    """One that shows less than there is."""
    name = chance.choice(["flows", "events", "decisions", "_records"])
    with _sql(path / "audit.duckdb") as database:
        database.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT 1 AS seq WHERE false")
    return name


@change("change the bounds of the views")
def bounds(path: Path, chance: random.Random) -> str:
    """So that some records are shown nowhere, or twice."""
    file = _pick(path, chance, "writers/*/state.json")
    said = json.loads(file.read_bytes())
    tier = chance.choice(said["tiers"])
    name = chance.choice(["above", "upto"])
    tier[name] += chance.choice([-1, 1])
    file.write_bytes(json.dumps(said, separators=(",", ":")).encode())
    return f"{_name(file, path)} {tier}"


@change("drop records as if by retention")
def pretend(path: Path, chance: random.Random) -> str:
    """A file goes, and a line that nobody signed says that this was right."""
    file = _pick(path, chance, "segments/w*.parquet")
    writer = file.name.partition("-")[0]
    ledger = path / "writers" / writer / "ledger.jsonl"
    count = len(_lines(ledger))
    line = {"i": count, "ts": "2026-01-01T00:00:00.000000Z", "op": "gone"}
    line |= {"file": _name(file, path), "why": "retention"}
    with ledger.open("ab") as target:
        target.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
    file.unlink()
    return _name(file, path)


@change("cut off the end of a record and say that it is a copy")
def call_it_a_copy(path: Path, chance: random.Random) -> str:
    """Of the time of the last checkpoint that is left; signed by another key, or by none."""
    done = roll_back(path, chance)
    stands = [newest(writer) for writer in sorted((path / "writers").iterdir())]
    at = min(each.time for each in stands if each)
    note = {"backup": 1, "store": Store.at(path).id(), "at": timestamp(at.timestamp())}
    (path / "backup.json").write_text(json.dumps(note))
    if chance.random() < 0.5:
        copied.sign(path, "backup.json", Ed25519PrivateKey.generate(), at.timestamp())
    return done


@change("take out records and say that it is a bundle")
def call_it_a_bundle(path: Path, chance: random.Random) -> str:
    """In which what was taken out was left out."""
    file = _pick(path, chance, "segments/w*-1-*.parquet")
    file.unlink()
    first, last = map(int, file.stem.split("-")[-2:])
    sizes = {writer.name: newest(writer) for writer in sorted((path / "writers").iterdir())}
    records: dict[str, Any] = {
        name: {"size": last.size, "kept": [[0, last.size - 1]]}
        for name, last in sizes.items()
        if last
    }
    own = records[file.name.partition("-")[0]]
    runs = [[0, first - 1], [last + 1, own["size"] - 1]]
    own["kept"] = [run for run in runs if run[0] <= run[1]]
    note = {"bundle": 1, "made": timestamp(1.7e9), "records": records}
    (path / "bundle.json").write_text(json.dumps(note))
    return _name(file, path)


@change("exchange content between writers")
def exchange(path: Path, chance: random.Random) -> str:
    """What one keeps under the names of the other, numbers as they should be."""
    one, other = (_pick(path, chance, f"content/{writer}-*.parquet") for writer in ("w0", "w1"))
    first, last = other.stem.split("-")[-2:]
    data = one.read_bytes()
    other.write_bytes(data)
    remake(
        other,
        f"SELECT * REPLACE ('w1' AS writer, n + {int(first)} AS n) FROM {{rows}}"
        f" WHERE n + {int(first)} <= {int(last)}",
    )
    return f"{_name(one, path)} as {_name(other, path)}"


@change("put an old segment back")
def put_back(path: Path, chance: random.Random) -> str:
    """One that was merged away, as it was but for a word, or as it was."""
    file = _pick(path, chance, "segments/w*-1-*.parquet")
    writer = file.name.partition("-")[0]
    lines = [json.loads(line) for line in _lines(path / "writers" / writer / "ledger.jsonl")]
    gone = [each["file"] for each in lines if each["op"] == "gone" and "segments" in each["file"]]
    own = _name(file, path).replace("-1-", "-0-", 1)  # where what was merged has not gone yet
    target = path / chance.choice(gone or [own])
    first, last = map(int, target.stem.split("-")[-2:])
    shutil.copy(chance.choice(sorted(file.parent.glob(f"{writer}-1-*"))), target)
    changed = chance.choice(["'x' AS host", "0 AS tier"])
    remake(
        target,
        f"SELECT * REPLACE ({changed}) FROM {{rows}} WHERE seq BETWEEN {first} AND {last}",
    )
    return _name(target, path)


@change("erase content and forge the event that says so")
def forge_erasure(path: Path, chance: random.Random) -> str:
    """At the end of a journal, where no checkpoint covers it."""
    file = _pick(path, chance, "content/w*.parquet")
    with _sql() as database:
        rows = database.execute(f"SELECT DISTINCT \"scope\" FROM '{file}'").fetchall()
    folder = path / "writers" / file.name.partition("-")[0]
    journal = max(folder.glob("[0-9]*.jsonl"), key=lambda each: each.stat().st_size)
    before = [line for line in _lines(journal) if line.startswith(b'{"v":1')][-1]
    last = newest(folder)
    assert last is not None
    chain = Chain(folder.name, last.size, leaf_hash(before[:-1]).hex())
    detail = {"id": "er_0000000000000000", "scopes": [row[0] for row in rows]}
    with journal.open("ab") as target:
        target.write(chain.seal("event", 1.7e9, {"event_kind": "erasure", "detail": detail}))
    remake(file, "SELECT * FROM {rows} WHERE false")
    return _name(file, path)
