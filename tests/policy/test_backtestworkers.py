"""Worker processes that end with what they are for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proctor.errors import InternalError
from proctor.policy.backtestworkers import processes

_GIVEN = ""
_KILLED = """
import os, signal
from tests.policy.test_backtestworkers import begin, forever, told
from proctor.policy.backtestworkers import processes
if __name__ == "__main__":
    with processes(1, begin, "a") as pool:
        print(pool.submit(told).result(), flush=True)
        pool.submit(forever)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def begin(given: str) -> None:
    global _GIVEN  # noqa: PLW0603 - one a worker process
    _GIVEN = given


def told() -> str:
    return _GIVEN


def forever() -> None:
    signal.pause()


def dies() -> None:
    os._exit(3)


def test_they_are_begun_with_what_is_given() -> None:
    with processes(2, begin, "a") as pool:
        assert [pool.submit(told).result() for _ in range(3)] == ["a", "a", "a"]


def test_what_is_under_way_ends_with_the_block() -> None:
    with processes(1, begin, "a") as pool:
        assert pool.submit(told).result() == "a"
        waiting = pool.submit(forever)
    assert waiting.done()


def test_one_that_ends_is_an_error() -> None:
    with pytest.raises(InternalError) as caught, processes(1, begin, "a") as pool:
        pool.submit(dies).result()
    assert caught.value.code == "backtest-failed"


def test_they_end_with_the_process_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    # What it prints ends when the last process that could print has ended.
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b"a\n"
