"""Records as a sink's lines; what stands in them is in test_events.py and test_otlp.py."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proctor.audit.inquiry import open_record
from proctor.audit.reader import Reader
from proctor.export.lines import Lines
from proctor.export.otlp import Traces
from proctor.export.records import Record, after
from proctor.export.settings import ExportSettings
from tests.export.stocked import LINES, fill

FAR = datetime(2099, 1, 1, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("lines") / "recordings")


def made(path: Path, **more: Any) -> list[tuple[Record, list[dict[str, Any]]]]:
    settings = ExportSettings.model_validate({"name": "s", "to": "https://siem.test/x", **more})
    lines = Lines(settings=settings, store="x")
    with open_record(path) as connection:
        reader = Reader(connection)
        records = after(reader, "w0", 0, FAR)[1]
        found = lines.of(reader, records, Traces(store="x", content=settings.content))
        return [(record, [json.loads(line) for line in own]) for record, own in found]


def test_each_record_with_its_own(path: Path) -> None:
    found = made(path)
    assert [record.seq for record, _ in found] == list(range(LINES))
    assert all(line["seq"] == record.seq for record, own in found for line in own)
    assert all("prompt" not in line["data"] for _, own in found for line in own)


def test_with_content(path: Path) -> None:
    said = [line["data"] for _, own in made(path, content=True, views=("turns",)) for line in own]
    assert [(each["prompt"], each["output"]) for each in said] == [
        ("list the files", "Here: \u20ac")
    ]


def test_spans(path: Path) -> None:
    names = [line["name"] for _, own in made(path, format="otlp", content=True) for line in own]
    assert names == ["chat claude-sonnet", "execute_tool Bash", "execute_tool mcp__jira__read"]


def test_ocsf(path: Path) -> None:
    (line,) = [each for _, own in made(path, profile="ocsf", views=("turns",)) for each in own]
    assert line["class_uid"] == 6003
