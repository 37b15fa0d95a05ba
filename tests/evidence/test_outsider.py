"""The format is as docs/evidence-format.md says: somebody else's verifier understands it."""

import ast
import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.evidence.backup import back_up
from proctor.evidence.hot import all_leaves
from proctor.evidence.keeping import rotate
from proctor.evidence.keys import KEY_FILE, origin_of, read_key, read_trail
from proctor.evidence.sealer import Every, Sealing, newest
from proctor.export.bundle import write_bundle
from proctor.export.records import Choice
from proctor.tlog.note import parse_note
from proctor.tlog.proof import inclusion_proof
from proctor.tlog.prooffile import InclusionFile
from tests.evidence import outsider
from tests.support.envelopes import ALICE, QUICK, begin, end, flow, run, turn, until

NOW = 1_800_000_000.0


def write(tmp_path: Path, flows: int = 15) -> Path:
    """Two writers, files and journals."""
    seal = Sealing(state=tmp_path / "state", every=Every(records=4, seconds=0.05, idle=0.2))
    files = tmp_path / "record/segments"

    async def main() -> None:
        for each in [
            await Recorder.open(tmp_path / "record", pace=QUICK, sealing=seal) for _ in range(2)
        ]:
            had = len(list(files.glob(f"{each.writer}-*")))
            for number in range(flows):
                name = f"s{number % 2}"
                scope = each.scope(ALICE, run(name))
                body = each.put(scope, f"{name} says {number} \xff ".encode("latin-1") * 9)
                more = flow("", run(name)) | {"turn": turn(body), "request": body.as_json()}
                del more["flow_id"]
                seq = await begin(each, f"f{number}", **more)
                await end(each, f"f{number}", seq, **more)
            await until(lambda: len(list(files.glob(f"{each.writer}-*"))) > had)  # noqa: B023 - awaited here
            await each.close()

    asyncio.run(main())
    return tmp_path / "record"


def key(tmp_path: Path) -> bytes:
    return read_key(tmp_path / "state" / KEY_FILE).public_key().public_bytes_raw()


def verified(path: Path, public: bytes) -> list[str]:
    """As somebody finds it an hour later."""
    return outsider.Verifier(path).verify(public, datetime.now(UTC) + timedelta(hours=1))


def test_it_shares_nothing_with_proctor() -> None:
    tree = ast.parse(Path(outsider.__file__).read_text())
    found = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    others = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
    assert others == {"cryptography", "pyarrow"}


def test_a_record_over_two_runs_and_two_keys(tmp_path: Path) -> None:
    record = write(tmp_path)
    first = key(tmp_path)
    rotate(Store.at(record), tmp_path / "state", NOW)
    write(tmp_path)
    assert key(tmp_path) != first
    assert verified(record, first) == []
    assert verified(record, key(tmp_path)) == []
    assert verified(record, bytes(32)) == ["the key is not one of the trail's"]


def test_as_a_program(tmp_path: Path) -> None:
    record = write(tmp_path)
    program = [sys.executable, outsider.__file__, str(record)]
    done = subprocess.run(
        [*program, base64.b64encode(key(tmp_path)).decode()],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_backup_and_bundles(tmp_path: Path) -> None:
    record = write(tmp_path)
    # As of a moment at which it ran: the word of its end is left out.
    path = record / "writers/w1/checkpoints.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    last = newest(path.parent)
    assert last is not None
    now = last.time.timestamp() + 0.1
    signs = read_key(tmp_path / "state" / KEY_FILE)
    backup = back_up(record, tmp_path / "copies", now, key=signs).path
    assert verified(backup, key(tmp_path)) == []
    for name, choice in (
        ("all", Choice()),
        ("one", Choice(session="s1")),
        ("no", Choice(since=datetime(2100, 1, 1, tzinfo=UTC))),
    ):
        made = write_bundle(
            record, tmp_path / name, choice, now, key=signs, put_on_record=lambda _: None
        )
        assert verified(made.path, key(tmp_path)) == []
        # A record that bundle.json does not name, and one that it names and is not there.
        for runs in ('"kept": [[0, 0]]', '"kept": [[0, 1], [3, 3]]'):
            forged = shutil.copytree(made.path, tmp_path / "forged")
            note = forged / "bundle.json"
            head, _, rest = note.read_text().partition('"kept": [')
            note.write_text(head + runs + rest[rest.index("}") :])
            assert any("bundle.json says" in each for each in verified(forged, key(tmp_path)))
            shutil.rmtree(forged)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def drop_last(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def swap(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[0], lines[1] = lines[1], lines[0]
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("change", [flip, drop_last, swap, Path.unlink])
@pytest.mark.parametrize(
    "name",
    ["segments/w0-*.parquet", "content/w0-*.parquet", "writers/w0/ledger.jsonl",
     "writers/w0/checkpoints.jsonl"],
)  # fmt: skip
def test_it_sees_what_was_changed(
    tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    if name.endswith("parquet") and change in {drop_last, swap}:
        change = flip
    record = write(tmp_path, flows=6)
    change(min(record.glob(name)))
    with suppress(ValueError, OSError, KeyError):  # cannot even be read: that is seen as well
        assert verified(record, key(tmp_path))


def test_a_proof(tmp_path: Path) -> None:
    record = write(tmp_path)
    folder = record / "writers/w0"
    last = newest(folder)
    assert last is not None
    note = parse_note(json.loads(outsider.lines_of(folder / "checkpoints.jsonl")[-1]))
    verifier = outsider.Verifier(record)
    verifier.verify(key(tmp_path))
    raws = {json.loads(raw)["seq"]: raw for raw in verifier.raws if b'"w0"' in raw}
    origin = origin_of(Store.at(record).id(), "w0")
    public = read_trail(record, Store.at(record).id())[0].public
    source = all_leaves(folder, last.size)
    for index in range(last.size):
        proof = inclusion_proof(source, index, last.size)
        file = InclusionFile(index=index, proof=proof, note=note, extra=raws[index])
        assert outsider.proved(str(file), origin, public) == raws[index]
        other = InclusionFile(index=index, proof=proof, note=note, extra=raws[index] + b" ")
        assert outsider.proved(str(other), origin, public) is None
        assert outsider.proved(str(file), origin, bytes(32)) is None
