"""What a process remembers of the vault, so that a repeat costs no look into the file."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

from proctor.redaction.surrogates import SIZE

type Item = tuple[str, str, str]
"""A surrogate, and the type and the value it stands for."""

_ENTRIES = 20_000
_USES = 50_000
_CHARACTERS = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Entry:
    """What a surrogate stands for.

    Attributes:
        type: The entity type.
        value: What to put back.
        until: When it is forgotten, seconds since the epoch.
    """

    type: str
    value: str = field(repr=False)
    until: float


class Remembered:
    """The entries and uses of late, bounded. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        self._uses: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._characters = 0
        self._forgotten = 0

    def unknown(
        self, principal: str, session: str, items: Iterable[Item], since: float
    ) -> list[Item]:
        """Those items that were not put for this session since then, seconds since the epoch."""
        with self._lock:
            return [item for item in items if not self._known(principal, session, item, since)]

    def get(self, principal: str, letters: str) -> Entry | None:
        """The entry, if it is remembered."""
        key = (principal, letters)
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def keep(self, principal: str, letters: str, entry: Entry) -> None:
        """Remember an entry that is in the file."""
        with self._lock:
            self._keep(principal, letters, entry)

    def used(
        self, principal: str, session: str, items: Iterable[Item], *, now: float, until: float
    ) -> None:
        """Remember that the file holds these items for this session."""
        with self._lock:
            for token, entity, value in items:
                self._keep(principal, token[-SIZE:], Entry(entity, value, until))
                self._use(principal, session, token, now)

    def untouched(
        self, principal: str, session: str, tokens: Iterable[str], since: float
    ) -> list[str]:
        """Those surrogates that were not used by this session since then."""
        with self._lock:
            uses = self._uses
            return [
                token for token in tokens if uses.get((principal, session, token), 0.0) <= since
            ]

    def touched(self, principal: str, session: str, tokens: Iterable[str], now: float) -> None:
        """Remember that the file holds these surrogates for this session."""
        with self._lock:
            for token in tokens:
                self._use(principal, session, token, now)

    def reconcile(self, forgotten: int) -> None:
        """Forget all where the file has forgotten something since last time.

        Args:
            forgotten: The file's count of what was taken away.
        """
        with self._lock:
            if forgotten != self._forgotten:
                self._forgotten = forgotten
                self._entries.clear()
                self._uses.clear()
                self._characters = 0

    def _known(self, principal: str, session: str, item: Item, since: float) -> bool:
        token, entity, value = item
        entry = self._entries.get((principal, token[-SIZE:]))
        return (
            entry is not None
            and entry.value == value
            and entry.type == entity
            and self._uses.get((principal, session, token), 0.0) > since
        )

    def _use(self, principal: str, session: str, token: str, now: float) -> None:
        use = (principal, session, token)
        self._uses[use] = now
        self._uses.move_to_end(use)
        while len(self._uses) > _USES:
            self._uses.popitem(last=False)

    def _keep(self, principal: str, letters: str, entry: Entry) -> None:
        key = (principal, letters)
        old = self._entries.pop(key, None)
        self._characters += len(entry.value) - (len(old.value) if old else 0)
        self._entries[key] = entry
        while len(self._entries) > _ENTRIES or self._characters > _CHARACTERS:
            _, gone = self._entries.popitem(last=False)
            self._characters -= len(gone.value)
