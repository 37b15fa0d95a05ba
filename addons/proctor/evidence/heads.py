"""The newest checkpoint of each writer, kept in proctor's own folder, away from the record.

A record that is shorter than its kept head, or another one, was rolled back. The gateway then lets
that writer rest and begins a new one: going on would sign a second history.
"""

from pathlib import Path
from typing import Final

from proctor.audit.store import replace
from proctor.tlog.note import MAX_NOTE

FOLDER: Final = "heads"


def _path(state: Path, origin: str) -> Path:
    return state / FOLDER / (origin.replace("/", "_") + ".note")


def keep(state: Path, origin: str, note: str) -> None:
    """Keeps a checkpoint in place of the one before.

    Raises:
        OSError: The disk does not take it.
    """
    path = _path(state, origin)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace(path, note.encode(), path.parent)


def kept(state: Path, origin: str) -> str | None:
    """The checkpoint that was kept last, or None.

    Raises:
        OSError: It is there and cannot be read.
    """
    try:
        with _path(state, origin).open("rb") as source:
            return source.read(MAX_NOTE).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
