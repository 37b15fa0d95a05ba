"""`make bench` runs, what it measures of actions. No figure is asserted, only that it is there."""

from pathlib import Path

import pytest

from tests.support.bench import bench


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
