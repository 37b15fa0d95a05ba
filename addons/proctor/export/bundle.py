# ruff: noqa: S608 - made of this package's own names and quoted paths
"""Bundles: the record, or a part of it, so that it opens and verifies on another machine.

A bundle is laid out as a record. Records and content that were chosen are there, written anew; all
other records by their leaf alone, so that the tree still gives every root that was signed.
docs/evidence-format.md says what stands where.
"""

import json
import mmap
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.audit import views
from proctor.audit.envelope import BEGIN_HEAD, timestamp
from proctor.audit.reader import numbers
from proctor.audit.segments import Segment, Workshop
from proctor.audit.state import Bounds, State
from proctor.audit.steady import mark, steadily
from proctor.audit.store import CONTENT, SEGMENTS, Store, sync_folder
from proctor.errors import ClientError
from proctor.evidence import copied, cosigned, keys, leaves, ledger, sealer
from proctor.evidence.copying import copy, copy_lines, write
from proctor.evidence.hot import all_leaves
from proctor.evidence.standing import RETIRED
from proctor.evidence.statement import Statement
from proctor.export.files import Draft, unwritable
from proctor.export.records import Choice, known, reading
from proctor.tlog.proof import Leaves
from proctor.tlog.tree import HASH_SIZE, Frontier, leaf_hash

NOTE: Final = "bundle.json"
VERSION: Final = 1
SUFFIX: Final = ".tar.zst"
_MEMORY = "512MB"
_ROWS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048"
_BATCH = 2048
_CHUNK = 1 << 16
_CHOSEN = """writer = $writer AND seq < $size
    AND ($session IS NULL OR starts_with(session_id, $session))
    AND ($principal IS NULL OR principal = $principal OR subject = $principal)
    AND ($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"""

_README = """\
A part of a record that proctor kept, with its evidence
=======================================================

Store {store}, made {made}.
{what}

1. Check it. KEY is the public key that signs this record. Get it from somebody you trust, not from
   this folder: whoever could change the records could change the keys beside them.

     proctor verify . --key KEY

2. Ask it, with proctor or with any DuckDB (from this folder, since the views name files in it):

     proctor query --audit . "SELECT ts, principal, host, path, verdict FROM flows ORDER BY ts"
     duckdb audit.duckdb "SELECT * FROM decisions ORDER BY ts"

3. Read a session as a conversation:

     proctor show --audit . SESSION

What every file is, and how to check all of this without proctor, stands in proctor's source, in
docs/evidence-format.md. bundle.json says which records are here; all others are here by their hash.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that is whole.

    Attributes:
        path: The folder or file.
        records: That are in it.
        left_out: That are in it by their leaf alone.
        blocks: Of content.
        absent: Blocks that are referred to and are no longer on record.
    """

    path: Path
    records: int
    left_out: int
    blocks: int
    absent: int


@dataclass(slots=True, kw_only=True)
class _Part:
    """One writer's."""

    writer: str
    size: int = 0
    tree: Frontier = field(default_factory=Frontier)
    runs: list[tuple[int, int]] = field(default_factory=list)
    wanted: set[tuple[str, int]] = field(default_factory=set)
    open: dict[int, bytes] = field(default_factory=dict)
    blocks: int = 0
    absent: int = 0

    @property
    def records(self) -> int:
        return sum(last - first + 1 for first, last in self.runs)


def write_bundle(  # noqa: PLR0913 - what it takes, by name
    record: Path,
    target: Path,
    choice: Choice,
    now: float,
    *,
    put_on_record: Callable[[Mapping[str, object]], None],
    key: Ed25519PrivateKey | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Writes a bundle, whole or not at all; gateways may write the record meanwhile.

    Args:
        record: The store's folder.
        target: A folder that is not there yet, or a file of the name `….tar.zst`.
        choice: Which records; `kinds` is passed over.
        now: Seconds since the epoch.
        put_on_record: Told what is in it before anybody has it.
        key: The record's, which signs what the bundle is; without it that proves nothing.
        step: Told of each part of it.

    Raises:
        ConfigurationError: Codes `store-missing`, `store-unreadable`.
        ClientError: Codes `output-exists`, `output-unwritable`, `bundle-unsigned`, `bundle-wrong`,
            `session-unknown`, `principal-unknown`.
    """
    target = target.absolute()
    if target.exists():
        raise ClientError(
            "output-exists",
            "There is something of that name already",
            got=str(target),
            hint="Name another; a bundle replaces nothing.",
        )
    with reading(record) as reader:
        known(reader, choice)
    try:
        draft = Path(mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise unwritable(target, error) from None
    try:
        parts = _Making(Store.at(record), draft, choice, step).run(now)
        if key:
            copied.sign(draft, NOTE, key, now)
        found = Bundle(
            path=target,
            records=sum(part.records for part in parts),
            left_out=sum(part.size - part.records for part in parts),
            blocks=sum(part.blocks for part in parts),
            absent=sum(part.absent for part in parts),
        )
        step("writing")
        told = {"records": found.records, "left_out": found.left_out}
        if target.name.endswith(SUFFIX):
            _pack(draft, target, lambda: put_on_record(told))
        else:
            put_on_record(told)
            draft.rename(target)
            sync_folder(target.parent)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return found


class _Making:
    """Makes one bundle in a folder of its own."""

    def __init__(
        self, source: Store, draft: Path, choice: Choice, step: Callable[[str], None]
    ) -> None:
        self._source = source
        self._draft = draft
        self._choice = choice
        self._step = step
        self._tmp = draft / ".tmp"

    def run(self, now: float) -> list[_Part]:
        for folder in (SEGMENTS, CONTENT, keys.FOLDER, "writers", self._tmp.name):
            (self._draft / folder).mkdir(mode=0o700)
        folders = [path for path in self._source.writers.iterdir() if path.name[1:].isdecimal()]
        parts = [self._evidence(path) for path in sorted(folders)]
        for path in sorted((self._source.path / keys.FOLDER).glob("*.note")):
            copy(path, self._draft / keys.FOLDER / path.name)
        copy(self._source.path / "store.json", self._draft / "store.json")
        with duckdb.connect(config={"threads": 2, "memory_limit": _MEMORY}) as database:
            database.execute(f"SET temp_directory = {views.quote(str(self._tmp))}")
            for statement in views.statements(self._source.path):
                database.execute(statement)
            mark(database, self._source.path)
            for part in parts:
                self._step(part.writer)
                if part.size:
                    self._records(database, part)
                    self._content(database, part)
                self._state(part)
        self._shown()
        self._notes(parts, now)
        shutil.rmtree(self._tmp)
        for path in self._draft.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        return parts

    def _evidence(self, folder: Path) -> _Part:
        """Copies what was signed; the ledger after the checkpoints that speak of it."""
        target = self._draft / "writers" / folder.name
        target.mkdir(mode=0o700)
        for name in (cosigned.NAME, sealer.NAME, ledger.NAME, RETIRED):
            copy_lines(folder / name, target / name)
        last = sealer.newest(target)
        if last is None and any(path.stat().st_size for path in folder.glob("[0-9]*.jsonl")):
            raise ClientError(
                "bundle-unsigned",
                "There is no checkpoint of these records yet, so a bundle would prove nothing",
                got=folder.name,
                hint="Start the gateway once; it signs what is there.",
            )
        part = _Part(writer=folder.name, size=last.size if last else 0)
        source = all_leaves(folder, part.size)
        if (folder / RETIRED).exists():
            write(target / leaves.NAME, source(0, part.size))  # as far as they are there
            part.size = min(part.size, leaves.kept(target))
        elif last:
            self._leaves(target, source, last, part.tree)
        return part

    def _leaves(self, target: Path, source: Leaves, last: Statement, tree: Frontier) -> None:
        for first in range(0, last.size, _CHUNK):
            found = source(first, min(last.size, first + _CHUNK))
            leaves.write_leaves(target, first, found)
            tree.extend(found)
        if (tree.size, tree.root()) != (last.size, last.root):
            raise _wrong(target.name, "leaves that do not give the root that was signed")

    def _records(self, database: duckdb.DuckDBPyConnection, part: _Part) -> None:
        name = Segment(part.writer, 0, 0, part.size - 1).name
        path = self._draft / SEGMENTS / name
        parameters = self._choice.parameters()
        del parameters["kinds"]
        columns = ", ".join(f'"{column}"' for column in views.FIELDS)
        sql = f"""COPY (SELECT CAST(0 AS TINYINT) AS tier, {columns}, raw FROM _records
            WHERE {_CHOSEN} ORDER BY seq DESC) TO {views.quote(str(path))} ({_ROWS})"""
        given = {**parameters, "writer": part.writer, "size": part.size}
        steadily(database, lambda: database.execute(sql, given))
        self._look(path, part)
        if not part.runs:
            path.unlink()

    def _look(self, path: Path, part: _Part) -> None:
        """Reads what was written: which records, what they refer to, and whether they are right."""
        file = self._draft / "writers" / part.writer / leaves.NAME
        ended: set[int] = set()
        with file.open("rb") as handle:
            array = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
            with array:
                for seq, raw in _rows(path):
                    if leaf_hash(raw) != array[seq * HASH_SIZE : (seq + 1) * HASH_SIZE]:
                        raise _wrong(part.writer, f"a record, {seq}, that is not what was signed")
                    if part.runs and part.runs[-1][0] == seq + 1:
                        part.runs[-1] = (seq, part.runs[-1][1])
                    else:
                        part.runs.append((seq, seq))
                    envelope = json.loads(raw)
                    part.wanted.update(_references(envelope))
                    if raw.startswith(BEGIN_HEAD) and seq not in ended:
                        part.open[seq] = raw + b"\n"
                    elif isinstance(begin := envelope.get("begin_seq"), int):
                        ended.add(begin)
        part.runs.reverse()

    def _content(self, database: duckdb.DuckDBPyConnection, part: _Part) -> None:
        pairs = sorted(part.wanted)
        wanted = pa.table(
            {
                "scope": pa.array([scope for scope, _ in pairs], pa.string()),
                "no": pa.array([number for _, number in pairs], pa.int64()),
            }
        )
        root = self._source.path
        hot = views.blocks([str(root / "writers" / part.writer / "[0-9]*.jsonl")])
        cold = views.quote(str(root / CONTENT / "*.parquet"))
        columns = views.BLOCK_COLUMNS
        # The same line may be in a journal and in files.
        made = self._tmp / "content.parquet"
        database.register("wanted", wanted)
        try:
            sql = f"""COPY (SELECT CAST(0 AS TINYINT) AS tier, {columns} FROM (
                SELECT DISTINCT ON (n) {columns} FROM (
                    SELECT {columns} FROM ({hot})
                    UNION ALL SELECT {columns} FROM read_parquet({cold})) c
                WHERE c.writer = $writer AND (
                    (c."scope", c."no") IN (SELECT ("scope", "no") FROM wanted)
                    OR (c."no" IS NULL AND c."scope" IN (SELECT "scope" FROM wanted))))
                ORDER BY n DESC) TO {views.quote(str(made))} ({_ROWS})"""
            steadily(database, lambda: database.execute(sql, {"writer": part.writer}))
        finally:
            database.unregister("wanted")
        table = pq.read_table(made, columns=["n", "no"])
        part.blocks = table.num_rows - table.column("no").null_count
        part.absent = len(pairs) - part.blocks
        if table.num_rows:
            name = Segment(part.writer, 0, 0, table.column("n")[0].as_py()).name
            made.rename(self._draft / CONTENT / name)

    def _state(self, part: _Part) -> None:
        """What the views need: every record counts, and lies in a file of the lowest tier."""
        folder = self._draft / "writers" / part.writer
        state = State(writer=part.writer, segments=Bounds([part.size - 1, -1, -1]))
        state.content = Bounds([2**62, -1, -1])
        if part.size:
            state.peaks = [peak.hex() for peak in part.tree.peaks]
            state.leaf = leaves.read_leaves(folder, part.size - 1, 1).hex()
        state.write(folder, self._tmp)
        write(folder / "0.jsonl", b"")
        write(folder / "open.jsonl", b"".join(part.open[seq] for seq in sorted(part.open)))

    def _shown(self) -> None:
        """Views that name files by their place in the bundle."""
        workshop = Workshop(Store.at(self._draft), self._tmp)
        try:
            workshop.seed()
        finally:
            workshop.close()
        made = self._tmp / "audit.duckdb"
        statements = views.statements(Path())
        with duckdb.connect() as database:
            database.execute(f"SET file_search_path = {views.quote(str(self._draft))}")
            database.execute(f"ATTACH {views.quote(str(made))} AS fresh (STORAGE_VERSION 'v1.0.0')")
            database.execute("USE fresh")
            for statement in statements:
                database.execute(statement)
            database.execute("USE memory")
            database.execute("DETACH fresh")
        made.rename(self._draft / "audit.duckdb")
        write(self._draft / "views.sql", (";\n".join(statements) + ";\n").encode())

    def _notes(self, parts: list[_Part], now: float) -> None:
        store = self._source.id()
        chosen = {
            "session": self._choice.session,
            "principal": self._choice.principal,
            "since": self._choice.since and timestamp(self._choice.since.timestamp()),
            "until": self._choice.until and timestamp(self._choice.until.timestamp()),
        }
        note = {
            "bundle": VERSION,
            "store": store,
            "made": timestamp(now),
            "filter": chosen,
            "records": {part.writer: {"size": part.size, "kept": part.runs} for part in parts},
            "content": {
                "blocks": sum(part.blocks for part in parts),
                "absent": sum(part.absent for part in parts),
            },
        }
        write(self._draft / NOTE, json.dumps(note, indent=1).encode() + b"\n")
        said = ", ".join(f"{name} {value}" for name, value in chosen.items() if value)
        what = f"Only records of: {ascii(said)[1:-1]}." if said else "All records are here."
        text = _README.format(store=store, made=timestamp(now)[:19] + "Z", what=what)
        write(self._draft / "README.txt", text.encode())


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_BATCH, columns=["seq", "raw"]):
            yield from (
                (seq, raw.encode())
                for seq, raw in zip(
                    batch.column("seq").to_pylist(), batch.column("raw").to_pylist(), strict=True
                )
            )


def _references(value: Any) -> Iterator[tuple[str, int]]:
    """The blocks that an envelope refers to."""
    if isinstance(value, dict):
        scope, listed = value.get("scope"), value.get("blocks")
        if isinstance(scope, str) and isinstance(listed, str) and "enc" in value:
            yield from ((scope, number) for number in numbers(listed))
            return
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def _pack(draft: Path, target: Path, put_on_record: Callable[[], None]) -> None:
    output = Draft(target)
    with output.open() as file:
        # One folder in it, so that it unpacks into a place of its own.
        top = target.name.removesuffix(SUFFIX)
        with (
            zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in (draft, *sorted(draft.rglob("*"))):
                name = os.path.join(top, path.relative_to(draft))  # noqa: PTH118 - of the archive
                archive.add(path, name, recursive=False, filter=_nobodys)
        put_on_record()
        output.publish(file)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _wrong(writer: str, got: str) -> ClientError:
    return ClientError(
        "bundle-wrong",
        "The record is not what its checkpoints say, so no bundle is made of it",
        got=f"{writer}: {got}",
        hint="`proctor verify` says more. Keep the folder as it is: it may be evidence.",
    )
