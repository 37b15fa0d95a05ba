"""Checkpoints on their way to places outside: the newest only, again and again, alarms once."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.errors import InternalError, UpstreamError
from proctor.evidence import cosigned
from proctor.evidence.anchors import Anchors, AnchorStatus, Wired
from proctor.evidence.leaves import write_leaves
from proctor.evidence.settings import AnchorSettings
from proctor.runtime.tasks import spawn, stop
from proctor.testing import tls
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import Cosigner
from proctor.tlog.note import Note
from proctor.witness.app import serve
from proctor.witness.kept import Kept
from proctor.witness.watch import LogsWatch
from proctor.witness.witness import Witness
from tests.support.logs import ORIGIN, Log

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
LOG = Log().add(20)
AHEAD = InternalError("anchor-ahead", "The witness has seen more", got="20 records")
DOWN = UpstreamError("anchor-unreachable", "The witness does not answer")


@dataclass
class Place:
    """Takes what it is given, or fails in turn; tells when."""

    name: str = "https://witness.example"
    failures: list[Exception] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    tries: int = 0
    enough: int = 1
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, note: Note, checkpoint: Checkpoint) -> None:
        assert str(note).startswith(note.text)
        self.tries += 1
        if self.failures:
            raise self.failures.pop(0)
        self.sizes.append(checkpoint.size)
        if len(self.sizes) == self.enough:
            self.done.set()


@dataclass
class Scene:
    """Anchors whose pauses are written down and end at once, or when they are let."""

    places: list[Place]
    pauses: list[float] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.go_on.set()
        self.anchors = Anchors(
            self.places,
            every=60.0,
            clock=lambda: NOW,
            report=lambda kind, detail: self.events.append((kind, detail)),
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.paused.set()
        await self.go_on.wait()

    def submit(self, size: int, *lines: str) -> None:
        self.anchors.submit(ORIGIN, str(LOG.note(size, *lines)))


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def go() -> None:
        async with asyncio.timeout(30):
            await scene()

    asyncio.run(go())


def test_each_place_gets_the_newest() -> None:
    async def go() -> None:
        places = [Place(name="one"), Place(name="two")]
        scene = Scene(places)
        scene.submit(3)
        scene.submit(5)
        running = spawn(scene.anchors.run(), name="anchors")
        for place in places:
            await place.done.wait()
        await stop(running)
        assert [place.sizes for place in places] == [[5], [5]]
        assert scene.anchors.status() == [
            AnchorStatus(name=name, size=5, at=NOW) for name in ("one", "two")
        ]
        assert scene.events == []

    play(go)


def test_a_pause_lies_between_two() -> None:
    async def go() -> None:
        place = Place(enough=2)
        scene = Scene([place])
        scene.go_on.clear()
        running = spawn(scene.anchors.run(), name="anchors")
        for size in (3, 5, 7):
            scene.submit(size)
            await scene.paused.wait()
        assert place.sizes == [3]
        scene.go_on.set()
        await place.done.wait()
        await stop(running)
        assert place.sizes == [3, 7], "what was overtaken is not sent"
        assert scene.pauses[0] == 60.0

    play(go)


def test_another_thread_may_submit() -> None:
    async def go() -> None:
        place = Place()
        scene = Scene([place])
        running = spawn(scene.anchors.run(), name="anchors")
        await asyncio.sleep(0)
        thread = threading.Thread(target=scene.submit, args=(4,))
        thread.start()
        await place.done.wait()
        thread.join()
        await stop(running)
        scene.submit(5)  # nobody listens any more, and nothing breaks
        assert place.sizes == [4]

    play(go)


def test_a_place_that_is_down_is_tried_later_and_later() -> None:
    async def go() -> None:
        failures: list[Exception] = [DOWN] * 11 + [OSError(5, "Input/output error"), KeyError("x")]
        place = Place(failures=failures)
        fine = Place(name="fine")
        scene = Scene([place, fine])
        scene.submit(4)
        running = spawn(scene.anchors.run(), name="anchors")
        await place.done.wait()
        await stop(running)
        assert [pause for pause in scene.pauses if pause != 60.0] == [
            *(2.0**n for n in range(9)),
            *[300.0] * 4,
        ]
        assert (place.sizes, fine.sizes, fine.tries) == ([4], [4], 1)
        assert scene.events == [], "that somebody is down is no alarm"

    play(go)


def test_what_is_wrong_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        place = Place(failures=[DOWN, DOWN, OSError(30, "Read-only file system")])
        scene = Scene([place])
        scene.submit(4)
        for expected in ("anchor-unreachable", "anchor-unreachable", "anchor-failed"):
            await scene.anchors.finish(1)
            (status,) = scene.anchors.status()
            assert (status.error, status.alarm, status.size) == (expected, False, None)
        await scene.anchors.finish(1)
        assert scene.anchors.status() == [AnchorStatus(name=place.name, size=4, at=NOW)]

    with caplog.at_level("INFO", logger="proctor.evidence.anchors"):
        play(go)
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events == ["anchor.failed", "anchor.failed", "anchor.back"], "once for each change"


def test_an_alarm_is_an_event_once_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        place = Place(failures=[AHEAD, DOWN, AHEAD, AHEAD])
        scene = Scene([place])
        scene.submit(4)
        for _ in range(4):
            await scene.anchors.finish(1)
            assert scene.anchors.status()[0].alarm
        detail = {"anchor": place.name, "code": "anchor-ahead", "got": "20 records"}
        assert scene.events == [("anchor.alarm", detail)]
        await scene.anchors.finish(1)
        assert not scene.anchors.status()[0].alarm
        assert scene.events[1:] == [("anchor.back", {"anchor": place.name, "size": 4})]

    play(go)
    assert any(record.levelname == "ERROR" for record in caplog.records)


def test_the_last_checkpoint_of_a_clean_stop_is_sent_once() -> None:
    async def go() -> None:
        place = Place(enough=2)
        scene = Scene([place])
        await scene.anchors.finish(1)
        assert place.tries == 0, "there was none"
        scene.submit(4)
        await scene.anchors.finish(1)
        await scene.anchors.finish(1)
        assert place.sizes == [4]
        scene.submit(4, "due never")
        await scene.anchors.finish(1)
        assert place.sizes == [4, 4]

    play(go)


def test_a_place_that_hangs_does_not_keep_the_gateway(caplog: pytest.LogCaptureFixture) -> None:
    class Hangs(Place):
        async def take(self, note: Note, checkpoint: Checkpoint) -> None:
            await asyncio.Event().wait()

    async def go() -> None:
        scene = Scene([Hangs()])
        scene.submit(4)
        await scene.anchors.finish(0.01)

    play(go)
    assert [getattr(record, "event", "") for record in caplog.records] == ["anchor.unfinished"]


def test_a_note_that_is_none_is_told() -> None:
    async def go() -> None:
        scene = Scene([Place()])
        scene.anchors.submit(ORIGIN, "no note")
        await scene.anchors.finish(1)
        assert scene.anchors.status()[0].error == "note-malformed"

    play(go)


def test_a_configuration_with_a_real_witness_and_a_folder(tmp_path: Path) -> None:
    files = tls.make(tmp_path / "tls")
    cosigner = Cosigner("witness.example/w1", Ed25519PrivateKey.generate())
    writers, worm = tmp_path / "writers", tmp_path / "worm"
    (writers / "w0").mkdir(parents=True)
    worm.mkdir()
    write_leaves(writers / "w0", 0, LOG.array)
    said = {
        "name": cosigner.name,
        "listen": "127.0.0.1:0",
        "tls": {"cert": str(files.cert), "key": str(files.key)},
        "key": "k.pem",
        "state": "state",
        "logs": [str(LOG.key)],
    }
    (tmp_path / "witness.yaml").write_text(json.dumps(said))  # JSON is YAML
    watch = LogsWatch(tmp_path / "witness.yaml")

    async def go() -> None:
        with Kept(tmp_path / "state", cosigner.public) as kept:
            witness = Witness(kept, cosigner, keys_for=watch.keys_for, clock=lambda: NOW)
            found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            server = spawn(serve(watch, witness, found.set_result), name="witness")
            wired = Wired(
                [
                    AnchorSettings.model_validate(
                        {
                            "witness": await found,
                            "key": str(cosigner.public),
                            "ca": str(files.ca),
                        }
                    ),
                    AnchorSettings.model_validate({"folder": str(worm)}),
                ],
                writers,
                every=60.0,
                clock=lambda: NOW,
                report=lambda *_: None,
            )
            for size in (5, 20):
                wired.anchors.submit(ORIGIN, str(LOG.note(size)))
                await wired.anchors.finish(5)
            assert [(each.size, each.error) for each in wired.anchors.status()] == [(20, "")] * 2
            await wired.close()
            await stop(server)

    play(go)
    assert [each.size for each in cosigned.read(writers / "w0")] == [5, 20]
    assert len(list(worm.iterdir())) == 2
