"""A real gateway, a real witness, a folder that is written once; and a record rolled back."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctor.evidence.statement import Statement
from proctor.testing import gateway as program
from proctor.testing.gateway import Gateway
from proctor.testing.standin import StandIn, serving
from proctor.tlog.note import parse_note
from tests.support.held import eventually
from tests.support.installation import Installation

pytestmark = pytest.mark.e2e


def proctor(*arguments: str, cwd: Path, status: int = 0) -> str:
    done = program.command(*arguments, cwd=cwd)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def witness(folder: Path) -> Iterator[str]:
    """A witness as a process; its address."""
    with subprocess.Popen(
        [*program.COMMAND, "witness", "run", "--config", str(folder / "witness.yaml")],
        stdout=subprocess.PIPE,
        env=dict(os.environ),
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("Listening on ").strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
            process.wait(30)


def anchored(installed: Installation, url: str, key: str) -> None:
    """Puts the anchors into proctor.yaml."""
    worm = installed.folder / "worm"
    worm.mkdir(mode=0o700, exist_ok=True)
    said = {
        "path": "recordings/",
        "checkpoints": {"seconds": "100ms", "idle": "1s"},
        "anchors": [{"witness": url, "key": key}, {"folder": str(worm)}],
        "anchor_every": "1s",
    }
    lines = installed.config.read_text().splitlines()
    kept = [line for line in lines if not line.startswith("audit:")]
    installed.config.write_text("\n".join([*kept, f"audit: {json.dumps(said)}", ""]))


def figures(gateway: Gateway) -> str:
    return httpx.get(f"http://{gateway.console}/metrics", timeout=30).text


def until(gateway: Gateway, *wanted: str) -> None:
    """Waits until /metrics says all of it."""
    assert eventually(lambda: all(each in figures(gateway) for each in wanted) or None, 30)


def stop(gateway: Gateway) -> None:
    gateway.terminate()
    assert gateway.wait() == 0


def test_a_record_that_is_rolled_back_is_noticed_outside(tmp_path: Path) -> None:
    place = tmp_path / "witness"
    listen = ("--listen", "127.0.0.1:0")
    proctor("witness", "init", "witness.example/w", "--folder", str(place), *listen, cwd=tmp_path)
    config = ("--config", str(place / "witness.yaml"))
    key = proctor("witness", "show", *config, cwd=tmp_path).strip().splitlines()[-1]
    with serving(StandIn()) as standin:
        installed = Installation.build(tmp_path / "installed", standin)
        stop(installed.start())  # makes record and key
        recordings = installed.folder / "recordings"
        printed = proctor("record", "key", cwd=installed.folder)
        vkey = next(line for line in printed.splitlines() if line.startswith("proctor/"))
        proctor("witness", "log", "add", vkey, *config, cwd=tmp_path)
        with witness(place) as url:
            anchored(installed, url, key)
            with running(installed) as gateway:
                until(gateway, f'proctor_anchor_failing{{anchor="{url}"}} 0.0')
                until(gateway, f'proctor_anchor_size{{anchor="{url}"}}')
                # What a command records by a writer of its own is anchored, too.
                proctor("record", "backup", "copies", cwd=installed.folder)
                stop(gateway)
            (tmp_path / "witness.vkey").write_text(key)
            asked = ("--key", vkey, "--cosigned", "1", "--witness-key")
            checked = proctor(
                "verify", "recordings", *asked, str(tmp_path / "witness.vkey"), cwd=installed.folder
            )
            assert [each["writer"] for each in json.loads(checked)["writers"]] == ["w0", "w1"]
            last = newest(recordings)
            older = shutil.copytree(recordings, tmp_path / "older")
            with running(installed) as gateway:
                stop(gateway)
            # The folder has the last checkpoint of each run, and so has the witness.
            notes = [path.read_text() for path in (installed.folder / "worm").iterdir()]
            said = {Statement.parse(parse_note(note).text) for note in notes}
            assert {last, newest(recordings)} <= said
            (recordings / "writers/w0/cosignatures.jsonl").stat()
            # Somebody puts the older copy back, and what proctor itself had kept.
            shutil.rmtree(recordings)
            older.rename(recordings)
            shutil.rmtree(installed.folder / ".proctor" / "heads")
            with running(installed) as gateway:
                places = (url, installed.folder / "worm")
                until(gateway, *(f'proctor_anchor_alarm{{anchor="{at}"}} 1.0' for at in places))
                stop(gateway)
    events = installed.query("select detail from events where kind = 'anchor.alarm'")
    told = {json.loads(event["detail"])["anchor"] for event in events}
    assert told == {url, str(installed.folder / "worm")}


@contextlib.contextmanager
def running(installed: Installation) -> Iterator[Gateway]:
    gateway = installed.start()
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


def newest(recordings: Path) -> Statement:
    lines = (recordings / "writers/w0/checkpoints.jsonl").read_bytes().splitlines()
    return Statement.parse(parse_note(json.loads(lines[-1])).text)
