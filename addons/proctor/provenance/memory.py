"""Remembers which values came from where, without holding any of them.

Per principal, since a run's name is the client's own word. Values are kept as keyed digests, which
are shared with the other processes of the machine (camefile.py). So is what the user said; what an
agent named itself is known to the process it came by.
"""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Self

import orjson

from proctor.errors import InternalError
from proctor.model import Action
from proctor.provenance.camefile import MAX_PRINCIPALS, MAX_ROWS, MAX_VALUES, NAME, SIZE, CameFile
from proctor.provenance.values import Value, argument, values
from proctor.scrub import scrub

IDLE: Final = timedelta(minutes=30)
"""After this long without an exchange all is forgotten."""

LONGEST: Final = timedelta(hours=24)
"""After this long a value is forgotten in any case."""

TOLD: Final = timedelta(minutes=1)
"""How often other processes are told that something is still heard of a principal."""

_LATER: Final = 0.1  # seconds until others are told what the user said
_MAX_LEAVES: Final = 2000
_MAX_ORIGINS: Final = 20
_KEY: Final = re.compile(r"[A-Za-z_-]{1,32}(?:\[\d{1,6}\])*")


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

    @property
    def short(self) -> str:
        """Its name without a path, which may hold a value."""
        return scrub(self.name.partition("/")[0])

    def dumped(self) -> bytes:
        """As it is shared."""
        said = [_text(self.short), self.flow_id, _text(self.session), self.at, self.score]
        return orjson.dumps([*said, self.signs])

    @classmethod
    def loaded(cls, data: bytes) -> Self:
        """From what was shared."""
        name, flow_id, session, at, score, signs = orjson.loads(data)
        return cls(
            name=name,
            flow_id=flow_id,
            session=session,
            at=datetime.fromisoformat(at),
            score=score,
            signs=tuple(signs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An argument that came from somewhere.

    Attributes:
        argument: Where it stands in the action, such as `input.bcc`.
        kind: What it is: `mail`, `host`, `command` and so on.
        source: Where it came from: of several answers the one with the most signs, or the first.
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
            "source": self.source.short,
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
    version: int | None = None
    seen: int = 0
    told: datetime | None = None

    def came_from(self, names: Iterable[bytes], source: Source) -> list[bytes]:
        """Remember where these came from; which of them that is new of."""
        new: list[bytes] = []
        for name in names:
            if name in self.own:
                continue
            known = self.sources.get(self.came.get(name, -1))
            if known is None or known.score < source.score:
                new.append(name)
        if new:
            self.count += 1
            self.sources[self.count] = source
            self.came |= dict.fromkeys(new, self.count)
        while len(self.came) > MAX_VALUES:
            self.came.popitem(last=False)
        while len(self.sources) > MAX_ROWS:
            del self.sources[next(iter(self.sources))]
        return new

    def said(self, names: Iterable[bytes]) -> list[bytes]:
        """Remember that these came from nowhere else; which of them were not known so."""
        new = [name for name in names if name not in self.own]
        self.own |= dict.fromkeys(new)
        while len(self.own) > MAX_VALUES:
            self.own.popitem(last=False)
        return new


class Provenance:
    """What one process remembers, and what it shares.

    Args:
        clock: The time, UTC.
        shared: What all processes know; None where there is one only.
        key: Of digests, the same in all of them; b"" for one that nobody else has.
    """

    def __init__(
        self, clock: Callable[[], datetime], shared: CameFile | None = None, key: bytes = b""
    ) -> None:
        self._clock = clock
        self._shared = shared
        self._key = key or os.urandom(32)
        self._of: OrderedDict[str, _Memory] = OrderedDict()
        self._untold: dict[str, list[bytes]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def came(self, principal: str, text: str, source: Source) -> None:
        """Remember what an untrusted text holds: see `all_came`."""
        self.all_came(principal, (text,), source)

    def all_came(self, principal: str, texts: Iterable[str], source: Source) -> None:
        """Remember what the texts of an untrusted answer hold, but for what was known before.

        Args:
            principal: Whose run it came into.
            texts: They.
            source: Where they came from.

        Raises:
            InternalError: `met-unavailable`; then it may not reach the agent.
        """
        memory = self._memory(principal)
        names = dict.fromkeys(self._name(value) for text in texts for value in values(text))
        new = memory.came_from(names, source)
        if new and self._shared:
            self._shared.add(principal, new, source.dumped(), self._clock().timestamp())

    def anything(self, principal: str) -> bool:
        """Whether anything is remembered that could turn up in somebody's action.

        Raises:
            InternalError: `met-unavailable`.
        """
        return bool(self._memory(principal).came)

    def unread(self, principal: str, name: bytes) -> bool:
        """Whether a text that comes with every turn was not read yet."""
        return name not in self._alone(principal).read

    def own(self, principal: str, text: str) -> None:
        """Remember what the user said: see `all_own`."""
        self.all_own(principal, ((text, b""),))

    def all_own(self, principal: str, said: Iterable[tuple[str, bytes]]) -> None:
        """Remember what the user, or the system, said: it came from nowhere else.

        Other processes are told a moment later, so that nobody waits for the disk: until then, the
        same value from somewhere else may count there as coming from there.

        Args:
            principal: Who.
            said: Texts, each with a digest by which it is known again where it comes with every
                turn, or b"".

        Raises:
            InternalError: `met-unavailable`.
        """
        memory = self._memory(principal)
        new: list[bytes] = []
        for text, name in said:
            new += memory.said(self._name(value) for value in values(text))
            if name:
                memory.read[name] = None
        while len(memory.read) > MAX_VALUES:
            memory.read.popitem(last=False)
        if new and self._shared:
            self._untold.setdefault(principal, []).extend(new)
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.tell()
            else:
                self._timer = self._timer or loop.call_later(_LATER, self.tell)

    def tell(self) -> None:
        """Tell other processes at once what the user said."""
        if self._timer:
            self._timer.cancel()
        untold, self._untold, self._timer = self._untold, {}, None
        for principal, names in untold.items():
            # What they are not told they hold to come from elsewhere; the file says what is wrong.
            with suppress(InternalError):
                if self._shared:
                    self._shared.add(principal, names, b"", self._clock().timestamp())

    def origins(self, principal: str, arguments: Mapping[str, Any]) -> tuple[Origin, ...]:
        """Which arguments hold what came from somewhere. What did not is the run's own from now on.

        Args:
            principal: Who acts.
            arguments: Texts, and lists and mappings of them, by name.

        Raises:
            InternalError: `met-unavailable`; then it may not happen.
        """
        memory = self._memory(principal)
        texts = list(leaves(arguments))
        # All at once first: most actions hold nothing from elsewhere.
        names = [self._name(value) for value in argument("\n".join(text for _, text in texts))]
        memory.said(name for name in names if name not in memory.came)
        hit = any(name in memory.came for name in names)
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
        memory = self._alone(principal)
        if self._shared:
            self._join(self._shared, principal, memory, memory.last)
        return memory

    def _alone(self, principal: str) -> _Memory:
        """What this process remembers."""
        now = self._clock()
        memory = self._of.pop(principal, None)
        if memory is None or now - memory.last > IDLE:
            memory = _Memory(last=now)
        memory.last = now
        self._of[principal] = memory
        if len(self._of) > MAX_PRINCIPALS:
            self._of.popitem(last=False)
        return memory

    def _join(self, shared: CameFile, principal: str, memory: _Memory, now: datetime) -> None:
        """Take over what other processes know, and have them know that this one goes on."""
        version = shared.version()
        if memory.version != version:
            for row in shared.read(principal, memory.seen, now.timestamp()):
                if row.source:
                    memory.came_from(row.names, Source.loaded(row.source))
                else:
                    memory.said(row.names)
                memory.seen = row.id
            memory.version = version
        known = memory.came or memory.own
        if known and (memory.told is None or now - memory.told > TOLD):
            memory.told = now
            shared.heard(principal, now.timestamp())

    def _name(self, value: Value) -> bytes:
        data = value.text.encode("utf-8", "surrogatepass")
        return blake2b(data, digest_size=SIZE, key=self._key, person=value.kind.encode()).digest()


@contextmanager
def opened(state: Path, key: bytes, clock: Callable[[], datetime]) -> Iterator[Provenance]:
    """What the processes of a machine know together.

    Args:
        state: Proctor's own folder.
        key: Of digests.
        clock: The time, UTC.

    Raises:
        ConfigurationError: `met-unusable`, or `open-to-others`.
    """
    idle, longest = IDLE.total_seconds(), LONGEST.total_seconds()
    with closing(CameFile(state / NAME, idle=idle, longest=longest)) as shared:
        found = Provenance(clock, shared, key)
        try:
            yield found
        finally:
            found.tell()


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


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


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
