"""One export in each form, opened by those it is for."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowReader

from proctor.audit.store import Store
from proctor.export.oneoff import Form, Profile, Work, chosen
from proctor.export.records import Choice, plan, reading
from tests.export.stocked import ANSWER, BINARY, LINES, SECRET_FREE, fill
from tests.support.envelopes import ALICE, QUICK


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("oneoff") / "recordings")


def made(path: Path, form: Form, choice: Choice | None = None, **more: Any) -> tuple[int, bytes]:
    file = io.BytesIO()
    counted: list[int] = []
    with reading(path) as reader:
        work = Work(reader=reader, store=Store.at(path).id(), form=form, **more)
        planned = plan(reader, chosen(choice or Choice(), form))
        rows = work.write(planned, file, lambda: counted.append(1))
    assert len(counted) == planned.records
    return rows, file.getvalue()


def lines(path: Path, choice: Choice | None = None, **more: Any) -> list[dict[str, Any]]:
    rows, data = made(path, Form.NDJSON, choice, **more)
    found = [json.loads(line) for line in data.splitlines()]
    assert len(found) == rows
    return found


def test_ids_are_the_record_s_and_unique(path: Path) -> None:
    found = lines(path)
    store = Store.at(path).id()
    assert len({each["id"] for each in found}) == len(found)
    assert all(each["id"].startswith(f"{store}/w0/{each['seq']}") for each in found)
    assert [each["seq"] for each in found] == sorted(each["seq"] for each in found)
    assert {each["seq"] for each in found} == set(range(LINES))


def test_content_only_where_it_is_asked_for(path: Path) -> None:
    assert not any("prompt" in each["data"] for each in lines(path))
    (turn,) = lines(path, views=frozenset({"turns"}), content=True)
    assert (turn["data"]["prompt"], turn["data"]["output"]) == ("list the files", "Here: €")
    tools = lines(path, views=frozenset({"tool_calls"}), content=True)
    assert [(each["data"]["input"], each["data"].get("result")) for each in tools] == [
        ('{"command":"ls"}', None),
        ("{}", "done"),
    ]


def test_choices(path: Path) -> None:
    def flows(**choice: Any) -> list[str]:
        found = lines(path, Choice(**choice), views=frozenset({"flows"}))
        return [each["flow_id"] for each in found]

    now = datetime.now(UTC)
    assert flows() == ["f1", "f2", "f3", "f4"]
    assert flows(principal="bob") == ["f4"]
    assert flows(principal=ALICE) == ["f1", "f2", "f3"]
    assert flows(session="s") == ["f1", "f2", "f3"]
    assert flows(session="' OR 1=1 --") == []
    assert flows(since=now + timedelta(hours=1)) == []
    assert flows(until=now - timedelta(hours=1)) == []
    assert flows(since=now - timedelta(hours=1), until=now + timedelta(hours=1)) == flows()


def test_several_windows_writers_and_segments(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proctor.export.records._WINDOWS", _windows_of(4))
        path = fill(tmp_path / "recordings", pace=QUICK, times=5)
        found = lines(path, views=frozenset({"flows"}))
    assert len(found) == 20
    assert len({each["id"] for each in found}) == 20
    assert [each["time"] for each in found] == sorted(each["time"] for each in found)


def _windows_of(size: int) -> str:
    from proctor.export import records  # noqa: PLC0415 - patched by its caller

    changed = records._WINDOWS.replace(f"// {records.WINDOW} ", f"// {size} ")
    assert changed != records._WINDOWS
    return changed


def test_har(path: Path) -> None:
    rows, data = made(path, Form.HAR)
    har = json.loads(data)["log"]
    assert har["version"] == "1.2"
    assert len(har["entries"]) == rows == 4
    first, *_, last = har["entries"]
    # HAR 1.2: what an entry, a request and a response must have.
    for entry in har["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(entry)
        for side in ("request", "response"):
            assert {"httpVersion", "cookies", "headers", "headersSize", "bodySize"} <= set(
                entry[side]
            )
    assert first["request"]["url"] == "https://api.internal/v1/messages"
    assert first["request"]["postData"]["text"] == SECRET_FREE.decode()
    assert first["response"]["content"]["text"] == ANSWER.decode()
    assert first["response"]["content"]["mimeType"].startswith("text/event-stream")
    assert first["time"] == 2500
    assert last["response"]["content"]["encoding"] == "base64"
    assert first["_proctor"]["proctor.session"] == "s1"
    assert "alice: allow by claude" in first["comment"]


def test_an_empty_har_is_one(path: Path) -> None:
    rows, data = made(path, Form.HAR, Choice(session="nobody's"))
    assert (rows, json.loads(data)["log"]["entries"]) == (0, [])


def test_mitmproxy_reads_its_own(path: Path) -> None:
    rows, data = made(path, Form.MITM)
    flows: list[Any] = list(FlowReader(io.BytesIO(data)).stream())
    assert len(flows) == rows == 4
    one, _, denied, broken = flows
    assert (one.request.raw_content, one.response.raw_content) == (SECRET_FREE, ANSWER)
    assert one.request.pretty_url == "https://api.internal/v1/messages"
    assert (denied.marked, denied.response.status_code) == (":no_entry:", 451)
    assert denied.metadata["proctor.rule"] == "default"
    assert broken.response.raw_content == BINARY
    assert broken.error.msg == "the upstream broke off"
    assert "authorization" not in {name.lower() for flow in flows for name in flow.request.headers}


def test_mitmdump_opens_it(path: Path, tmp_path: Path) -> None:
    """The real one, told to read and leave."""
    file = tmp_path / "export.mitm"
    file.write_bytes(made(path, Form.MITM)[1])
    dump = Path(sys.executable).parent / "mitmdump"
    ended = subprocess.run(
        [dump, "--set", f"confdir={tmp_path}", "-nr", file, "--set", "flow_detail=3"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0
    assert "list the files" in ended.stdout
    assert ended.stdout.count("api.internal") >= 3
    assert "451" in ended.stdout
    assert "rror" not in ended.stderr


def test_ocsf_lines(path: Path) -> None:
    found = lines(path, profile=Profile.OCSF)
    assert {each["class_uid"] for each in found} == {6003}
    assert len({each["metadata"]["uid"] for each in found}) == len(found)


def test_otlp_is_one_message_a_line(path: Path) -> None:
    rows, data = made(path, Form.OTLP)
    spans = [
        span
        for line in data.splitlines()
        for span in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    ]
    assert len(spans) == rows == 4
    assert "list the files" not in data.decode()
