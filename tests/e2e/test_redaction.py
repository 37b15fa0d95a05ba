"""The real Claude Code at work among secrets: what the model, the person and the record see."""

import asyncio
import itertools
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.recorder import Recorder
from proctor.audit.segments import segments
from proctor.audit.store import CONTENT, SEGMENTS
from proctor.redaction.surrogates import LETTERS, SIZE
from proctor.testing.gateway import command
from proctor.testing.http1 import Received
from proctor.testing.promptcache import PromptCache, Reading
from proctor.testing.standin import KEY, StandIn, serving
from tests.e2e.conftest import ClaudeCode, needs_claude_code
from tests.support.belongings import NAMES, Belongings, belongings
from tests.support.envelopes import QUICK, until
from tests.support.installation import Installation
from tests.support.leaks import contents, files, found
from tests.support.stock import start, stopped_at_end
from tests.support.task import Task

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ASKED = "Who is our first customer? The lemons must arrive on Tuesday. Write a letter."
CONFIG = "proctor.yaml"  # its deny list holds names
SESSION = str(uuid.UUID(int=7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """A task that was worked.

    Attributes:
        own: What lay in the folder.
        folder: The client's.
        said: What the person got to read, a prompt each.
        model: Which worked it.
        requests: What reached the model.
        readings: What its cache said of them.
    """

    own: Belongings
    folder: Path
    said: tuple[str, ...]
    model: Task
    requests: tuple[Received, ...]
    readings: tuple[Reading, ...]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The requests' bodies."""
        return [request.json() for request in self.requests]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What proctor kept of it."""

    installed: Installation
    running: Mapping[Path, bytes]
    dump: bytes
    log: str


def work(folder: Path, url: str, token: str, own: Belongings, standin: StandIn) -> Worked:
    """Two prompts, the second with something of the person's own."""
    for name in ("home", "work"):
        (folder / name).mkdir(parents=True)
    own.lay(folder / "work")
    client = ClaudeCode(folder=folder, url=url)
    email = own.customers[0].email
    said = []
    for option, prompt in (
        ("--session-id", ASKED),
        ("--resume", f"Which one was it, {email} or {own.customers[1].email}?"),
    ):
        done = client.run(option, SESSION, prompt, token=token, tools="Bash,Read,Write")
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(done.stdout)
    cache = standin.service.script
    assert isinstance(cache, PromptCache)
    return Worked(
        own=own,
        folder=folder,
        said=tuple(said),
        model=Task(str(folder / "work")),
        requests=tuple(standin.requests),
        readings=tuple(cache.readings),
    )


def pack(recordings: Path) -> None:
    """Make segments of the journals, which takes a gateway a minute."""

    async def main() -> None:
        recorder = await Recorder.open(recordings, pace=QUICK)
        await until(lambda: all(segments(recordings / each, "w0") for each in (SEGMENTS, CONTENT)))
        await recorder.close()

    asyncio.run(main())


@contextmanager
def model(folder: Path) -> Iterator[StandIn]:
    with serving(StandIn(script=PromptCache(Task(str(folder / "work"))))) as standin:
        yield standin


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_claude_code()
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def own() -> Belongings:
    return belongings()


@pytest.fixture(scope="module")
def direct(place: Path, own: Belongings) -> Worked:
    """Without proctor."""
    with model(place / "direct") as standin:
        return work(place / "direct", standin.url, KEY, own, standin)


@pytest.fixture(scope="module")
def both(place: Path, own: Belongings) -> tuple[Worked, Kept]:
    """Through the suite under stock mitmdump, which writes all flows to a file."""
    with model(place / "through") as standin:
        installed = Installation.build(place / "installed", standin)
        config = installed.config.read_text()
        words = json.dumps({"PERSON": NAMES})
        installed.config.write_text(config.replace("redaction: {", f"redaction: {{deny: {words}, "))
        options = ["-w", str(place / "dump"), "--flow-detail", "4"]
        with stopped_at_end(start(installed, *options, home=place / "home")) as stock:
            stock.wait_for("proctor takes traffic")
            url = f"http://127.0.0.1:{stock.port}"
            worked = work(place / "through", url, installed.token(), own, standin)
            now = {path: path.read_bytes() for path in files(installed.folder, CONFIG)}
        assert standin.leaks == []
    assert stock.process.returncode == 0
    dump = (place / "dump").read_bytes()
    return worked, Kept(installed=installed, running=now, dump=dump, log=stock.said)


@pytest.fixture
def through(both: tuple[Worked, Kept]) -> Worked:
    return both[0]


@pytest.fixture
def record(both: tuple[Worked, Kept]) -> Kept:
    return both[1]


def said_in(body: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Roles and blocks of all messages, without the marks that the client moves each turn."""
    blocks: list[tuple[str, object]] = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):  # what the client writes where it sets no mark
            content = [{"type": "text", "text": content}]
        for block in content:
            bare = {name: value for name, value in block.items() if name != "cache_control"}
            blocks.append((message["role"], bare))
    return blocks


def whole(request: Received) -> bytes:
    """All of a request."""
    heads = "\n".join(f"{name}: {value}" for name, value in request.headers)
    return b"\n".join((request.target.encode(), heads.encode(), request.body))


def test_without_proctor_the_model_sees_everything(direct: Worked) -> None:
    seen = found(direct.own.planted, *map(whole, direct.requests))
    assert seen == list(direct.own.planted)


def test_the_model_never_sees_them(through: Worked, direct: Worked) -> None:
    assert found(through.own.planted, *map(whole, through.requests)) == []
    assert len(through.requests) == len(direct.requests) == 7
    last = json.dumps(through.bodies[-1])
    for mark in ("<PRIVATE_KEY>", "<PASSWORD>", "<API_KEY>", "EMAIL_ADDRESS_", "IBAN_CODE_"):
        assert mark in last


def test_the_person_sees_the_real_names(through: Worked, direct: Worked) -> None:
    first = through.own.customers[0]
    assert through.said[0] == (
        f"The first customer is {first.name}, {first.email}; the letter is written.\n"
    )
    assert through.said == direct.said


def test_tools_get_back_what_the_rules_allow(through: Worked) -> None:
    first = through.own.customers[0]
    files = through.folder / "work"
    assert (files / "letter.txt").read_text() == (
        f"Dear {first.name},\nwe wrote to {first.email} and called {first.phone}.\n"
    )
    assert re.fullmatch(
        f"to: EMAIL_ADDRESS_[{LETTERS}]{{{SIZE}}}\n", (files / "told.txt").read_text()
    )


def test_the_model_reads_its_own_words_unchanged(through: Worked) -> None:
    for number, body in enumerate(through.bodies):
        spoken = [each for each in body["messages"] if each["role"] == "assistant"]
        assert len(spoken) == number
        before = through.bodies[:number]
        for said, asked in zip(spoken, before, strict=True):
            assert said["content"] == list(through.model(asked).content)


def test_each_request_begins_as_the_one_before(through: Worked) -> None:
    """The same history gives the same words, as the provider's cache wants it."""
    for before, after in itertools.pairwise(through.bodies):
        assert after["system"] == before["system"]
        assert after["tools"] == before["tools"]
        known = said_in(before)
        assert said_in(after)[: len(known)] == known
        assert len(said_in(after)) > len(known)


def test_the_prompt_cache_serves_as_it_did_without_proctor(through: Worked, direct: Worked) -> None:
    ours = [(each.blocks, each.read, each.written) for each in through.readings]
    assert ours == [(each.blocks, each.read, each.written) for each in direct.readings]
    for before, after in itertools.pairwise(through.readings):
        assert after.read == before.read + before.written > 0
        assert after.read_tokens == before.read_tokens + before.written_tokens


def test_nothing_that_is_kept_holds_them(record: Kept, through: Worked, place: Path) -> None:
    recordings = place / "packed"
    shutil.copytree(record.installed.folder / "recordings", recordings)
    pack(recordings)
    names = {path.name for path in record.running}
    assert names >= {"audit.duckdb", "0.jsonl", "vault.db", "vault.db-wal", "redaction.key"}
    packed = [path for path in recordings.rglob("*.parquet") if path.name != "seed.parquet"]
    assert len(packed) == 2  # envelopes and content
    places = {
        "dump": [record.dump],
        "log": [record.log.encode()],
        "running": list(record.running.values()),
        "stopped": list(contents(record.installed.folder, CONFIG)),
        "packed": list(contents(recordings)),
    }
    for name, kept in places.items():
        assert found(through.own.planted, *kept) == [], name
        if name != "log":
            assert found({"lemons": "The lemons must arrive"}, *kept) == ["lemons"], name


def test_receipt_and_findings(record: Kept, through: Worked) -> None:
    home = record.installed
    rows = home.query("select * from findings where session_id = $session", SESSION)
    types = {row["entity_type"] for row in rows}
    assert types >= {"PRIVATE_KEY", "PASSWORD", "API_KEY", "SECRET", "PERSON", "EMAIL_ADDRESS"}
    assert {row["action"] for row in rows if row["entity_type"] == "EMAIL_ADDRESS"} == {"surrogate"}
    assert all(re.fullmatch("[0-9a-f]{32}", row["digest"]) for row in rows)
    shown = command("show", SESSION, cwd=home.folder)
    listed = command("findings", "list", "--session", SESSION, "--format", "json", cwd=home.folder)
    assert shown.returncode == listed.returncode == 0
    assert re.search("looked at [0-9.]+ KiB, .* findings? (masked|replaced)", shown.stdout)
    assert "EMAIL_ADDRESS_" in shown.stdout
    assert len(json.loads(listed.stdout)) == len(rows)
    assert found(through.own.planted, shown.stdout.encode(), listed.stdout.encode()) == []
