"""Is a record that nobody signs whole, as far as that can be told?"""

from pathlib import Path

from proctor.evidence.verify.verifier import Asked, verify

UNSIGNED = {"not-signed", "key-trail-missing"}


def problems(path: Path) -> list[str]:
    """What is wrong but that it is not signed, and where."""
    report = verify(Asked(record=path))
    return [
        f"{each.code} {each.writer} {each.seq}"
        for each in report.findings.listed
        if each.level == "problem" and each.code not in UNSIGNED
    ]


def records(path: Path) -> dict[str, int]:
    """Records of each writer."""
    return {each.writer: each.records for each in verify(Asked(record=path)).writers}
