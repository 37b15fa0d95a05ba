"""Which scope a body belongs to, and how many of them are kept in mind."""

import json
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from proctor.audit.content import BIRTH, Scope, Sink
from proctor.model import Session

IDLE = 30 * 60.0
MAX_SCOPES = 4096
# Some 150 bytes each.
MAX_SEEN = 200_000

type Key = tuple[str, str | None, str]
type Fits = Callable[[str, str, str | None], bool]
"""Whether a scope is meant: gets its name, the principal's key and the session's name, or None."""


def born_at(name: str) -> int:
    """When a scope was born, in milliseconds since the epoch.

    Raises:
        ValueError: It is no scope's name.
    """
    return int(name.partition(".")[2][:12], 16)


def day_of(name: str) -> str:
    """The UTC day on which a scope was born, `2026-11-22`.

    Raises:
        ValueError: It is no scope's name.
    """
    try:
        return datetime.fromtimestamp(born_at(name) / 1000, UTC).date().isoformat()
    except (OverflowError, OSError):
        raise ValueError("no time") from None


class Scopes:
    """One scope for each principal and session run; without a session one for each UTC day.

    Those that rest for 30 minutes are dropped, and the longest unused ones when there are too many.
    A session that goes on after that gets a new scope.

    Args:
        writer: Its name begins a scope's, so that names sort by writer and birth.
        sink: Takes a content line's members.
        clock: Seconds since the epoch.
    """

    def __init__(self, writer: str, sink: Sink, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._sink = sink
        self._clock = clock
        self._scopes: OrderedDict[Key, tuple[Scope, float]] = OrderedDict()
        self._swept = 0.0
        # Whoever is under way may hold one that is dropped here.
        self._alive: WeakKeyDictionary[Scope, Key] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._scopes)

    def get(self, principal: str, session: Session | None) -> Scope:
        """The scope of this run; a new one is written into the journal."""
        now = self._clock()
        if session is None:
            key: Key = (principal, None, datetime.fromtimestamp(now, UTC).date().isoformat())
        else:
            key = (principal, session.id, session.started.isoformat())
        if now - self._swept >= 1.0:
            self._swept = now
            self._sweep(now)
        found = self._scopes.get(key)
        scope = found[0] if found is not None else self._new(key, now)
        self._scopes[key] = (scope, now)
        self._scopes.move_to_end(key)
        return scope

    def alive(self) -> frozenset[str]:
        """Names of all that something may still be stored in."""
        self._sweep(self._clock())
        return frozenset(scope.id for scope in self._alive)

    def renew(self, fits: Fits) -> list[str]:
        """Makes scopes others, since what they hold is to be erased.

        Args:
            fits: Says which.

        Returns:
            Names that they had.
        """
        found = [
            (scope, key) for scope, key in self._alive.items() if fits(scope.id, key[0], key[1])
        ]
        names = [scope.id for scope, _ in found]
        for scope, key in found:
            scope.renew(*self._born(key, self._clock()))
        return names

    def _new(self, key: Key, now: float) -> Scope:
        scope = Scope(*self._born(key, now), self._sink)
        self._alive[scope] = key
        return scope

    def _born(self, key: Key, now: float) -> tuple[str, bytes]:
        """Writes the line that begins a scope; returns its name and salt."""
        principal, session_id, _ = key
        name = f"{self._writer}.{int(now * 1000):012x}{secrets.token_hex(6)}"
        salt = secrets.token_bytes(32)
        birth = {
            "scope": name,
            "salt": salt.hex(),
            "principal": principal,
            "session_id": session_id,
        }
        self._sink(BIRTH, json.dumps(birth, separators=(",", ":"))[1:-1])
        return name, salt

    def _sweep(self, now: float) -> None:
        seen = sum(scope.seen for scope, _ in self._scopes.values())
        while self._scopes:
            scope, used = next(iter(self._scopes.values()))
            if len(self._scopes) < MAX_SCOPES and seen <= MAX_SEEN and now - used < IDLE:
                return
            seen -= scope.seen
            self._scopes.popitem(last=False)
