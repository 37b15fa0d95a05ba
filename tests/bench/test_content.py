"""`make bench` runs, what it measures of content. No figure is asserted, only that it is there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bench import FOLDER, PATIENCE, bench


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


def test_the_corpus_is_the_same_each_time_and_says_what_is_secret() -> None:
    made = [
        subprocess.run(
            [sys.executable, FOLDER / "secrets_corpus.py", "--seed", seed],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
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
