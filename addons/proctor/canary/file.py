"""The file of canaries: digests and notes, never a value."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private

NAME: Final = "canaries.json"
"""In the state folder."""

MOST: Final = 500
_LARGEST: Final = 64 * 2**20
_MARK: Final = re.compile(r"[0-9a-f]{10}:[0-9a-f]{32}")
_ID: Final = re.compile(r"cn_[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One canary.

    Attributes:
        id: Its name.
        kind: What it looks like.
        note: What it is, in the words of whoever planted it.
        principal: For whom it was planted; "" for anybody.
        place: Where; "" where that was not said.
        created: When, UTC.
        marks: Digests by which it is known again.
    """

    id: str
    kind: str
    note: str
    principal: str
    place: str
    created: datetime
    marks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Without its marks."""
        found = asdict(self)
        del found["marks"]
        return {**found, "created": self.created.isoformat()}


def read(path: Path) -> tuple[Canary, ...]:
    """All canaries; none where there is no file.

    Raises:
        ConfigurationError: `canaries-file`: it cannot be read, or is open to others.
    """
    try:
        path.lstat()
        check_private(path, "the canaries")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise _unusable(path)
        items = json.loads(data)["canaries"]
        return tuple(_canary(item) for item in items)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError):
        raise _unusable(path) from None


def write(path: Path, canaries: Sequence[Canary]) -> None:
    """Put these in the file's place, 0600, whole or not at all.

    Raises:
        ConfigurationError: `canaries-file`.
    """
    items = [{**canary.as_json(), "marks": canary.marks} for canary in canaries]
    beside = path.with_suffix(".new")
    try:
        beside.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump({"version": 1, "canaries": items}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        raise _unusable(path) from None


def _canary(item: dict[str, Any]) -> Canary:
    marks = tuple(item["marks"])
    if not _ID.fullmatch(item["id"]) or not all(_MARK.fullmatch(mark) for mark in marks):
        raise ValueError
    return Canary(
        id=item["id"],
        kind=str(item["kind"]),
        note=str(item["note"]),
        principal=str(item["principal"]),
        place=str(item["place"]),
        created=datetime.fromisoformat(item["created"]),
        marks=marks,
    )


def _unusable(path: Path) -> ConfigurationError:
    return ConfigurationError(
        "canaries-file",
        "The file of canaries cannot be used",
        expected="what `proctor canary` wrote, mode 0600",
        where=str(path),
    )
