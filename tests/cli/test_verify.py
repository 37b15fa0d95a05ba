"""`proctor verify`, as an outsider uses it: the files and a public key."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from proctor.audit.store import Store
from proctor.cli import make_app
from proctor.errors import ProctorError
from proctor.evidence import cosigned, sealer
from proctor.evidence.keys import origin_of_keys, read_trail
from proctor.evidence.statement import Statement
from proctor.tlog.cosignature import Cosigner
from proctor.tlog.note import VerifierKey, parse_note
from tests.support.tampering import make


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified")
    return make(folder / "recordings", folder / "state")


@pytest.fixture(scope="module")
def key(record: Path) -> str:
    store_id = Store.at(record).id()
    return str(VerifierKey(origin_of_keys(store_id), read_trail(record, store_id)[0].public))


def run(*arguments: str | Path) -> Result:
    app = make_app(only="verify")
    return CliRunner().invoke(app, ["verify", *map(str, arguments)], catch_exceptions=False)


def test_a_whole_record(record: Path, key: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{key}\n")
    for given in (key, tmp_path / "key"):
        done = run(record, "--key", given, "--strict", "--format", "table")
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "whole")
    said = json.loads(run(record, "--key", key, "--full").stdout)
    assert (said["whole"], said["full"], said["findings"]) == (True, True, [])
    rows = list(csv.DictReader(io.StringIO(run(record, "--format", "csv").stdout)))
    assert [row["writer"] for row in rows] == ["w0", "w1"]


def test_without_a_key_it_is_strictly_not_whole(record: Path) -> None:
    assert run(record).exit_code == 0
    done = run(record, "--strict", "--format", "table")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "NOT whole, 1 notice")


def test_a_record_that_was_changed(record: Path, key: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(record, copy)
    journal = next(path for path in copy.glob("writers/w0/[0-9]*.jsonl") if path.stat().st_size)
    journal.write_bytes(
        journal.read_bytes().replace(b'"subject":"alice"', b'"subject":"\\u001b"', 1)
    )
    done = run(copy, "--key", key, "--format", "table")
    assert done.exit_code == 1
    assert "problem [" in done.stdout
    assert "\x1b" not in done.stdout
    said = json.loads(run(copy, "--key", key).stdout)
    assert said["whole"] is False
    assert any(
        each.get("file") == journal.relative_to(copy).as_posix() for each in said["findings"]
    )


def test_checkpoints_that_were_kept(record: Path, key: str, tmp_path: Path) -> None:
    log = record / "writers/w0/checkpoints.jsonl"
    kept = tmp_path / "kept.note"
    lines = log.read_bytes().splitlines()
    for line in (lines[0], lines[-1]):
        kept.write_text(json.loads(line))
        assert run(record, "--key", key, "--checkpoint", kept, "--checkpoint", log).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["{record}", "--key", "x"], "verify-key-unreadable"),
        (["{tmp}"], "store-missing"),
        (["{record}", "--checkpoint", "{tmp}/none"], "verify-file-unreadable"),
        (["{record}", "--checkpoint", "{tmp}"], "verify-file-unreadable"),
        (["--proof", "{tmp}/none", "--key", "{key}"], "verify-file-unreadable"),
        (["--proof", "{record}/store.json"], "verify-key-missing"),
        (["{tmp}", "--print-key"], "store-unreadable"),
    ],
)
def test_wrong_use(record: Path, key: str, tmp_path: Path, arguments: list[str], code: str) -> None:
    with pytest.raises(ProctorError) as caught:
        run(*(each.format(record=record, tmp=tmp_path, key=key) for each in arguments))
    assert caught.value.code == code


def test_help_has_an_example() -> None:
    assert "proctor verify recordings --key record-key.vkey" in run("--help").output


def test_cosignatures_that_are_missing_are_a_problem(
    record: Path, key: str, tmp_path: Path
) -> None:
    witness = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
    vkey = tmp_path / "witness.vkey"
    vkey.write_text(f"{witness.public}\n")
    done = run(record, "--key", key, "--cosigned", "1", "--witness-key", vkey, "--format", "table")
    assert done.exit_code == 1
    assert "[cosignatures-missing]" in done.stdout
    assert "expected: 1 of witness.example/w1, of" in done.stdout
    assert "found: none; enough of the first 0" in done.stdout
    copy = tmp_path / "copy"
    shutil.copytree(record, copy)
    for folder in copy.glob("writers/w*"):
        note = parse_note(json.loads((folder / sealer.NAME).read_bytes().split(b"\n")[-2]))
        said = Statement.parse(note.text)
        found = cosigned.Cosigned(
            checkpoint=cosigned.text_hash(note.text), origin=said.origin, size=said.size,
            at="2026-11-22T14:00:00Z", line=witness.sign(note.text, 1).line(),
        )  # fmt: skip
        cosigned.keep(folder, found)
    assert run(copy, "--key", key, "--cosigned", "1", "--witness-key", vkey).exit_code == 0


@pytest.mark.parametrize("given", [("--cosigned", "1"), ("--cosigned", "2", "KEY"), ("KEY",)])
def test_witnesses_that_could_never_be_enough(
    record: Path, tmp_path: Path, given: tuple[str, ...]
) -> None:
    witness = Cosigner("witness.example/w1", Ed25519PrivateKey.generate())
    vkey = tmp_path / "witness.vkey"
    vkey.write_text(str(witness.public))
    asked = [each for word in given for each in
             (["--witness-key", str(vkey)] if word == "KEY" else [word])]  # fmt: skip
    assert run(record, *asked).exit_code == 2
