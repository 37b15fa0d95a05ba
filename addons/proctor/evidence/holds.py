"""Legal holds: what is under one is neither dropped by age nor erased on request.

They stand in `holds.json` in the record's folder, and every change of them is an event of the
record. What the events say must all be in the file: a file that is missing, or older than the
events, stops retention and erasure altogether.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from proctor.audit.store import replace
from proctor.errors import ClientError, InternalError

FILE: Final = "holds.json"
ADDED: Final = "hold.added"
RELEASED: Final = "hold.released"
MAX_HOLDS: Final = 10_000
_MAX_FILE: Final = 16 * 2**20
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose content is meant: a principal's, a session's, or what is both's.

    Attributes:
        principal: `Principal.key`, or None for anybody.
        session: The client's own name for its run, or None for any.
    """

    principal: str | None = None
    session: str | None = None

    def fits(self, principal: str | None, session: str | None) -> bool:
        """Whether what belongs to these is meant."""
        return self.principal in {None, principal} and self.session in {None, session}

    def meets(self, other: "Subject") -> bool:
        """Whether something can belong to both."""
        return all(
            mine is None or theirs is None or mine == theirs
            for mine, theirs in (
                (self.principal, other.principal),
                (self.session, other.session),
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody said about the content of others: that it is kept, or that it goes.

    Attributes:
        subject: Whose; of nobody in particular: everything.
        reason: Why.
        by: `Reviewer.key`.
        at: RFC 3339.
    """

    subject: Subject
    reason: str
    by: str
    at: str

    def told(self) -> dict[str, str | None]:
        """As it stands in files and in the record, but for its name."""
        return {
            "principal": self.subject.principal,
            "session": self.subject.session,
            "reason": self.reason,
            "by": self.by,
            "at": self.at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Said):
    """One legal hold.

    Attributes:
        name: Chosen by whoever made it.
    """

    name: str

    def as_json(self) -> dict[str, str | None]:
        """As it stands in the file and in the record."""
        return {"name": self.name, **self.told()}

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> "Hold":
        """Reads one.

        Raises:
            ValueError: It is none.
        """
        try:
            texts = {name: said[name] for name in ("name", "reason", "by", "at")}
            whose = {name: said[name] for name in ("principal", "session")}
        except KeyError as error:
            raise ValueError("a member is missing") from error
        if not all(isinstance(each, str) for each in texts.values()) or not all(
            each is None or (isinstance(each, str) and each) for each in whose.values()
        ):
            raise ValueError("a member is no text")
        return cls(subject=Subject(**whose), **texts)


def checked_name(name: str) -> str:
    """A name as a hold may have it.

    Raises:
        ClientError: Code `hold-name`.
    """
    if not _NAME.fullmatch(name):
        raise ClientError(
            "hold-name",
            "A hold cannot have this name",
            expected="1 to 63 of a-z, 0-9, dot, - and _, the first a letter or a digit",
        )
    return name


def read(record: Path) -> dict[str, Hold]:
    """The holds in the file, by name; none where there is no file.

    Raises:
        InternalError: Code `holds-unreadable`.
    """
    try:
        with (record / FILE).open("rb") as source:
            data = source.read(_MAX_FILE + 1)
        found = json.loads(data)["holds"]
        if len(data) > _MAX_FILE or len(found) > MAX_HOLDS:
            raise ValueError("too many")  # noqa: TRY301 - said below
        holds = [Hold.parse(each) for each in found]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InternalError(
            "holds-unreadable",
            "The legal holds cannot be read, so nothing is dropped or erased",
            got=type(error).__name__,
            expected=f"{FILE} as proctor wrote it",
            hint="Restore it from a copy, or make the holds anew: `proctor record hold add`.",
        ) from None
    return {hold.name: hold for hold in holds}


def write(record: Path, holds: Iterable[Hold]) -> None:
    """Writes the file whole.

    Raises:
        OSError: The disk does not take it.
    """
    found = [hold.as_json() for hold in sorted(holds, key=lambda hold: hold.name)]
    replace(record / FILE, json.dumps({"schema": 1, "holds": found}).encode() + b"\n", record)


def stamp(record: Path) -> tuple[int, int, int] | None:
    """Another one whenever the file is another one."""
    try:
        found = (record / FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def told(events: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Hold]:
    """The holds that the events say are in force.

    Args:
        events: Kind and detail of `hold.added` and `hold.released`, in the order of time.

    Raises:
        InternalError: Code `holds-unreadable`: one cannot be read.
    """
    found: dict[str, Hold] = {}
    for kind, detail in events:
        try:
            hold = Hold.parse(detail)
        except ValueError:
            raise InternalError(
                "holds-unreadable",
                "An event about a legal hold cannot be read, so nothing is dropped or erased",
            ) from None
        if kind == ADDED:
            found[hold.name] = hold
        else:
            found.pop(hold.name, None)
    return found


def in_force(filed: Mapping[str, Hold], said: Mapping[str, Hold]) -> tuple[Hold, ...]:
    """The holds to go by.

    Raises:
        InternalError: Code `holds-behind`: the file lacks one that the events say is in force.
    """
    missing = sorted(name for name, hold in said.items() if filed.get(name) != hold)
    if missing:
        raise InternalError(
            "holds-behind",
            "The file of legal holds is older than the record, so nothing is dropped or erased",
            got=", ".join(missing[:5]),
            expected=f"all of them in {FILE}",
            hint="`proctor record hold add NAME …` once more, or `hold release NAME`, writes it.",
        )
    return tuple(filed.values())
