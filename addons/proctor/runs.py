"""Runs of agents: which one an exchange is part of, as far as that can be told."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proctor.metfile import NAME, MetFile
from proctor.model import GUESSED, Principal, Session

IDLE = timedelta(minutes=30)
"""A session ends after this long without an exchange."""

MAX_SESSIONS = 10_000
"""Sessions remembered at once; the longest idle one is forgotten first."""

LONGEST = timedelta(hours=24)
"""What a principal's runs have met is forgotten after this long in any case."""

TOLD = timedelta(minutes=1)
"""How often other processes are told that something is still heard of a principal."""

MAX_HOSTS = 2000
"""Hosts remembered of one principal."""

MAX_CALLS = 50_000
"""Tool calls of models remembered at once, so that what comes of them is put beside them."""


@dataclass(slots=True)
class Run:
    """One run, and what is known of it beside what it is called."""

    session: Session
    last_seen: datetime
    turns: int = field(default=0)
    folder: str = ""
    """The agent's folder, as far as the record holds it."""


@dataclass(slots=True)
class Met:
    """What reached a principal's agents: kept by principal, since a run's name is the client's.

    Attributes:
        last: When anything was heard of the principal.
        types: Entity types → when each was met first.
        suspicious: Best score of signs of prompt injection, and when it came.
        hosts: Hosts spoken to → when first, in this process.
        told: When other processes were told last that something is still heard of the principal.
    """

    last: datetime
    types: dict[str, datetime] = field(default_factory=dict[str, datetime])
    suspicious: tuple[float, datetime | None] = (0.0, None)
    hosts: dict[str, datetime] = field(default_factory=dict[str, datetime])
    told: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """When the first of it came; None where nothing did."""
        times = [*self.types.values(), *([self.suspicious[1]] if self.suspicious[1] else [])]
        return min(times, default=None)


def own_machine(host: str) -> bool:
    """Whether a host is the very machine that speaks to it."""
    return host in {"localhost", "::1", "0.0.0.0"} or host.startswith("127.")  # noqa: S104 - a name


class Runs:
    """All that one process knows of.

    Args:
        clock: The time, UTC.
        shared: What other processes know; None where there are none.
    """

    def __init__(self, clock: Callable[[], datetime], shared: MetFile | None = None) -> None:
        self._clock = clock
        self._shared = shared
        self._read: set[str] = set()
        self._runs: dict[tuple[str, str], Run] = {}
        self._calls: dict[tuple[str, str], str] = {}
        self._met: dict[str, Met] = {}

    def get(self, principal: Principal, session: Session) -> Run | None:
        """What is known of a run."""
        return self._runs.get((principal.key, session.id))

    def session(  # noqa: PLR0913 - what a run is known by
        self,
        principal: Principal,
        name: str,
        *,
        client: str = "",
        correlated_by: str = "",
        repository: str = "",
        turn: bool = False,
    ) -> Session:
        """The run that `principal` calls `name`; two principals never share one.

        Args:
            principal: Who asks.
            name: The client's own name for the run; asserted, never trusted.
            client: Product and version, as the client says.
            correlated_by: How the name came.
            repository: The folder the agent says it works in; "" keeps what it said before.
            turn: This exchange is a request to the model, and counts.
        """
        key = (principal.key, name)
        now = self._clock()
        run = self._runs.pop(key, None)
        if run is None or now - run.last_seen > IDLE:
            first = Session(id=name, client=client, started=now, correlated_by=correlated_by)
            run = Run(session=first, last_seen=now)
        seen = run.session
        session = Session(
            id=seen.id,
            client=seen.client,
            started=seen.started,
            turns=run.turns,
            repository=repository or seen.repository,
            correlated_by=correlated_by,
        )
        if session.repository != seen.repository:
            run.session = replace(seen, repository=session.repository)
        run.turns += turn
        run.last_seen = now
        self._runs[key] = run  # the youngest stands last
        if len(self._runs) > MAX_SESSIONS:
            del self._runs[next(iter(self._runs))]
        return session

    def called(self, principal: Principal, session: Session | None, tool_use_id: str) -> None:
        """Remember in which run the model has called a tool."""
        if session:
            self._calls[principal.key, tool_use_id] = session.id
            if len(self._calls) > MAX_CALLS:
                del self._calls[next(iter(self._calls))]

    def joined(
        self, principal: Principal, tool_use_id: str = "", client: str = ""
    ) -> Session | None:
        """The run that something is part of which does not name its own, as far as can be told.

        Args:
            principal: Who asks.
            tool_use_id: The model's call that it came from, as the client says; "" for none.
            client: Product and version, as the client says.

        Returns:
            The run of that call; else the only run that is under way; else None.
        """
        name = self._calls.get((principal.key, tool_use_id)) if tool_use_id else None
        if name is not None:
            return self.session(principal, name, client=client, correlated_by="tool_use")
        now = self._clock()
        open_ = [
            run.session.id
            for (key, _), run in self._runs.items()
            if key == principal.key and now - run.last_seen <= IDLE
        ]
        if len(open_) != 1:
            return None
        return self.session(principal, open_[0], client=client, correlated_by=GUESSED)

    def meet(self, principal: Principal, types: Iterable[str], suspicious: float = 0.0) -> None:
        """Remember what reached an agent of this principal.

        Args:
            principal: Whose.
            types: Entity types of what was in it.
            suspicious: Score of its signs of prompt injection, 0 to 1.

        Raises:
            InternalError: `met-unavailable`; then it may not reach the agent.
        """
        met, now = self._of(principal), self._clock()
        new = [kind for kind in types if kind not in met.types]
        if self._shared and (new or suspicious > met.suspicious[0]):
            self._shared.add(principal.key, new, suspicious, now.timestamp())
        for kind in new:
            met.types.setdefault(kind, now)
        if suspicious > met.suspicious[0]:
            met.suspicious = (suspicious, now)

    def told(self, principal: Principal, session: Session | None) -> Session | None:
        """A run with what its principal's agents have met, as rules see it.

        What belongs to no run that has a name is judged by it as well: by a Session of no name.

        Raises:
            InternalError: `met-unavailable`.
        """
        return self._seen(self._of(principal), session)

    def told_before(self, principal: Principal, session: Session | None) -> Session | None:
        """The same, as rules saw it when they were asked last: no other process is asked again."""
        met = self._met.get(principal.key)
        return self._seen(met, session) if met else session

    @staticmethod
    def _seen(met: Met, session: Session | None) -> Session | None:
        score = met.suspicious[0]
        if not met.types and not score:
            return session
        known = session or Session(id="", client="", started=datetime.fromtimestamp(0, UTC))
        return replace(known, exposed=tuple(sorted(met.types)), suspicious=round(score, 3))

    def new_host(self, principal: Principal, host: str) -> bool:
        """Whether a host that is spoken to was not before, or only since something was met."""
        if own_machine(host):
            return False
        met, now = self._of(principal), self._clock()
        first = met.hosts.get(host)
        if first is None:
            met.hosts[host] = now
            if len(met.hosts) > MAX_HOSTS:
                del met.hosts[next(iter(met.hosts))]
        since = met.since
        return first is None or (since is not None and first >= since)

    def _of(self, principal: Principal) -> Met:
        now = self._clock()
        met = self._met.pop(principal.key, None)
        if met is None or now - met.last > IDLE:
            met = Met(last=now)
            self._read.discard(principal.key)
        met.last = now
        if self._shared:
            self._join(self._shared, principal.key, met, now)
        if met.since and now - met.since > LONGEST:
            met.types = {k: at for k, at in met.types.items() if now - at <= LONGEST}
            if met.suspicious[1] and now - met.suspicious[1] > LONGEST:
                met.suspicious = (0.0, None)
        self._met[principal.key] = met  # the youngest stands last
        if len(self._met) > MAX_SESSIONS:
            del self._met[next(iter(self._met))]
        return met

    def _join(self, shared: MetFile, key: str, met: Met, now: datetime) -> None:
        """Take over what other processes know, and have them know that this one goes on."""
        if shared.changed():
            self._read.clear()
        if key not in self._read:
            found = shared.read(key, now.timestamp())
            if found:
                for kind, at in found.types.items():
                    met.types.setdefault(kind, datetime.fromtimestamp(at, UTC))
                if found.score > met.suspicious[0]:
                    met.suspicious = (found.score, datetime.fromtimestamp(found.at, UTC))
            self._read.add(key)
            if len(self._read) > MAX_SESSIONS:
                self._read.clear()
        if met.since and (met.told is None or now - met.told > TOLD):
            met.told = now
            shared.heard(key, now.timestamp())


def open_met(state: Path) -> MetFile:
    """What the processes of a machine know together.

    Args:
        state: Proctor's own folder.

    Raises:
        ConfigurationError: `met-unusable`, or `open-to-others`.
    """
    idle, longest = IDLE.total_seconds(), LONGEST.total_seconds()
    return MetFile(state / NAME, idle=idle, longest=longest)
