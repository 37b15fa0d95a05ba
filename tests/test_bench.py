"""`make bench` runs: the harness with tiny counts. No figure is asserted, only that it is there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "scripts" / "bench" / "bench.py"


def bench(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, BENCH, "--rounds", "1", "--json", report, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(report.read_bytes()) if report.exists() else {}
    return done, found


def test_what_needs_no_gateway(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "durable", "--scale", "0.01")

    assert done.returncode == 0, done.stderr
    figures = report["figures"]["durable"]
    assert [figure["goal"] for figure in figures] == [1, 5, 1, 5]
    assert all(figure["value"] > 0 for figure in figures)
    assert "record durable" in done.stdout
    assert {"date", "machine", "versions", "rounds", "scale"} <= report.keys()


@pytest.mark.slow
def test_side_by_side_with_stock(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "cpu", "--scale", "0.02")

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]["cpu"]
    assert [figure["goal"] for figure in figures] == [0.6, 0.8, 0.65, 0.8, None]
    assert all(figure["details"]["runs"][0]["stock"]["per_second"] > 0 for figure in figures)


@pytest.mark.slow
def test_latency_and_memory(tmp_path: Path) -> None:
    done, report = bench(
        tmp_path, *(f"--only={name}" for name in ("first-token", "memory")), "--scale", "0.01"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(
        figure["value"] is not None for kind in report["figures"].values() for figure in kind
    )


def test_an_unknown_measurement_is_refused(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "nothing")

    assert done.returncode == 2
    assert not report
