"""The tools of all MCP servers, pinned by the digest of what they say of themselves.

What a list shows is judged from memory, at once, and written behind; what a human decides is on
the disk before it counts. Gateways of one installation share a file, and follow each other's
changes. While that file cannot be used, nothing is judged and so nothing passes.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from proctor.errors import ClientError, InternalError
from proctor.mcp.difference import difference
from proctor.mcp.model import (
    MAX_NAME,
    Pin,
    PinChange,
    Sighting,
    Standing,
    accepted,
    is_name,
    rejected,
    sighted,
    unknown_pin,
)
from proctor.mcp.pinfile import NAME, Found, Key, PinFile, unavailable
from proctor.protocols.mcp.definitions import digest, visible
from proctor.protocols.mcp.messages import canonical
from proctor.protocols.mcp.suspicion import Sign, suspicious
from proctor.runtime.tasks import spawn

MAX_DEFINITION: Final = 64 * 1024
"""Bytes of one definition. A larger one is in no list, and cannot be accepted."""

MAX_TOOLS: Final = 1000
"""Tools of one server, those that it had included. More are in no list."""

POLL: Final = 0.1
"""Seconds between two looks at the file, and until what was seen is written."""

_WAIT: Final = 2.0  # seconds that another process may lock the file
_MAX_REFUSED: Final = 1000
_MAX_STUDIED: Final = 4 * MAX_TOOLS
_MAX_DIFF: Final = 16 * 1024  # characters on record


class Pins:
    """The tools that are known.

    Args:
        state: The folder proctor keeps its own things in.
        clock: The time, UTC.
    """

    def __init__(self, state: Path, clock: Callable[[], datetime]) -> None:
        self.on_change: list[Callable[[PinChange], None]] = []
        """Told of each change that this process is the first to see; called in the event loop."""
        self._path = state / NAME
        self._clock = clock
        self._pins: dict[str, dict[str, Pin]] = {}
        # By tool the first and the last of what is not written yet: what comes between them
        # matters to nobody, but what came first may have been accepted.
        self._pending: dict[Key, list[Sighting]] = {}
        self._studied: dict[tuple[str, str], tuple[Sign, ...]] = {}
        self._refused: set[Key] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tools")
        self._file: PinFile | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._closing = asyncio.Event()
        self._failure = ""

    async def start(self) -> None:
        """Read what is known, and begin to follow it.

        Raises:
            ConfigurationError: `pins-unusable`, or `open-to-others`.
            InternalError: `pins-unavailable`.
        """
        self._file = await self._run(lambda: PinFile(self._path, _WAIT))
        try:
            await self._sync()
        except BaseException:
            await self.close()
            raise
        self._task = spawn(self._follow(), name="tools.follow")

    async def close(self) -> None:
        """Write what is left, and let go of the file. Again is harmless.

        Raises:
            InternalError: `pins-unavailable`: something that was seen is not written.
        """
        self._closing.set()
        if self._task is not None:
            await asyncio.wait({self._task})
            self._task = None
        file, self._file = self._file, None
        if file is None:
            return
        try:
            batch, self._pending = self._pending, {}
            await self._run(lambda: file.sighted(_flat(batch)))
        finally:
            await self._run(file.close)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    def look(self, server: str, tool: Mapping[str, Any], beside: Iterable[str] = ()) -> Standing:
        """What is thought of a definition; only what is `same` or `new` may stay in a list.

        What is new or changed is remembered at once.

        Args:
            server: As proctor.yaml calls it.
            tool: As the server describes it.
            beside: Names of the tools in the same list.

        Raises:
            InternalError: `pins-unavailable`.
        """
        self._check()
        name = tool.get("name")
        if not is_name(name):
            self._refuse(server, name if isinstance(name, str) else "")
            return Standing.SUSPICIOUS
        mark = _digest(tool)
        pin = self._pins.get(server, {}).get(name)
        if pin is not None and pin.seen == mark:
            return pin.standing
        if pin is None and len(self._pins.get(server, ())) >= MAX_TOOLS:
            self._refuse(server, name)
            return Standing.SUSPICIOUS
        text, signs = self._read(server, tool, mark, beside)
        seen = Sighting(
            server=server, tool=name, digest=mark, text=text, signs=signs, at=self._clock()
        )
        now = sighted(pin, seen)
        self._set(now)
        waiting = self._pending.setdefault((server, name), [])
        waiting[1:] = [seen]
        self._emit(_change("tool.new" if pin is None else "tool.changed", now, pin))
        return Standing.NEW if pin is None and not now.open else now.standing

    async def study(self, server: str, tools: Iterable[Mapping[str, Any]]) -> None:
        """Look for signs in what is new, out of the event loop's way; `look` then is quick.

        Without it `look` does so itself, some milliseconds for each tool that is new.

        Args:
            server: As proctor.yaml calls it.
            tools: Of one list.
        """
        self._check()
        known = self._pins.get(server, {})
        fresh: dict[str, Mapping[str, Any]] = {}
        names: set[str] = set()
        for tool in tools:
            name = tool.get("name")
            if not is_name(name):
                continue
            names.add(name)
            mark = _digest(tool)
            if mark and (name not in known or known[name].seen != mark):
                fresh[mark] = tool
        if not fresh:
            return
        elsewhere = self._elsewhere(server, names)

        def work() -> dict[tuple[str, str], tuple[Sign, ...]]:
            return {
                (server, mark): suspicious(tool, elsewhere)
                for mark, tool in list(fresh.items())[:MAX_TOOLS]
                if _fits(tool)
            }

        found = await asyncio.to_thread(work)
        if len(self._studied) + len(found) > _MAX_STUDIED:
            self._studied.clear()
        self._studied |= found

    def standing(self, server: str, tool: str) -> Pin | None:
        """What is known of a tool; None for nothing. Where it is `open` it must not be called.

        Raises:
            InternalError: `pins-unavailable`.
        """
        self._check()
        return self._pins.get(server, {}).get(tool)

    def all(self) -> list[Pin]:
        """All tools, by server and name; those that wait for a human first.

        Raises:
            InternalError: `pins-unavailable`.
        """
        self._check()
        found = [pin for tools in self._pins.values() for pin in tools.values()]
        return sorted(found, key=lambda pin: (not pin.open, pin.server, pin.tool))

    async def accept(self, server: str, tool: str, digest: str, by: str, reason: str = "") -> Pin:
        """Let a tool be used with exactly this definition; durable when this returns.

        Args:
            server: As proctor.yaml calls it.
            tool: Its name.
            digest: Of the definition that was looked at.
            by: Who says so, as `Principal.key`. Whether they may is not asked here.
            reason: Why.

        Raises:
            ClientError: `pin-unknown`, `pin-outdated`, or `pin-unkept`.
            InternalError: `pins-unavailable`.
        """
        at = self._clock()

        def decide(pin: Pin | None) -> Pin:
            if pin is None:
                raise unknown_pin()
            found = accepted(pin, digest, by, reason, at)
            if _digest(pin.newest) != digest:
                raise unavailable("A tool's definition is not the one of its digest")
            return found

        return await _whole(self._decided("tool.accepted", server, tool, decide))

    async def reject(self, server: str, tool: str, by: str, reason: str = "") -> Pin:
        """Take back all that was accepted of a tool; durable when this returns.

        Raises:
            ClientError: `pin-unknown`.
            InternalError: `pins-unavailable`.
        """
        at = self._clock()

        def decide(pin: Pin | None) -> Pin:
            if pin is None:
                raise unknown_pin()
            return rejected(pin, by, reason, at)

        return await _whole(self._decided("tool.rejected", server, tool, decide))

    async def forget(
        self, server: str, tool: str | None = None, *, by: str, reason: str = ""
    ) -> list[str]:
        """Forget a tool, or all of a server's: what it shows next counts as its first sight.

        Returns:
            The names of what was forgotten.

        Raises:
            ClientError: `pin-unknown`: there was nothing to forget.
            InternalError: `pins-unavailable`.
        """
        return await _whole(self._forgotten(server, tool, by, reason))

    async def _forgotten(self, server: str, tool: str | None, by: str, reason: str) -> list[str]:
        async with self._turn:
            file = self._opened()
            await self._flush(file)
            if tool is None:
                names = await self._run(lambda: file.forget(server))
            else:
                before, _ = await self._run(lambda: file.change(server, tool, lambda _: None))
                names = [] if before is None else [tool]
            self._refused = {each for each in self._refused if each[0] != server}
            await self._follow_up(file)
        if not names:
            raise unknown_pin()
        for name in names:
            change = PinChange(
                kind="tool.forgotten", server=server, tool=name, by=by, reason=reason
            )
            self._emit(change)
        return names

    async def _decided(
        self, kind: str, server: str, tool: str, decide: Callable[[Pin | None], Pin]
    ) -> Pin:
        async with self._turn:
            file = self._opened()
            await self._flush(file)
            before, after = await self._run(lambda: file.change(server, tool, decide))
            await self._follow_up(file)
        assert before is not None  # noqa: S101 - `decide` refuses it
        assert after is not None  # noqa: S101 - the same
        if after is not before:
            diff = ""
            if kind == "tool.accepted":
                diff = await asyncio.to_thread(difference, before)
            self._emit(
                replace(
                    _change(kind, after, before),
                    by=after.by,
                    reason=after.reason,
                    diff=diff[:_MAX_DIFF],
                )
            )
        return after

    async def _follow(self) -> None:
        try:
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._closing.wait()
                try:
                    await self._sync()
                except InternalError as error:
                    self._failure = error.got or error.message
                else:
                    self._failure = ""
        finally:
            self._failure = self._failure or "it is not followed"

    async def _sync(self) -> None:
        async with self._turn:
            file = self._opened()
            await self._flush(file)
            await self._follow_up(file)

    async def _flush(self, file: PinFile) -> None:
        """Write what was seen."""
        batch, self._pending = self._pending, {}
        if not batch:
            return
        try:
            await self._run(lambda: file.sighted(_flat(batch)))
        except BaseException:
            for key, seen in self._pending.items():
                both = [*batch.get(key, ()), *seen]
                batch[key] = both[:1] + both[1:][-1:]
            self._pending = batch
            raise

    async def _follow_up(self, file: PinFile) -> None:
        """Take over what changed in the file."""
        found: Found | None = await self._run(file.changes)
        if found is None:
            return
        for pin in found.pins:
            self._set(pin)
        for server, tools in self._pins.items():
            for tool in [tool for tool in tools if (server, tool) not in found.keys]:
                del tools[tool]
        # What was seen while that was read.
        for (server, tool), sightings in self._pending.items():
            for each in sightings:
                self._set(sighted(self._pins.get(server, {}).get(tool), each))

    async def _run[T](self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _opened(self) -> PinFile:
        if self._file is None:
            raise unavailable("The pins of tools are not open")
        return self._file

    def _check(self) -> None:
        self._opened()
        if self._failure:
            raise unavailable("The pins of tools cannot be used", self._failure)

    def _set(self, pin: Pin) -> None:
        self._pins.setdefault(pin.server, {})[pin.tool] = pin

    def _read(
        self, server: str, tool: Mapping[str, Any], mark: str, beside: Iterable[str]
    ) -> tuple[str, tuple[Sign, ...]]:
        """A definition as it is kept, and its signs."""
        if not mark:
            return "", (_sign("unreadable", "It cannot be read in one way only."),)
        if not _fits(tool):
            kib = MAX_DEFINITION // 1024
            return "", (_sign("too-large", f"It has more than {kib} KiB, and is not kept."),)
        signs = self._studied.pop((server, mark), None)
        if signs is None:
            signs = suspicious(tool, self._elsewhere(server, beside))
        return json.dumps(dict(tool)), signs

    def _elsewhere(self, server: str, beside: Iterable[str]) -> frozenset[str]:
        """Names of other servers' tools, without those that this one has, too."""
        others = {name for other, tools in self._pins.items() if other != server for name in tools}
        return frozenset(others.difference(self._pins.get(server, ()), beside))

    def _refuse(self, server: str, name: str) -> None:
        """Tell the record once that a tool cannot be remembered."""
        key = (server, visible(name[:MAX_NAME]))
        if key not in self._refused and len(self._refused) < _MAX_REFUSED:
            self._refused.add(key)
            self._emit(
                PinChange(
                    kind="tool.refused",
                    server=server,
                    tool=key[1],
                    standing=Standing.SUSPICIOUS,
                    reason=f"a name that cannot be kept, or more than {MAX_TOOLS} tools",
                )
            )

    def _emit(self, change: PinChange) -> None:
        for told in self.on_change:
            told(change)


def _change(kind: str, pin: Pin, before: Pin | None) -> PinChange:
    return PinChange(
        kind=kind,
        server=pin.server,
        tool=pin.tool,
        before=before.accepted if before else None,
        digest=pin.seen,
        standing=pin.standing,
        signs=pin.signs,
    )


async def _whole[T](work: Coroutine[Any, Any, T]) -> T:
    """Do it, and tell the record, even where whoever asked has gone meanwhile."""

    async def outcome() -> T | ClientError:
        try:
            return await work
        except ClientError as error:  # an answer, and no failure of the task
            return error

    found = await asyncio.shield(spawn(outcome(), name="tools.decide"))
    if isinstance(found, ClientError):
        raise found
    return found


def _flat(batch: Mapping[Key, list[Sighting]]) -> list[Sighting]:
    return [each for sightings in batch.values() for each in sightings]


def _digest(tool: Mapping[str, Any]) -> str:
    """Empty where there is none: a lone surrogate, or too deep."""
    try:
        return digest(tool)
    except (ValueError, RecursionError):
        return ""


def _fits(tool: Mapping[str, Any]) -> bool:
    try:
        return len(canonical(tool)) <= MAX_DEFINITION
    except (ValueError, RecursionError):  # in what the digest leaves out
        return False


def _sign(name: str, explanation: str) -> Sign:
    return Sign(name=name, place="", explanation=explanation, score=1.0)
