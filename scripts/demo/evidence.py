"""The demo's last part: what an outsider can check, and what a new rule would have done."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from proctor.testing import gateway

TIGHTER = """\
rules:
  - id: no-shell-at-all
    on: llm.tool_use
    match: Bash
    then: deny
    reason: The shell is for people.
"""

# What was changed in a journal may lie in a file already, too: then the two do not agree.
_CHANGED = frozenset({"record-changed", "copies-differ"})

type Run = Callable[..., None]


def outsider(house: Path, folder: Path, run: Run) -> dict[str, bool]:
    """Verify the record, then a copy in which one byte of one record is another.

    Args:
        house: Where proctor.yaml is.
        folder: For the copy.
        run: Runs a command of proctor's for people to see.

    Returns:
        What was checked, and whether it was as it should be.
    """
    printed = gateway.command("verify", "--print-key", cwd=house)
    key = folder / "record-key.vkey"
    key.write_text(printed.stdout)
    run("verify", "recordings", "--key", str(key), "--format", "table", cwd=house)
    copy = shutil.copytree(house / "recordings", folder / "copy")
    journal = next(path for path in sorted(copy.glob("writers/w0/*.jsonl")) if _told(path))
    data = journal.read_bytes()
    at = data.index(b'"verdict":"deny"')
    journal.write_bytes(data[: at + 11] + b"h" + data[at + 12 :])
    run("verify", str(copy), "--key", str(key), "--format", "table", cwd=folder, status=1)
    return {
        "an outsider finds the record whole, with its files and a public key alone": (
            gateway.command("verify", "recordings", "--key", str(key), cwd=house).returncode == 0
        ),
        "and finds the one byte that was changed in a copy": (
            not _CHANGED.isdisjoint(_found(copy, key))
        ),
    }


def in_hindsight(house: Path, run: Run) -> dict[str, bool]:
    """Ask the record what a tighter rule would have done.

    Args:
        house: Where proctor.yaml is.
        run: As in `outsider`.
    """
    tighter = shutil.copytree(house / "rules", house / "rules-new")
    (tighter / "tighter.yaml").write_text(TIGHTER)
    run("backtest", "rules-new", "--since", "1d", "--format", "table", cwd=house)
    surprise = ("backtest", "rules-new", "--since", "1d", "--fail-on", "newly-denied")
    return {
        "a tighter rule, tried on the record, shows whom it would have stopped": (
            gateway.command(*surprise, cwd=house).returncode == 1
        )
    }


def _found(record: Path, key: Path) -> set[str]:
    """Codes of what is wrong with a record."""
    done = gateway.command(
        "verify", str(record), "--key", str(key), "--format", "json", cwd=key.parent
    )
    return {each["code"] for each in json.loads(done.stdout)["findings"]}


def _told(path: Path) -> bool:
    return path.stem.isdecimal() and b'"verdict":"deny"' in path.read_bytes()
