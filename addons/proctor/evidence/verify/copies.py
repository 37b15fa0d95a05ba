"""Copies: a backup was taken at a moment, and a bundle holds a part that it names.

What a copy says of itself is signed by nobody. So the moment is told with the findings, and a part
is as large as it says, or that is a problem.
"""

import json
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from proctor.evidence.verify.findings import Findings

_BACKUP: Final = "backup.json"
_BUNDLE: Final = "bundle.json"
_MAX_NOTE = 64 * 1024


def as_of(path: Path, bundle: dict[str, Any] | None, now: datetime, findings: Findings) -> datetime:
    """When promises of another checkpoint are judged: now, or when a copy was made.

    Args:
        path: The record's folder.
        bundle: bundle.json, or None.
        now: UTC.
        findings: Told of the moment.

    Raises:
        OSError: backup.json cannot be read.
    """
    name, said = _BUNDLE, bundle.get("made") if bundle is not None else None
    if bundle is None:
        try:
            with (path / _BACKUP).open("rb") as source:
                data = source.read(_MAX_NOTE)
        except FileNotFoundError:
            return now
        name, said = _BACKUP, _said(data)
    moment = _moment(said)
    if moment is None or moment > now + timedelta(seconds=60):
        findings.problem(
            "copy-unreadable",
            "A copy does not say when it was made, or names a time to come",
            file=name,
        )
        return now
    findings.notice(
        "copy",
        "This says that it is a copy of that time; whether the record went on is not asked",
        time=moment.isoformat(),
        file=name,
    )
    return moment


def check_kept(
    writer: str, said: dict[str, Any], there: bytes | bytearray, signed: int, findings: Findings
) -> None:
    """Compares the records of a bundle with those that it says it holds.

    Args:
        writer: Whose.
        said: What bundle.json says of it.
        there: For each number, whether the record is there.
        signed: Size of the newest checkpoint.
        findings: Takes what is wrong.
    """
    kept: list[list[int]] = []
    for is_there, run in groupby(enumerate(there), key=lambda each: bool(each[1])):
        if is_there:
            numbers = [number for number, _ in run]
            kept.append([numbers[0], numbers[-1]])
    if said.get("size") != signed or said.get("kept") != kept:
        wanted = said.get("kept")
        pairs = zip(kept, wanted if isinstance(wanted, list) else (), strict=False)
        first = next((run[0] for run, other in pairs if run != other), None)
        findings.problem(
            "bundle-records",
            "The records of this copy are not those that it says it holds",
            writer=writer,
            seq=first,
            file=_BUNDLE,
            expected=f"{signed} records signed, and every run that bundle.json names",
            found=f"{sum(map(bool, there))} records in {len(kept)} runs",
        )


def _said(data: bytes) -> object:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found.get("at") if isinstance(found, dict) else None


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found and found.tzinfo else None
