"""`make bench`: the figures, side by side with what they are compared to.

Prints a table and writes everything behind it as JSON. It is a benchmark: a goal that is missed is
said, and is no failure. Half an hour; --quick takes some ten minutes and tells less.
"""

import argparse
import json
import os
import platform
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import approvals
import backtest
import chaos
import cpu
import detecting
import durable
import forward
import inspection
import latency
import mcpcalls
import memory
import psutil
import redacted
import retention
import stopped
import streaming
import toolcalls
import verify
from figures import Figure
from lab import ROOT, Lab, lab
from rich.console import Console
from rich.table import Table

import arriving
import git
import postgres
import search
import sql
from proctor.errors import ProctorError

type Measure = Callable[..., Iterator[Figure]]

MEASURES: dict[str, Measure] = {
    "cpu": cpu.measure,
    "first-token": latency.first_token,
    "turn": latency.turn,
    "clients": latency.clients,
    "durable": durable.measure,
    "memory": memory.measure,
    "sql": sql.measure,
    "backtest": backtest.measure,
    "search": search.measure,
    "retention": retention.measure,
    "verify": verify.measure,
    "tampering": verify.tampering,
    "redaction": redacted.measure,
    "inspection": inspection.measure,
    "arriving": arriving.measure,
    "detection": detecting.measure,
    "quality": detecting.quality,
    "streams": streaming.measure,
    "chaos": chaos.measure,
    "tool-calls": toolcalls.measure,
    "approvals": approvals.measure,
    "forward": forward.measure,
    "mcp": mcpcalls.measure,
    "git": git.measure,
    "day": stopped.measure,
    "postgres": postgres.measure,
}
QUICK = 0.1
LIMIT = 14 * 60.0
"""Seconds after which no further measurement is begun; the longest takes some three minutes."""

_COLOURS = {"ok": "green", "missed": "red", "failed": "bold red", "reported": "default"}
_PACKAGES = ("proctor", "mitmproxy", "duckdb", "pyarrow", "pyjwt", "cryptography", "h2")


def main(arguments: list[str]) -> int:
    """Measure what was asked for; 0 unless something could not be measured."""
    given = _parser().parse_args(arguments)
    # So that what was started ends with us, and the folder goes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    figures: dict[str, list[Figure]] = {}
    started = time.monotonic()
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="proctor-bench-") as folder,
        lab(Path(folder), given.cache) as made,
    ):
        for name in given.only or MEASURES:
            if time.monotonic() - started > LIMIT:
                figures[name] = [_failed(name, "not begun: the time is up")]
                continue
            console.print(f"{name} …", style="dim")
            figures[name] = _measured(name, made, given)
    report = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
        "rounds": given.rounds,
        "scale": given.scale,
        "machine": _machine(),
        "versions": _versions(),
        "figures": {name: [each.as_json() for each in found] for name, found in figures.items()},
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    everything = [figure for found in figures.values() for figure in found]
    Console().print(_table(everything))
    print(f"{report['seconds']:.0f} s; everything behind it: {given.json}")
    return int(any(figure.status == "failed" for figure in everything))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(MEASURES), help="one of them; again for more"
    )
    parser.add_argument("--rounds", type=int, default=7, help="runs that a median is taken of")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual counts")
    parser.add_argument(
        "--quick", dest="scale", action="store_const", const=QUICK, help=f"--scale {QUICK}"
    )
    parser.add_argument(
        "--cache", type=Path, help="keep compiled rules in this folder, for the next run"
    )
    parser.add_argument(
        "--json", type=Path, default=ROOT / "bench-results" / "latest.json", help="where to write"
    )
    return parser


def _measured(name: str, made: Lab, given: argparse.Namespace) -> list[Figure]:
    """One measurement's figures; what fails does not keep the others from being measured."""
    found: list[Figure] = []
    try:
        found.extend(MEASURES[name](made, rounds=given.rounds, scale=given.scale))
    except (OSError, RuntimeError, ProctorError) as error:
        found.append(_failed(name, str(error)))
    return found


def _failed(name: str, why: str) -> Figure:
    return Figure(what=name, value=None, unit="", note=why[-300:], details={"error": why})


def _table(figures: list[Figure]) -> Table:
    table = Table(title="make bench", title_justify="left")
    for column, justify in (("what", "left"), ("measured", "right"), ("goal", "right")):
        table.add_column(column, justify="left" if justify == "left" else "right")
    table.add_column("", justify="left")
    table.add_column("more", style="dim")
    for figure in figures:
        colour = _COLOURS[figure.status]
        table.add_row(
            figure.what,
            _number(figure.value, figure.unit),
            f"{'≥' if figure.least else '≤'} {figure.goal:g}" if figure.goal is not None else "",
            f"[{colour}]{figure.status}[/]",
            figure.note,
        )
    return table


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f} {unit}"


def _machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 1_000_000,
        "load": os.getloadavg(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES if _installed(name)}
    return {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, **found}


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ImportError:  # PackageNotFoundError: proctor itself may run from its sources
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
