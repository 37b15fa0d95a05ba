"""A real bash with nothing in reach but stand-ins that note how they were called."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

BASH = Path("/bin/bash")
STAND_INS = ("rm", "ls", "git", "tee", "foo")
REAL = ("base64", "cat", "rev", "env", "nohup", "timeout", "xargs", "sh", "nice", "find")
_NOTE = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" $'\\1' >> "$NOTES"
"""


class Oracle:
    """What bash really runs."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._work, self._folder = folder / "bin", folder / "work", folder
        self._runs = 0
        self._bin.mkdir()
        self._work.mkdir()
        for name in STAND_INS:
            (self._bin / name).write_text(_NOTE)
            (self._bin / name).chmod(0o700)
        for name in REAL:
            for place in (Path("/usr/bin"), Path("/bin")):
                if (place / name).exists():
                    (self._bin / name).symlink_to(place / name)
                    break

    def ran(self, line: str) -> set[tuple[str, ...]]:
        """The stand-ins that the line ran, with their arguments."""
        self._runs += 1
        notes = self._folder / f"notes{self._runs}"  # for this run, whatever others left behind
        notes.touch()
        process = subprocess.Popen(
            [str(BASH), "-c", 'ulimit -t 5 && exec "$0" -c "$1"', str(BASH), line],
            cwd=self._work,
            env={"PATH": str(self._bin), "LC_ALL": "C.UTF-8", "NOTES": str(notes)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            return set()
        finally:
            # What it left running in the background ends with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        found: set[tuple[str, ...]] = set()
        words: list[str] = []
        for word in os.fsdecode(notes.read_bytes()).split("\0")[:-1]:
            if word == "\1":
                found.add(tuple(words))
                words = []
            else:
                words.append(word)
        return found
