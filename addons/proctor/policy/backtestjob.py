"""A backtest in a process of its own, for the console: the gateway's loop and memory stay free.

It reads one JSON object from standard input and writes lines of JSON: `{"done": 3, "of": 40}` as it
goes on, and last `{"report": …}` or `{"error": …}`, the parts of a ProctorError.
"""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from proctor.errors import ConfigurationError, ProctorError
from proctor.model import ActionKind
from proctor.policy.backtestrun import Job, backtest
from proctor.policy.backtestshown import summary
from proctor.policy.features import Features

_MAX_ORDER = 1024 * 1024


def order(job: Job, seconds: float) -> bytes:
    """What `main` reads.

    Args:
        job: What is asked.
        seconds: How long it may take.
    """
    said = {
        "recordings": str(job.recordings),
        "rules": str(job.rules),
        "now": str(job.now) if job.now else None,
        "features": _said(job.features),
        "features_now": _said(job.features_now),
        "since": job.since.isoformat(),
        "until": job.until.isoformat(),
        "seconds": seconds,
    }
    return json.dumps(said).encode()


def read(data: bytes) -> tuple[Job, float]:
    """The same, read."""
    said = json.loads(data)
    job = Job(
        recordings=Path(said["recordings"]),
        rules=Path(said["rules"]),
        now=Path(said["now"]) if said["now"] else None,
        features=_features(said["features"]),
        features_now=_features(said["features_now"]),
        since=datetime.fromisoformat(said["since"]),
        until=datetime.fromisoformat(said["until"]),
    )
    return job, said["seconds"]


def main() -> None:
    """Do what standard input says."""
    job, seconds = read(sys.stdin.buffer.read(_MAX_ORDER))
    try:
        report = backtest(job, _progress, workers=1, seconds=seconds)
    except ProctorError as error:
        parts = {name: getattr(error, name) for name in ("code", "message", "got", "expected")}
        if isinstance(error, ConfigurationError) and error.where:
            # The folder stays out: it is one of this machine's.
            parts["message"] = f"{Path(error.where).name}: {error.message}"
        _write({"error": {**parts, "hint": error.hint}})
        return
    _write({"report": {**report.as_json(), "words": summary(report)}})


def _progress(done: int, of: int) -> None:
    _write({"done": done, "of": of})


def _write(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _said(features: Features) -> dict[str, Any]:
    def listed(names: frozenset[str] | None) -> list[str] | None:
        return None if names is None else sorted(names)

    return {
        "kinds": sorted(features.kinds),
        "unfilled": listed(features.unfilled),
        "listeners": listed(features.listeners),
        "servers": listed(features.servers),
        "entities": listed(features.entities),
    }


def _features(said: dict[str, Any]) -> Features:
    def names(found: list[str] | None) -> frozenset[str] | None:
        return None if found is None else frozenset(found)

    return Features(
        kinds=frozenset(map(ActionKind, said["kinds"])),
        unfilled=names(said["unfilled"]) or frozenset(),
        listeners=names(said["listeners"]),
        servers=names(said["servers"]),
        entities=names(said["entities"]),
    )


if __name__ == "__main__":
    main()
