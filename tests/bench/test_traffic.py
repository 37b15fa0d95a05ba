"""`make bench` runs, what it measures of traffic. No figure is asserted, only that it is there."""

from pathlib import Path

import pytest

from tests.support.bench import bench


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
def test_the_forward_listener(tmp_path: Path) -> None:
    done, report = bench(tmp_path, "--only", "forward", "--scale", "0.02")

    assert done.returncode == 0, done.stdout + done.stderr
    figures = report["figures"]["forward"]
    assert [figure["goal"] for figure in figures] == [0.8, 0.8, *[None] * 9]
    assert all(figure["value"] is not None for figure in figures)
