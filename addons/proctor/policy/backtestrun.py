"""A backtest over the record, in worker processes where it is long."""

import gc
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

import duckdb

from proctor.audit.inquiry import open_record
from proctor.errors import ClientError, ConfigurationError
from proctor.model import ActionKind
from proctor.policy.backtest import Judge, Tally, run_over
from proctor.policy.backtestreport import Report, report_of
from proctor.policy.backtestworkers import processes
from proctor.policy.engine import Policy, load_policy
from proctor.policy.features import Features
from proctor.policy.recorded import Line
from proctor.policy.recordedrows import Stretch, recorded_between, stretches

WORKERS: Final = 2
ALONE: Final = 4
"""Stretches up to which one process does it: starting others takes a second."""

_MEMORY: Final = "512MB"

type Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked.

    Attributes:
        recordings: The folder of the record.
        rules: The folder of the new rules.
        now: The folder of the rules in force; None where they are not known.
        features: What rules may name, by the new configuration.
        features_now: The same by the one in force.
        since: From when on.
        until: Up to when.
    """

    recordings: Path
    rules: Path
    now: Path | None
    features: Features
    features_now: Features
    since: datetime
    until: datetime


_TOLD: Final = frozenset({ActionKind.MCP_CALL.value, ActionKind.GIT_PUSH.value})
"""Kinds of actions of which the body on record says what they were."""

_JSON: Final = {ActionKind.HTTP_REQUEST: "http.json", ActionKind.WS_MESSAGE: "ws.json"}
"""Fields that are JSON."""


class _Part:
    """One process's share: its connection and what it remembers of cases."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.judge = Judge(load_policy(job.rules, features=job.features))
        self.now = _rules_now(job)
        self.connection = open_record(job.recordings, memory=_MEMORY, threads=1)
        self._json = {
            kind.value for kind, field in _JSON.items() if field in self.judge.reads(kind)
        }

    def run(self, stretch: Stretch) -> Tally:
        """Count what becomes of a stretch."""
        job = self.job
        found = recorded_between(self.connection, stretch, job.since, job.until, self._body)
        return run_over(found, self.judge, self.now)

    def _body(self, line: Line) -> bool:
        """Bodies are read where they say what was asked for, or where a rule looks into JSON."""
        if line.answer:
            return False
        kinds = [each["action_kind"] for each in line.decisions]
        return not _TOLD.isdisjoint(kinds) or not self._json.isdisjoint(kinds)

    def close(self) -> None:
        """Let go of the record."""
        self.connection.close()


_part: _Part | None = None


def _begin(job: Job) -> None:
    global _part  # noqa: PLW0603 - one a worker process
    _part = _Part(job)
    gc.freeze()  # what is there stays
    gc.disable()  # `_work` collects between stretches: within one, all there is is in use


def _work(stretch: Stretch) -> Tally:
    if _part is None:
        raise RuntimeError("the worker was not begun")
    found = _part.run(stretch)
    gc.collect(0)  # what was made since the last time; not again all that is remembered
    return found


def _rules_now(job: Job) -> Policy | None:
    if job.now is None:
        return None
    try:
        return load_policy(job.now, features=job.features_now)
    except ConfigurationError:
        return None  # the record says what they said; only their terms and times stay unknown


def backtest(
    job: Job,
    progress: Progress = lambda _done, _all: None,
    *,
    workers: int = WORKERS,
    seconds: float | None = None,
) -> Report:
    """Decide what is on record anew.

    Args:
        job: What is asked.
        progress: Told how many parts of how many are done.
        workers: Processes to use.
        seconds: How long it may take; None for as long as it takes.

    Raises:
        ConfigurationError: The new rules are wrong, or the record cannot be read.
        ClientError: `backtest-too-long`.
        InternalError: `backtest-failed`.
    """
    begun = monotonic()
    policy = load_policy(job.rules, features=job.features)
    tally = Tally()
    try:
        with open_record(job.recordings, memory=_MEMORY, threads=1) as connection:
            parts = stretches(connection, job.since, job.until)
        progress(0, len(parts))
        alone = len(parts) <= ALONE or workers == 1
        each = _alone(job, parts) if alone else _shared(job, parts, workers)
        with closing(each):
            for number, found in enumerate(each, 1):
                tally.merge(found)
                progress(number, len(parts))
                if seconds is not None and monotonic() - begun > seconds:
                    raise _too_long(seconds)
    except duckdb.Error as error:
        raise ConfigurationError(
            code="record-unreadable",
            message="The record cannot be read",
            got=type(error).__name__,
            hint="`proctor doctor` says what is wrong with it.",
            where=str(job.recordings),
        ) from None
    now = _rules_now(job)
    return report_of(
        tally,
        since=job.since,
        until=job.until,
        version=policy.version,
        old=now.rules if now else (),
        new=policy.rules,
        seconds=monotonic() - begun,
    )


def _alone(job: Job, parts: list[Stretch]) -> Generator[Tally]:
    part = _Part(job)
    try:
        yield from map(part.run, parts)
    finally:
        part.close()


def _shared(job: Job, parts: list[Stretch], workers: int) -> Generator[Tally]:
    with processes(workers, _begin, job) as pool:
        waiting = [pool.submit(_work, part) for part in parts]
        for future in waiting:
            yield future.result()


def _too_long(seconds: float) -> ClientError:
    return ClientError(
        code="backtest-too-long",
        message="The backtest was stopped",
        expected=f"an answer within {seconds:g} s",
        hint="Ask for a shorter span; `proctor backtest` takes its time.",
        status=503,
    )
