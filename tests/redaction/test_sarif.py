"""Findings as SARIF: what the standard's schema asks of the parts that are written."""

import json
from typing import Any

from proctor import __version__
from proctor.redaction.filescan import Hit
from proctor.redaction.sarif import sarif

HIT = Hit(
    line=3, column=5, end_line=4, end_column=2, type="API_KEY", detector="betterleaks:x",
    score=0.95, location="a.b", before="left ", after=" right", value="HIDDEN",
)  # fmt: skip
MAIL = Hit(
    line=1, column=1, end_line=1, end_column=9, type="EMAIL_ADDRESS", detector="presidio:Email",
    score=0.5, location="body", before="", after="", value="HIDDEN",
)  # fmt: skip


def run(*args: Any) -> dict[str, Any]:
    log = sarif(*args)
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    assert "sarif-schema-2.1.0" in log["$schema"]
    text = json.dumps(log)
    assert not [word for word in ("HIDDEN", "left ", " right") if word in text]
    found: dict[str, Any] = json.loads(text)["runs"][0]
    return found


def test_results() -> None:
    found = run([("src/a b.env", HIT), ("/etc/é", MAIL), ("x", HIT)], {})
    driver = found["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("proctor", __version__)
    assert [rule["id"] for rule in driver["rules"]] == [
        "betterleaks:x/API_KEY",
        "presidio:Email/EMAIL_ADDRESS",
    ]
    assert found["results"][0] == {
        "ruleId": "betterleaks:x/API_KEY",
        "ruleIndex": 0,
        "level": "error",
        "rank": 95.0,
        "message": {"text": "API_KEY in a.b"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "src/a%20b.env"},
                    "region": {"startLine": 3, "startColumn": 5, "endLine": 4, "endColumn": 2},
                }
            }
        ],
    }
    levels = [(each["ruleIndex"], each["level"]) for each in found["results"]]
    assert levels == [(0, "error"), (1, "warning"), (0, "error")]
    place = found["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "file:///etc/%C3%A9"}
    assert found["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_what_was_not_looked_at() -> None:
    found = run([], {"a\udcff": "too large"})
    assert found["results"] == []
    (invocation,) = found["invocations"]
    assert not invocation["executionSuccessful"]
    (note,) = invocation["toolExecutionNotifications"]
    assert (note["level"], note["message"]) == ("error", {"text": "too large"})
    assert note["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "a%FF"}
