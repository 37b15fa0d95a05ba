"""Findings in files as SARIF 2.1.0, which code hosts and editors read; never a value.

OASIS Standard, 27 March 2020; the sections named below are its.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from proctor import __version__
from proctor.redaction.filescan import Hit
from proctor.redaction.model import SECRETS

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(found: Iterable[tuple[str, Hit]], missed: Mapping[str, str]) -> dict[str, Any]:
    """One run as a SARIF log.

    Args:
        found: Files as they were named, and what was found in them.
        missed: Files that could not be looked at whole, and why.
    """
    results: list[dict[str, Any]] = []
    rules: dict[str, dict[str, Any]] = {}
    places: dict[str, int] = {}
    for name, hit in found:
        rule = f"{hit.detector}/{hit.type}"
        level = "error" if hit.type in SECRETS else "warning"
        if rule not in rules:
            places[rule] = len(rules)
            rules[rule] = {
                "id": rule,
                "shortDescription": {"text": f"{hit.type}, found by {hit.detector}"},
                "defaultConfiguration": {"level": level},
            }
        results.append(
            {
                "ruleId": rule,
                "ruleIndex": places[rule],
                "level": level,
                "rank": round(hit.score * 100, 1),
                "message": {"text": f"{hit.type} in {hit.location}"},
                "locations": [{"physicalLocation": _place(name, hit)}],
            }
        )
    notes: Sequence[dict[str, Any]] = [
        {
            "level": "error",
            "message": {"text": why},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(name)}}}],
        }
        for name, why in missed.items()
    ]
    driver = {"name": "proctor", "version": __version__, "rules": list(rules.values())}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [
                    {"executionSuccessful": not notes, "toolExecutionNotifications": notes}
                ],
                "results": results,
            }
        ],
    }


def _place(name: str, hit: Hit) -> dict[str, Any]:
    return {
        "artifactLocation": {"uri": _uri(name)},
        "region": {
            "startLine": hit.line,
            "startColumn": hit.column,
            "endLine": hit.end_line,
            "endColumn": hit.end_column,
        },
    }


def _uri(name: str) -> str:
    """A file's name as a URI reference (RFC 3986), as 3.4.3 asks for."""
    path = PurePath(name)
    text = quote(path.as_posix().encode("utf-8", "surrogateescape"))
    return f"file://{text}" if path.is_absolute() else text
