"""What `exports` may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.config import load
from proctor.errors import ConfigurationError
from proctor.export.events import VIEWS
from proctor.export.settings import ExportSettings
from tests.support.houses import house


def made(**given: Any) -> ExportSettings:
    return ExportSettings.model_validate({"name": "siem", **given})


def test_defaults() -> None:
    file = made(to="file:///var/log/proctor/records.ndjson")
    assert file.to == Path("/var/log/proctor/records.ndjson")
    assert (file.format, file.rotate, file.keep, file.content) == ("ndjson", 100 * 2**20, 10, False)
    assert file.wanted == frozenset(VIEWS)
    assert file.place == "/var/log/proctor/records.ndjson"
    assert made(to="https://siem.internal/ingest/abc").place == "https://siem.internal"


@pytest.mark.parametrize(
    "to",
    ["file://host/x", "file:///", "file:///a/", "file:///a/../b", "file:///a?b", "http://siem.test/",
     "https://u:p@siem.test/", "https://siem.test/?k=v", "ftp://x/y", "relative", "", 3, None],
)  # fmt: skip
def test_places_that_are_none(to: object) -> None:
    with pytest.raises(ValidationError):
        made(to=to)


@pytest.mark.parametrize(
    "more",
    [
        {"to": "file:///a", "batch": 5},
        {"to": "file:///a", "header": {"name": "x-key", "value": {"env": "X"}}},
        {"to": "file:///a", "rotate": "1KiB"},
        {"to": "file:///a", "keep": 0},
        {"to": "https://siem.test/", "rotate": "1GiB"},
        {"to": "https://siem.test/", "format": "otlp", "views": ("flows",)},
        {"to": "https://siem.test/", "format": "otlp", "profile": "ocsf"},
        {"to": "https://siem.test/", "views": ("flows", "flows")},
        {"to": "https://siem.test/", "views": ("sessions",)},
        {"to": "https://siem.test/", "format": "parquet"},
        {"to": "https://siem.test/", "batch": 0},
        {"to": "https://siem.test/", "header": {"name": "x-key", "value": "literal"}},
        {"to": "https://siem.test/", "header": {"name": "host", "value": {"env": "X"}}},
    ],
    ids=str,
)
def test_what_does_not_fit(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**more)


def test_in_proctor_yaml(tmp_path: Path) -> None:
    file = house(
        tmp_path,
        "rules: []\n",
        "exports:\n"
        "  - {name: siem, to: file:///var/log/records.ndjson, rotate: 100MiB, keep: 10}\n"
        "  - name: splunk\n"
        "    to: https://siem.internal/ingest\n"
        "    header: {name: Authorization, value: {env: X}}\n"
        "    batch: 500\n"
        "    views: [flows, decisions]\n"
        "  - {name: traces, to: https://otel.internal/v1/traces, format: otlp}\n",
    )
    found = load(file).exports
    assert [each.name for each in found] == ["siem", "splunk", "traces"]
    assert found[1].views == ("flows", "decisions")


def test_a_name_is_one_sink_s(tmp_path: Path) -> None:
    two = "exports:\n  - {name: a, to: file:///a}\n  - {name: a, to: file:///b}\n"
    with pytest.raises(ConfigurationError, match="a"):
        load(house(tmp_path, "rules: []\n", two))


def test_a_place_is_one_sink_s(tmp_path: Path) -> None:
    two = "exports:\n  - {name: a, to: file:///a}\n  - {name: b, to: file:///a}\n"
    with pytest.raises(ConfigurationError, match="'/a' stands twice"):
        load(house(tmp_path, "rules: []\n", two))


def test_a_wrong_place_is_told_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(house(tmp_path, "rules: []\n", "exports:\n  - {name: a, to: 'http://siem.test/x'}\n"))
    assert "`exports[0].to`" in str(caught.value)
    assert "expected file:///FILE, or an https URL" in str(caught.value)
