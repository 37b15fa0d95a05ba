"""What was done to a server, and how it is undone: one JSON file of proctor's own, 0600."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import orjson

from proctor.audit.store import replace
from proctor.errors import ConfigurationError
from proctor.postgres.hardening.model import Step, Wanted
from proctor.runtime.permissions import check_private, make_folder

_VERSION: Final = 1
_MAX: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One plan that was applied.

    Attributes:
        listener: For whose sake.
        database: In which.
        role: From whom.
        schema: Of the views.
        columns: That were kept back: schema, table and column of each.
        at: When, RFC 3339.
        steps: What was done.
        before: What rights there were, by object.
        after: The same, afterwards.
    """

    listener: str
    database: str
    role: str
    schema: str
    columns: tuple[tuple[str, str, str], ...]
    at: str
    steps: tuple[Step, ...]
    before: dict[str, str]
    after: dict[str, str]

    @property
    def undo(self) -> tuple[str, ...]:
        """Statements that take all of it back."""
        return tuple(sql for step in reversed(self.steps) for sql in step.undo)

    @classmethod
    def of(cls, data: Any) -> Self:
        """As `written` has it; ValueError, KeyError or TypeError where it is none."""
        if data["version"] != _VERSION:
            raise ValueError("another version")
        steps = tuple(
            Step(what=str(each["what"]), sql=_texts(each["sql"]), undo=_texts(each["undo"]))
            for each in data["steps"]
        )
        names = ("listener", "database", "role", "schema", "at")
        listener, database, role, schema, at = (str(data[name]) for name in names)
        return cls(
            listener=listener,
            database=database,
            role=role,
            schema=schema,
            columns=tuple((str(one), str(two), str(three)) for one, two, three in data["columns"]),
            at=at,
            steps=steps,
            before={str(key): str(value) for key, value in data["before"].items()},
            after={str(key): str(value) for key, value in data["after"].items()},
        )

    def written(self) -> bytes:
        """As JSON."""
        return orjson.dumps({"version": _VERSION, **_plain(self)}, option=orjson.OPT_INDENT_2)


def _plain(applied: Applied) -> dict[str, Any]:
    return {
        "listener": applied.listener,
        "database": applied.database,
        "role": applied.role,
        "schema": applied.schema,
        "columns": applied.columns,
        "at": applied.at,
        "steps": [
            {"what": each.what, "sql": each.sql, "undo": each.undo} for each in applied.steps
        ],
        "before": applied.before,
        "after": applied.after,
    }


def _bounded(path: Path) -> bytes:
    if path.stat().st_size > _MAX:
        raise ValueError("too long")
    return path.read_bytes()


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value)


class Plans:
    """The plans of an installation.

    Args:
        state: Its folder for what it keeps.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state / "postgres"

    def path(self, wanted: Wanted) -> Path:
        """Where one lies."""
        names = (quote(each, safe="") for each in (wanted.listener, wanted.database, wanted.role))
        return self._folder / f"{'+'.join(names)}.json"

    def load(self, wanted: Wanted) -> Applied | None:
        """The plan that was applied; None where there is none.

        Raises:
            ConfigurationError: `harden-plan`, `open-to-others`.
        """
        path = self.path(wanted)
        if not path.exists():
            return None
        check_private(path, "what was done to a database server")
        try:
            return Applied.of(orjson.loads(_bounded(path)))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigurationError(
                "harden-plan",
                "What was done to a database server cannot be read",
                got=str(path),
                hint="Restore the file from a backup of `state`.",
            ) from None

    def keep(self, wanted: Wanted, applied: Applied) -> None:
        """Write one, durable when this returns."""
        make_folder(self._folder)
        replace(self.path(wanted), applied.written(), self._folder)

    def forget(self, wanted: Wanted) -> None:
        """It was undone."""
        self.path(wanted).unlink(missing_ok=True)
