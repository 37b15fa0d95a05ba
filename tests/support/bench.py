"""`make bench` as a process, with tiny counts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.installation import CACHE, REPOSITORY

FOLDER = REPOSITORY / "scripts" / "bench"
PATIENCE = 600.0  # seconds; how fast anything is, is not for tests


def bench(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """One run and its report, empty where it wrote none."""
    report = folder / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, FOLDER / "bench.py"),
            *("--rounds", "1", "--cache", CACHE, "--json", report),
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    found: dict[str, Any] = json.loads(report.read_bytes()) if report.exists() else {}
    return done, found
