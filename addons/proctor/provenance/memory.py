"""Remembers which values came from where, without holding any of them.

Per principal, since a run's name is the client's own word. Values are kept as keyed digests; the
key is made anew with every process, and nothing is written down.
"""

import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from proctor.model import Action
from proctor.provenance.values import Value, argument, values
from proctor.scrub import scrub

IDLE: Final = timedelta(minutes=30)
"""After this long without an exchange all is forgotten."""

LONGEST: Final = timedelta(hours=24)
"""After this long a value is forgotten in any case."""

MAX_PRINCIPALS: Final = 2000
MAX_VALUES: Final = 20_000
"""Values remembered of one principal."""

MAX_SOURCES: Final = 500
_MAX_LEAVES: Final = 2000
_MAX_ORIGINS: Final = 20
_KEY: Final = re.compile(r"[A-Za-z_-]{1,32}(?:\[\d{1,6}\])*")
_SIZE: Final = 12  # bytes; of 20 000 values two agree by chance less often than once in 10^20


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An answer that values came from.

    Attributes:
        name: What gave it: a host, `WebFetch of host/path`, an MCP server's tool.
        flow_id: Of the exchange it came in.
        session: The client's name for the run; "" if unknown.
        at: When.
        score: Of the signs of prompt injection in it.
        signs: Their names, the strongest first.
    """

    name: str
    flow_id: str
    session: str
    at: datetime
    score: float = 0.0
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An argument that came from somewhere.

    Attributes:
        argument: Where it stands in the action, such as `input.bcc`.
        kind: What it is: `mail`, `host`, `command` and so on.
        source: Where it came from first.
    """

    argument: str
    kind: str
    source: Source

    def as_json(self) -> dict[str, object]:
        """As it stands in the record: no value, nor what could be one in a key or a path."""
        parts = (each if _KEY.fullmatch(each) else "…" for each in self.argument.split(".")[:12])
        return {
            "argument": ".".join(parts),
            "kind": self.kind,
            "source": scrub(self.source.name.partition("/")[0]),
            "flow_id": self.source.flow_id,
            "at": self.source.at.isoformat(timespec="seconds"),
            "score": round(self.source.score, 3),
        }


@dataclass(slots=True)
class _Memory:
    last: datetime
    came: OrderedDict[bytes, int] = field(default_factory=OrderedDict[bytes, int])
    own: OrderedDict[bytes, None] = field(default_factory=OrderedDict[bytes, None])
    read: OrderedDict[bytes, None] = field(default_factory=OrderedDict[bytes, None])
    sources: dict[int, Source] = field(default_factory=dict[int, Source])
    count: int = 0


class Provenance:
    """What one process remembers.

    Args:
        clock: The time, UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._key = os.urandom(32)
        self._of: OrderedDict[str, _Memory] = OrderedDict()

    def came(self, principal: str, text: str, source: Source) -> None:
        """Remember what an untrusted text holds, but for what was known before.

        Args:
            principal: Whose run it came into.
            text: It.
            source: Where it came from.
        """
        memory = self._memory(principal)
        number = -1
        for value in values(text):
            name = self._name(value)
            if name in memory.own or name in memory.came:
                continue
            if number < 0:
                number = memory.count = memory.count + 1
                memory.sources[number] = source
            memory.came[name] = number
        while len(memory.came) > MAX_VALUES:
            memory.came.popitem(last=False)
        while len(memory.sources) > MAX_SOURCES:
            gone = next(iter(memory.sources))
            del memory.sources[gone]

    def unread(self, principal: str, name: bytes) -> bool:
        """Whether a text that comes with every turn was not read yet."""
        return name not in self._memory(principal).read

    def own(self, principal: str, text: str, name: bytes = b"") -> None:
        """Remember what the user, or the system, said: it came from nowhere else.

        Args:
            principal: Who.
            text: What was said.
            name: Digest by which a text that comes with every turn is known again.
        """
        memory = self._memory(principal)
        for value in values(text):
            memory.own[self._name(value)] = None
        if name:
            memory.read[name] = None
        for kept in (memory.own, memory.read):
            while len(kept) > MAX_VALUES:
                kept.popitem(last=False)

    def origins(self, principal: str, arguments: Mapping[str, Any]) -> tuple[Origin, ...]:
        """Which arguments hold what came from somewhere. What did not is the run's own from now on.

        Args:
            principal: Who acts.
            arguments: Texts, and lists and mappings of them, by name.
        """
        memory = self._memory(principal)
        texts = list(leaves(arguments))
        hit = False
        # All at once first: most actions hold nothing from elsewhere.
        for value in argument("\n".join(text for _, text in texts)):
            name = self._name(value)
            if name in memory.came:
                hit = True
            else:
                memory.own.setdefault(name, None)
        while len(memory.own) > MAX_VALUES:
            memory.own.popitem(last=False)
        return self._told(memory, texts) if hit else ()

    def _told(self, memory: _Memory, texts: Iterable[tuple[str, str]]) -> tuple[Origin, ...]:
        found: dict[tuple[str, str], Origin] = {}
        for place, text in texts:
            for value in argument(text):
                source = memory.sources.get(memory.came.get(self._name(value), -1))
                if source and self._clock() - source.at <= LONGEST and len(found) < _MAX_ORIGINS:
                    origin = Origin(argument=place, kind=value.kind, source=source)
                    found.setdefault((place, value.kind), origin)
        return tuple(found.values())

    def _memory(self, principal: str) -> _Memory:
        now = self._clock()
        memory = self._of.pop(principal, None)
        if memory is None or now - memory.last > IDLE:
            memory = _Memory(last=now)
        memory.last = now
        self._of[principal] = memory
        if len(self._of) > MAX_PRINCIPALS:
            self._of.popitem(last=False)
        return memory

    def _name(self, value: Value) -> bytes:
        data = value.text.encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=_SIZE, key=self._key, person=value.kind.encode()).digest()


def with_taint(action: Action, origins: tuple[Origin, ...]) -> tuple[Action, tuple[Origin, ...]]:
    """The action as rules and the record see it, given which of it came from elsewhere."""
    if not origins:
        return action, ()
    told = tuple(each.as_json() for each in origins)
    return replace(action, tainted=True, origins=told), origins


def leaves(arguments: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Every text in arguments, and where it stands."""
    pending: list[tuple[str, Any]] = list(arguments.items())[::-1]
    count = 0
    while pending and count < _MAX_LEAVES:
        place, value = pending.pop()
        if isinstance(value, str):
            count += 1
            yield place, value
        elif isinstance(value, int) and not isinstance(value, bool):
            count += 1
            yield place, str(value)
        elif isinstance(value, Mapping):
            pending += reversed([(f"{place}.{key}"[:200], each) for key, each in value.items()])
        elif isinstance(value, (list, tuple)):
            pending += reversed([(f"{place}[{n}]", each) for n, each in enumerate(value)])


def in_words(origin: Origin, now: datetime) -> str:
    """What a person reads: which argument came from where, and when."""
    source = origin.source
    return (
        f"{origin.argument}: its {WORDS.get(origin.kind, 'value')} came from {source.name},"
        f" {ago(now - source.at)} before"
    )


WORDS: Final = {
    "url": "address",
    "host": "host",
    "mail": "e-mail address",
    "account": "account",
    "path": "path",
    "number": "number",
    "name": "identifier",
    "command": "command",
}
"""What a person calls a kind of value."""


def ago(span: timedelta) -> str:
    """A span of time in words."""
    seconds = max(0, int(span.total_seconds()))
    for size, word in ((3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
