"""`make bench` runs: the harness with tiny counts. No figure is asserted, only that it is there."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "scripts" / "bench"
BENCH = FOLDER / "bench.py"


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
def test_search(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "search", "--scale", "0.01")

    assert done.returncode == 0, done.stderr
    assert [figure["goal"] for figure in report["figures"]["search"]] == [None, None, 50]


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


@pytest.mark.slow
def test_redaction(tmp_path: Path) -> None:
    done, report = bench(
        tmp_path,
        *(f"--only={name}" for name in ("redaction", "detection", "quality", "streams")),
        *("--scale", "0.01"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]
    assert [figure["goal"] for figure in figures["redaction"]] == [1.5, 8, None, 220]
    assert [figure["goal"] for figure in figures["detection"]] == [5, 15, 15, None, 5]
    assert [figure["goal"] for figure in figures["streams"]] == [50, 24, 0]
    assert all(figure["value"] is not None for kind in figures.values() for figure in kind)


@pytest.mark.slow
def test_held_actions(tmp_path: Path) -> None:
    done, report = bench(
        tmp_path, *(f"--only={name}" for name in ("tool-calls", "approvals")), "--scale", "0.01"
    )

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]
    assert [figure["goal"] for figure in figures["tool-calls"]] == [1, 5, 1, 5]
    goals = [figure["goal"] for figure in figures["approvals"]]
    assert goals == [300, 300, None, 300, None, 65, 10, 300, None]
    assert all(figure["value"] is not None for kind in figures.values() for figure in kind)


@pytest.mark.slow
def test_the_forward_listener(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "forward", "--scale", "0.02")

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]["forward"]
    assert [figure["goal"] for figure in figures] == [0.8, 0.8, *[None] * 9]
    assert all(figure["value"] is not None for figure in figures)


@pytest.mark.slow
def test_calls_over_mcp(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "mcp", "--scale", "0.01")

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]["mcp"]
    assert [figure["goal"] for figure in figures] == [2, 10, 2, 10, None, None]
    assert all(figure["value"] > 0 for figure in figures)


@pytest.mark.slow
def test_a_day_is_judged_as_a_gateway_judges_it(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "day")

    assert done.returncode == 0, done.stdout + done.stderr
    whole, _, live = report["figures"]["day"]
    assert sum(whole["details"]["of"].values()) > 1000
    held = {kind for kind, *_ in whole["details"]["stopped"]}
    assert {"git: push", "API: a change", "MCP: a change"} <= held
    assert "packages" not in held
    assert live["details"]["otherwise"] == []


def test_the_corpus_is_the_same_each_time_and_says_what_is_secret() -> None:
    made = [
        subprocess.run(
            [sys.executable, FOLDER / "secrets_corpus.py", "--seed", seed],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for seed in ("1", "1", "2")
    ]
    cases = [json.loads(line) for line in made[0].splitlines()]
    positives = [case for case in cases if case["secret"] is not None]
    lookalikes = [case for case in cases if case["secret"] is None]

    assert made[0] == made[1] != made[2]
    assert len({case["name"] for case in cases}) == len(cases)
    assert len({case["kind"] for case in positives}) >= 90
    assert len({case["kind"] for case in lookalikes}) >= 60
    assert all(case["text"].count(case["secret"]) == 1 for case in positives)
    assert not any(mark in case["text"] for case in cases for mark in "⟦⟧⟨⟩")


def test_an_unknown_measurement_is_refused(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "nothing")

    assert done.returncode == 2
    assert not report
