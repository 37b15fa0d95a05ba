"""`proctor record prove`, `consistency`, `key` and `rotate`: what an outsider is handed."""

import json
import re
import time
from pathlib import Path
from typing import Annotated

import typer

from proctor.audit.inquiry import open_record
from proctor.audit.steady import steadily
from proctor.audit.store import Store
from proctor.cli.common import CONFIG, ConfigOption
from proctor.config import load
from proctor.errors import ClientError
from proctor.evidence import sealer
from proctor.evidence.hot import all_leaves
from proctor.evidence.keeping import rotate as rotate_key
from proctor.evidence.keys import origin_of_keys, read_trail
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.note import MAX_NOTE, Note, VerifierKey, parse_note
from proctor.tlog.proof import (
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
)
from proctor.tlog.prooffile import ConsistencyFile, InclusionFile
from proctor.tlog.tree import leaf_hash

_PLACE = re.compile(r"(w\d{1,6}):(\d{1,18})")

OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="Left out: standard output.")]


def prove(
    what: Annotated[str, typer.Argument(metavar="FLOW|WRITER:SEQ", help="Which record.")],
    *,
    out: OutOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write a proof that a record is in the log, for somebody who has only the public key.

    Of a flow, its end; the record itself is in the file.

    \b
    proctor record prove 0190b4c1-… -o flow.tlog-proof
    proctor verify --proof flow.tlog-proof --key record-key.vkey
    """  # noqa: D301 - \b keeps typer from joining the lines
    path = load(config).audit.path
    writer, seq, raw = _find(path, what)
    folder = path / "writers" / writer
    note = _newest(folder)
    size = Checkpoint.parse(note.text).size
    if seq >= size:
        raise ClientError(
            "proof-too-early",
            "No checkpoint covers this record yet",
            got=f"record {seq}",
            expected=f"one of the first {size}",
            hint="Try again in a minute, with the gateway running.",
        )
    hashes = inclusion_proof(all_leaves(folder, size), seq, size)
    check_inclusion(leaf_hash(raw), seq, size, hashes, Checkpoint.parse(note.text).root)
    _put(str(InclusionFile(index=seq, proof=hashes, note=note, extra=raw)), out)


def consistency(
    old: Annotated[Path, typer.Argument(help="A checkpoint that somebody has kept.")],
    new: Annotated[
        Path | None, typer.Argument(help="A later one; left out: the newest there is.")
    ] = None,
    *,
    out: OutOption = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write a proof that the log has only grown since a checkpoint.

    \b
    proctor record consistency kept.note -o growth.proof
    proctor verify --proof growth.proof --checkpoint kept.note --key record-key.vkey
    """  # noqa: D301 - \b keeps typer from joining the lines
    path = load(config).audit.path
    before = Checkpoint.parse(_note(old).text)
    folder = _folder(path, before.origin)
    note = _note(new) if new else _newest(folder)
    after = Checkpoint.parse(note.text)
    if after.origin != before.origin or after.size < before.size:
        raise ClientError(
            "proof-backwards",
            "The second checkpoint does not come after the first",
            got=f"{after.size} records",
            expected=f"at least {before.size}, of the same log",
        )
    hashes = consistency_proof(all_leaves(folder, after.size), before.size, after.size)
    check_consistency(before.size, before.root, after.size, after.root, hashes)
    _put(str(ConsistencyFile(old=before.size, proof=hashes, note=note)), out)


def key(*, config: ConfigOption = CONFIG) -> None:
    """Print the public keys of the record, the one in force last.

    \b
    proctor record key | tail -1 > record-key.vkey
    """  # noqa: D301 - \b keeps typer from joining the lines
    path = load(config).audit.path
    store_id = Store.at(path).id()
    for step in read_trail(path, store_id):
        typer.echo(str(VerifierKey(origin_of_keys(store_id), step.public)))


def rotate(*, config: ConfigOption = CONFIG) -> None:
    """Make a new key, signed in by the old one, which is destroyed. Old keys still verify.

    A gateway that runs goes on with the new key by itself.

    \b
    proctor record rotate
    """  # noqa: D301 - \b keeps typer from joining the lines
    settings = load(config)
    store = Store.at(settings.audit.path)
    step = rotate_key(store, settings.state, time.time())
    typer.echo(str(VerifierKey(origin_of_keys(store.id()), step.public)))
    typer.echo(f"This is key number {step.number}. Keep it where you keep the others.", err=True)
    if any(each.witness for each in settings.audit.anchors):
        typer.echo(
            "Witnesses refuse checkpoints by it until they know it. On each of them:"
            " proctor witness log add KEY. It is taken within a second.",
            err=True,
        )


_RECORD = "SELECT writer, seq, raw FROM _records WHERE"


def _find(path: Path, what: str) -> tuple[str, int, bytes]:
    """Writer, number and bytes of a record."""
    match = _PLACE.fullmatch(what)
    sql, given = f"{_RECORD} flow_id = ? ORDER BY kind = 'flow.end' DESC, ts DESC LIMIT 1", [what]
    if match:
        sql = f"{_RECORD} writer = ? AND seq = CAST(? AS BIGINT)"
        given = [match[1], match[2]]
    with open_record(path) as database:
        rows = steadily(database, lambda: database.execute(sql, given).fetchall())
    if not rows:
        raise ClientError(
            "record-unknown",
            "There is no such record",
            expected="the id of a flow, or a writer and a number such as w0:1234",
            status=404,
        )
    writer, seq, raw = rows[0]
    return writer, seq, raw.encode()


def _folder(path: Path, origin: str) -> Path:
    store_id, _, writer = origin.removeprefix("proctor/").partition("/")
    folder = path / "writers" / writer
    if store_id != Store.at(path).id() or not re.fullmatch(r"w\d{1,6}", writer):
        raise ClientError(
            "checkpoint-foreign",
            "The checkpoint is of another record",
            expected=f"proctor/{Store.at(path).id()}/…",
        )
    return folder


def _newest(folder: Path) -> Note:
    """The newest whole checkpoint of a writer."""
    try:
        data = (folder / sealer.NAME).read_bytes()
    except FileNotFoundError:
        data = b""
    line = data[: data.rfind(b"\n") + 1].rstrip(b"\n").rpartition(b"\n")[2]
    if not line:
        raise ClientError(
            "checkpoint-missing", "Nothing has been signed yet", expected="a gateway that has run"
        )
    return parse_note(json.loads(line))


def _note(path: Path) -> Note:
    with path.open("rb") as source:
        return parse_note(source.read(MAX_NOTE + 1).decode("utf-8", "replace"))


def _put(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        out.write_text(text)
