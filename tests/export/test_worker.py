"""Sinks that are down, slow, full or mad: nothing is lost, and ids tell doubles apart."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.recorder import Recorder
from proctor.audit.store import Store
from proctor.errors import ConfigurationError
from proctor.export import cursor as cursors
from proctor.export import records, worker
from proctor.export.cursor import Cursor
from proctor.export.events import VIEWS, events
from proctor.export.records import Choice, plan, reading, walk
from proctor.export.settings import ExportSettings
from proctor.export.worker import Exports, backoff
from proctor.fields import SecretSource
from proctor.testing.http1 import Received
from tests.approval.notify.standins import Said, serve
from tests.export.stocked import LINES, fill
from tests.support.envelopes import STILL, end, until

SECRET = "Bearer which-nobody-may-see"


class Counted:
    """Figures."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.lag: tuple[int, float] = (-1, -1.0)

    def exported(self, name: str, outcome: str, count: int) -> None:
        assert name
        self.count[outcome] += count

    def export_lag(self, name: str, records: int, seconds: float) -> None:
        assert name
        self.lag = (records, seconds)


async def look(source: SecretSource, name: str) -> str:
    assert "siem" in name
    if source.env == "GONE":
        raise ConfigurationError("secret-missing", "There is no value")
    return SECRET


def later() -> datetime:
    """Long enough after anything that a test records that it is final."""
    return datetime.now(UTC) + timedelta(seconds=10)


def settings(to: object, **more: Any) -> ExportSettings:
    return ExportSettings.model_validate({"name": "siem", "to": to, **more})


def exports(
    path: Path, *found: ExportSettings, figures: Counted | None = None, clock: Any = later
) -> Exports:
    return Exports(
        found,
        record=path,
        secrets=look,
        clock=clock,
        figures=figures or Counted(),
        poll=0.01,
        pause=lambda _: 0.01,
    )


def expected(path: Path) -> list[str]:
    """Ids of all that the record holds."""
    store = Store.at(path).id()
    with reading(path) as reader:
        return [
            event.id
            for envelope in walk(reader, plan(reader, Choice()))
            for event in events(store, envelope, frozenset(VIEWS))
        ]


def ids(body: bytes) -> list[str]:
    return [json.loads(line)["id"] for line in body.splitlines()]


def run(
    path: Path,
    answer: Callable[[Received], Said],
    done: Callable[[Cursor], bool],
    figures: Counted | None = None,
    **more: Any,
) -> list[Received]:
    """Sends until `done`; what came."""
    came: list[Received] = []

    def take(request: Received) -> Said:
        came.append(request)
        return answer(request)

    async def main() -> None:
        async with serve(take) as origin:
            running = exports(path, settings(f"{origin}/in", **more), figures=figures)
            await running.start()
            try:
                await until(lambda: done(cursors.read(path, "siem")))
            finally:
                await running.close()

    asyncio.run(main())
    return came


def all_sent(cursor: Cursor) -> bool:
    return cursor.at("w0") == LINES


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("worker") / "recordings")


@pytest.fixture
def path(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "recordings"))


def test_all_of_it_once_and_in_order(path: Path) -> None:
    figures = Counted()
    header = {"name": "Authorization", "value": {"env": "X"}}
    came = run(path, lambda _: Said(), all_sent, figures, batch=4, header=header)
    assert [each for request in came for each in ids(request.body)] == expected(path)
    assert {request.header("authorization") for request in came} == {SECRET}
    assert {request.header("content-type") for request in came} == {"application/x-ndjson"}
    assert figures.count["failed"] == figures.count["refused"] == 0
    assert len(came) == 3
    assert figures.lag[0] == LINES
    assert 0 < figures.lag[1] < 120
    assert cursors.read(path, "siem").sent == LINES
    assert b"which-nobody" not in (path / "exports" / "siem.json").read_bytes()


def test_only_the_views_that_are_wanted(path: Path) -> None:
    came = run(path, lambda _: Said(), all_sent, views=("decisions",), content=True)
    rows = [json.loads(line) for request in came for line in request.body.splitlines()]
    assert {row["view"] for row in rows} == {"decisions"}
    assert len(rows) == 5


def test_content_is_sent_where_it_is_wanted_only(path: Path) -> None:
    came = run(path, lambda _: Said(), all_sent, profile="ocsf")
    assert not any(b"list the files" in request.body for request in came)
    (path / "exports" / "siem.json").unlink()
    came = run(path, lambda _: Said(), all_sent, profile="ocsf", content=True)
    assert any(b"list the files" in request.body for request in came)


@pytest.mark.parametrize(
    "bad",
    [Said(500), Said(503, headers={"retry-after": "0"}), Said(302), Said(404), Said(401)],
    ids=lambda said: str(said.status),
)
def test_a_sink_that_says_no_for_a_while(path: Path, bad: Said) -> None:
    """At the start and in the middle."""
    asked = iter([bad, bad, Said(), bad, bad])
    figures = Counted()
    came = run(path, lambda _: next(asked, Said()), all_sent, figures, batch=4)
    assert Counter(each for request in came for each in ids(request.body)).keys() == set(
        expected(path)
    )
    assert figures.count["failed"] == 4
    assert cursors.read(path, "siem").sent == LINES
    assert cursors.read(path, "siem").failing == ""


def test_a_sink_that_is_not_there(path: Path) -> None:
    async def main() -> Cursor:
        running = exports(path, settings("http://127.0.0.1:1/in"))
        await running.start()
        await until(lambda: cursors.read(path, "siem").failing)
        await running.close()
        return cursors.read(path, "siem")

    found = asyncio.run(main())
    assert (found.failing, found.sent, found.next) == ("ConnectError", 0, {})
    assert datetime.fromisoformat(found.failing_since) <= later()
    came = run(path, lambda _: Said(), all_sent)
    assert [each for request in came for each in ids(request.body)] == expected(path)


def test_a_sink_that_hangs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_DELIVERY", 0.1)
    asked = iter([Said(body=None), Said(), Said(body=None)])
    figures = Counted()
    came = run(path, lambda _: next(asked, Said()), all_sent, figures, batch=4)
    assert figures.count["failed"] == 2
    assert {each for request in came for each in ids(request.body)} == set(expected(path))


def test_a_batch_that_is_too_large_is_sent_in_parts(path: Path) -> None:
    came = run(
        path,
        lambda request: Said(413 if request.body.count(b"\n") > 3 else 200),
        lambda cursor: cursor.at("w0") == LINES,
    )
    taken = [each for r in came if r.body.count(b"\n") <= 3 for each in ids(r.body)]
    # Number 2 makes four lines by itself, which this sink never takes.
    assert taken == [each for each in expected(path) if "/w0/2" not in each]
    found = cursors.read(path, "siem")
    assert (found.sent, found.refused) == (LINES - 1, 1)
    (line,) = (path / "exports" / "siem.refused.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["code"], told["id"].rpartition("/")[2]) == ("status-413", "2")


def test_a_sink_that_refuses_everything_loses_nothing(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "_REFUSED", 3)
        run(path, lambda _: Said(400), lambda cursor: cursor.failing == "status-400")
        found = cursors.read(path, "siem")
        assert found.refused == 3
        assert len((path / "exports" / "siem.refused.jsonl").read_text().splitlines()) == 3
    run(path, lambda _: Said(), all_sent)
    assert cursors.read(path, "siem").refused == 3


def test_a_secret_that_is_missing_stops_the_start(path: Path) -> None:
    bad = settings("https://siem.test/in", header={"name": "x-key", "value": {"env": "GONE"}})
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(exports(path, bad).start())
    assert caught.value.code == "secret-missing"


def test_a_certificate_that_cannot_be_read_stops_the_start(path: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("nothing")
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(exports(path, settings("https://siem.test/in", ca=str(ca))).start())
    assert caught.value.code == "tls-files"


def test_what_is_recorded_meanwhile_follows(tmp_path: Path) -> None:
    path = tmp_path / "recordings"
    came: list[str] = []

    def take(request: Received) -> Said:
        came.extend(ids(request.body))
        return Said()

    async def main() -> None:
        recorder = await Recorder.open(path, pace=STILL)
        other = await Recorder.open(path, pace=STILL)
        async with serve(take) as origin:
            running = exports(path, settings(f"{origin}/in", views=("flows",)))
            await running.start()
            for number in range(3):
                for each in (recorder, other):
                    await end(each, f"f{number}", None)
                await until(lambda n=number: len(came) == 2 * (n + 1))  # type: ignore[misc]  # called here
            await running.close()
        await recorder.close()
        await other.close()

    asyncio.run(main())
    store = Store.at(path).id()
    assert sorted(came) == [f"{store}/w{w}/{n}" for w in (0, 1) for n in range(3)]


class Clock:
    """A time that stands still, and who asked for it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.asked = 0

    def __call__(self) -> datetime:
        self.asked += 1
        return self.now


def test_what_is_not_final_waits(tmp_path: Path) -> None:
    path = fill(tmp_path / "recordings")
    clock = Clock(datetime.now(UTC))
    young = exports(path, settings(f"file://{path}/out"), clock=clock)

    async def main() -> None:
        await young.start()
        await until(lambda: clock.asked > 10)
        assert cursors.read(path, "siem").next == {}
        clock.now = later()
        await until(lambda: all_sent(cursors.read(path, "siem")))
        await young.close()

    asyncio.run(main())


def test_one_process_at_a_time_and_the_next_takes_over(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"

    async def main() -> None:
        held = cursors.lock(path, "siem")
        assert held is not None
        tried: list[str] = []
        real = cursors.lock

        def lock(record: Path, name: str) -> int | None:
            tried.append(name)
            return real(record, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "_TAKEN", 0.01)
            patch.setattr(cursors, "lock", lock)
            second = exports(path, settings(f"file://{target}"))
            await second.start()
            await until(lambda: len(tried) > 3)
            assert not target.exists()
            os.close(held)
            await until(lambda: all_sent(cursors.read(path, "siem")))
            await second.close()

    asyncio.run(main())
    assert ids(target.read_bytes()) == expected(path)


KILLED = """
import asyncio, os, sys
from pathlib import Path
from proctor.export import cursor as cursors, worker
from tests.export.test_worker import exports, settings
worker._FILE_BATCH = 3
write, left = cursors.write, int(sys.argv[3])
def torn(*found):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)  # sent, and not noted
    write(*found)
cursors.write = torn
async def main():
    running = exports(Path(sys.argv[1]), settings("file://" + sys.argv[2], rotate="64KiB"))
    await running.start()
    await asyncio.sleep(5)
asyncio.run(main())
"""


def test_killed_between_sending_and_noting(path: Path, tmp_path: Path) -> None:
    """Doubles, no losses; ids give exactly the record."""
    target = tmp_path / "out.ndjson"
    for left in (0, 2):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, str(path), str(target), str(left)],
            check=False,
            timeout=30,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert ended.returncode == -signal.SIGKILL

    async def main() -> None:
        running = exports(path, settings(f"file://{target}"))
        await running.start()
        await until(lambda: all_sent(cursors.read(path, "siem")))
        await running.close()

    asyncio.run(main())
    found = ids(target.read_bytes())
    assert len(found) > len(set(found))
    assert list(dict.fromkeys(found)) == expected(path)


def test_a_record_that_was_changed_behind_its_back_is_not_sent_on(path: Path) -> None:
    run(path, lambda _: Said(), all_sent)
    found = cursors.read(path, "siem")
    cursors.write(path, "siem", found.moved("w0", 5, "ab" * 32))
    run(path, lambda _: Said(), lambda cursor: cursor.failing == "export-forked")
    assert cursors.read(path, "siem").at("w0") == 5


def test_records_that_retention_dropped_are_counted(path: Path) -> None:
    """A cursor lower than what is there is what retention leaves that did not wait."""
    figures = Counted()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "after", _from(4))
        cursors.write(path, "siem", Cursor().moved("w0", 1, "ab" * 32))
        came = run(path, lambda _: Said(), all_sent, figures)
    assert figures.count["missed"] == 3
    assert cursors.read(path, "siem").missed == 3
    assert ids(came[0].body)[0].endswith("/w0/4")


def _from(least: int) -> Callable[..., Any]:
    """`after` of a record that begins later."""
    real = records.after

    def after(reader: Any, writer: str, first: int, now: float) -> Any:
        return real(reader, writer, max(first, least), now)

    return after


def test_traces_get_their_root_when_the_session_has_ended(path: Path) -> None:
    came: list[Received] = []

    def take(request: Received) -> Said:
        came.append(request)
        return Said(body=b"{}")

    async def main() -> None:
        async with serve(take) as origin:
            running = exports(path, settings(f"{origin}/v1/traces", format="otlp"))
            await running.start()
            await until(lambda: all_sent(cursors.read(path, "siem")) and len(came) == 2)
            # What has come is known to have come a moment later; until then it would come again.
            await until(lambda: cursors.read(path, "siem").open == {})
            await running.close()
        async with serve(take) as origin:
            clock = Clock(later())
            running = exports(path, settings(f"{origin}/v1/traces", format="otlp"), clock=clock)
            await running.start()
            await until(lambda: clock.asked > 10)
            await running.close()

    asyncio.run(main())
    names = [
        [span["name"] for span in request.json()["resourceSpans"][0]["scopeSpans"][0]["spans"]]
        for request in came
    ]
    assert names == [
        ["chat claude-sonnet", "execute_tool Bash", "execute_tool mcp__jira__read"],
        ["invoke_agent claude-cli"],
    ]
    assert cursors.read(path, "siem").open == {}


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", b"[]", b"null"])
def test_a_page_that_answers_200_is_no_collector(path: Path, body: bytes) -> None:
    asked = iter([Said(body=body)])
    figures = Counted()
    run(path, lambda _: next(asked, Said(body=b"{}")), all_sent, figures, format="otlp")
    assert figures.count["failed"] == 1
    assert cursors.read(path, "siem").sent == LINES


def test_a_pause_grows_to_a_minute_and_is_never_the_same() -> None:
    assert len({backoff(3) for _ in range(20)}) > 1
    assert all(30 <= backoff(attempts) <= 60 for attempts in (8, 20, 10**6))
    assert backoff(1) <= 1
