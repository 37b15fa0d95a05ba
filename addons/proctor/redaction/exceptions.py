"""Findings that somebody has called harmless: for one detector, at one digest or place, for a time.

They stand in a file of the state folder, which nobody but proctor's own user can write: an agent
that could would let its own secrets out. Where the file is broken, the caller keeps the set it has.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from proctor.audit.store import replace
from proctor.errors import ConfigurationError
from proctor.runtime.permissions import check_private, make_folder

FILE = "exceptions.json"
"""Name of the file in the folder `state`."""

LONGEST = timedelta(days=365)
MAX_ITEMS = 1000
MAX_BYTES = 4 * 1024 * 1024

DETECTOR = re.compile(r"[a-z]+:[!-~][ -~]{0,159}")
DIGEST = re.compile(r"[0-9a-f]{16,64}")
_NAMED = re.compile(r"[^\W\d]")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Allowance(_Strict):
    """One exception.

    Attributes:
        detector: Whose findings, such as `betterleaks:generic-api-key`; never a type.
        digest: Keyed digest of the value, as in the view `findings`; empty for any value.
        path: Place, such as `messages[*].content[0].text`, where `[*]` stands for any number;
            empty for any place. Of digest and path at least one is given.
        reason: Why it is harmless.
        by: Who says so: a user of this machine.
        created: When it was made.
        expires: When it ends, at most a year later.
    """

    detector: str = Field(pattern=rf"^{DETECTOR.pattern}$")
    digest: str = Field(default="", pattern=rf"^({DIGEST.pattern})?$")
    path: str = Field(default="", max_length=512)
    reason: str = Field(min_length=1, max_length=500)
    by: str = Field(min_length=1, max_length=100)
    created: AwareDatetime
    expires: AwareDatetime

    @model_validator(mode="after")
    def _narrow(self) -> Self:
        if not self.digest and not self.path:
            raise ValueError("a digest or a path")
        if self.path and not _NAMED.search(self.path):
            raise ValueError("a path that names something")
        if not self.created < self.expires <= self.created + LONGEST:
            raise ValueError(f"an end within {LONGEST.days} days")
        return self

    @property
    def id(self) -> str:
        """Its name: the same for whatever allows the same."""
        named = f"{self.detector}\0{self.digest}\0{self.path}"
        return sha256(named.encode()).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """As events and commands show it."""
        return {"id": self.id, **self.model_dump(mode="json")}


class _File(_Strict):
    """What the file holds."""

    schema_version: int = Field(default=1, ge=1, le=1)
    exceptions: tuple[Allowance, ...] = Field(default=(), max_length=MAX_ITEMS)


class Exceptions:
    """One immutable set of exceptions."""

    __slots__ = ("_known", "items")

    def __init__(self, items: Sequence[Allowance] = ()) -> None:
        self.items = tuple(items)
        self._known: dict[tuple[str, str], list[tuple[re.Pattern[str] | None, Allowance]]] = {}
        for item in self.items:
            key = (item.detector, item.digest)
            self._known.setdefault(key, []).append((_pattern(item.path), item))

    def allowed(self, detector: str, digest: str, location: str, now: datetime) -> bool:
        """Whether a finding was called harmless.

        Args:
            detector: Who found it.
            digest: Of its value; empty if it has none.
            location: Where it stands.
            now: Aware.
        """
        return any(
            (pattern is None or pattern.fullmatch(location) is not None)
            and item.created <= now < item.expires
            for key in {(detector, digest), (detector, "")}
            for pattern, item in self._known.get(key, ())
        )


def load(path: Path) -> Exceptions:
    """The exceptions of a file; none where there is no file.

    Raises:
        ConfigurationError: `open-to-others`, `exceptions-unreadable`.
    """
    try:
        # Neither a link to somewhere else, nor a pipe that would keep us waiting.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Exceptions()
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from None
    with os.fdopen(handle, "rb") as file:
        check_private(path.parent, "proctor's own keys")
        check_private(path, "the exceptions")
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise _unreadable(path, f"more than {MAX_BYTES} bytes")
    try:
        return Exceptions(_File.model_validate_json(raw).exceptions)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(path, f"{first['msg']} in {place or 'the file'}") from None


def add(path: Path, item: Allowance, now: datetime) -> None:
    """Take up an exception, in the place of one that allows the same; what has ended goes.

    Args:
        path: The file; made with its folder if it is not there.
        item: The exception.
        now: Aware.

    Raises:
        ConfigurationError: As `load`, or `exceptions-full`.
        OSError: The file cannot be written.
    """
    with _locked(path):
        kept = [each for each in load(path).items if each.expires > now and each.id != item.id]
        if len(kept) >= MAX_ITEMS:
            raise ConfigurationError(
                code="exceptions-full",
                message="There are too many exceptions",
                expected=f"at most {MAX_ITEMS}",
                hint="`proctor findings disallow` takes some away.",
                where=str(path),
            )
        _write(path, [*kept, item])


def remove(path: Path, identifier: str) -> Allowance | None:
    """Take an exception away.

    Args:
        path: The file.
        identifier: The exception's `id`.

    Returns:
        What it was, or None if there is no such exception.

    Raises:
        ConfigurationError: As `load`.
        OSError: The file cannot be written.
    """
    with _locked(path):
        items = load(path).items
        gone = next((each for each in items if each.id == identifier), None)
        if gone is not None:
            _write(path, [each for each in items if each is not gone])
        return gone


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two commands at once do not undo each other; ends with the process, whatever happens."""
    make_folder(path.parent)
    check_private(path.parent, "proctor's own keys")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path.with_suffix(".lock"), flags, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, items: Sequence[Allowance]) -> None:
    found = {"schema_version": 1, "exceptions": [item.model_dump(mode="json") for item in items]}
    replace(path, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode(), path.parent)


def _pattern(path: str) -> re.Pattern[str] | None:
    """Only `[*]` stands for something else: a `*` of its own is a shortened name in a place."""
    return re.compile(re.escape(path).replace(r"\[\*\]", r"\[\d+\]")) if path else None


def _unreadable(path: Path, got: str) -> ConfigurationError:
    return ConfigurationError(
        code="exceptions-unreadable",
        message="The exceptions cannot be read",
        got=got,
        expected="the file as `proctor findings allow` wrote it",
        hint="Put it back from a copy, or remove it: then everything found is handled.",
        where=str(path),
    )
