"""Which files there are: one for each writer and UTC day, `w0-20261122.1.db`.

The 1 counts how often it was made anew: a new one is made beside the old one and then stands for
it, so that no reader ever sees a half; 0 is one that is not whole yet.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

DRAFT = 0
_NAME = re.compile(r"(w\d{1,6})-(\d{8})\.(\d{1,9})\.db")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Which file it is."""

    writer: str
    day: date
    made: int

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.writer}-{self.day.isoformat().replace('-', '')}.{self.made}.db"


def places(folder: Path) -> list[Place]:
    """The files in use, the newest day first; of several of one day and writer the last made."""
    found: dict[tuple[str, date], Place] = {}
    for place in _all(folder):
        key = (place.writer, place.day)
        if place.made == DRAFT:
            continue
        if key not in found or place > found[key]:
            found[key] = place
    return sorted(found.values(), key=lambda place: (place.day, place.writer), reverse=True)


def superseded(folder: Path) -> list[Place]:
    """Files for which others stand, and what never became whole."""
    used = set(places(folder))
    return [place for place in _all(folder) if place not in used]


def _all(folder: Path) -> list[Place]:
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    matches = (_NAME.fullmatch(name) for name in names)
    found = []
    for match in matches:
        if match:
            try:
                day = date(int(match[2][:4]), int(match[2][4:6]), int(match[2][6:]))
            except ValueError:
                continue
            found.append(Place(match[1], day, int(match[3])))
    return found


def unlink(path: Path) -> None:
    """Removes a file and what SQLite put beside it; whoever reads it reads on."""
    for suffix in ("", "-wal", "-shm"):  # the first one first: then nobody opens it anew
        path.with_name(path.name + suffix).unlink(missing_ok=True)
