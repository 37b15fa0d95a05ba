"""Thousands of held actions: what each takes, whom they slow down, how soon one is let go."""

import asyncio
import resource
import secrets
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import held
from figures import Figure, median, percentile, spread
from lab import RULES, Lab, Proxy

REQUESTS = 5000
CALLS = 1000
PROBES = 200  # that are approved one by one, for one figure
RATE = 100  # other requests a second
SECONDS = 5.0  # of other requests, in one round
_CALM = 5.0  # seconds until what so many brought with them is written
_SESSIONS = 100  # that the held actions belong to
_AT_ONCE = 50  # that are begun together
_SPARE = 500  # descriptors for everything else
_MORE = (
    "redaction: {profile: default}\n"
    "limits: {connections: 10000}\n"
    "approvals: {store: sqlite:///approvals/approvals.db}\n"
)


@dataclass(slots=True, kw_only=True)
class _Mass:
    """What waits, and what it took."""

    clients: list[held.Client] = field(default_factory=list[held.Client])
    seconds: float = 0.0
    rss: float = 0.0
    pss: float = 0.0


class _Bench:
    """One gateway, and the person who decides at it or at another one.

    Args:
        lab: With the token for it.
        proxy: Where actions are held.
        reviewer: Who decides.
    """

    def __init__(self, lab: Lab, proxy: Proxy, reviewer: held.Reviewer) -> None:
        self._lab = lab
        self._proxy = proxy
        self._token = lab.token
        self._reviewer = reviewer

    async def releases(self, count: int) -> tuple[list[float], list[float]]:
        """Milliseconds to the first byte from each decision's being sent, and its answer."""
        sent, answered = [], []
        for number in range(count):
            session = str(uuid.uuid4())
            kind = held.CALL if number % 2 else held.REQUEST
            client = await self._ask(kind, session)
            try:
                name = await self._reviewer.find(session)
                begin, answer = await self._reviewer.approve(name)
                async with asyncio.timeout(60):
                    came = await client.released
            finally:
                client.close()
            sent.append((came - begin) * 1e3)
            answered.append((came - answer) * 1e3)
        return sent, answered

    async def hold(self, kind: str, count: int) -> _Mass:
        """Have so many more wait."""
        mass = _Mass()
        there = await self._reviewer.waiting()
        before = self._proxy.rss(), self._proxy.pss()
        sessions = [str(uuid.uuid4()) for _ in range(_SESSIONS)]
        begin = time.perf_counter()
        for first in range(0, count, _AT_ONCE):
            asked = (
                self._ask(kind, sessions[number % _SESSIONS])
                for number in range(first, min(count, first + _AT_ONCE))
            )
            new = await asyncio.gather(*asked)
            mass.clients += new
            # A gateway that falls behind refuses what it cannot look at in time.
            await self._reviewer.until(there + first, there + count, new)
        await self._reviewer.until(there + count, there + count, mass.clients)
        mass.seconds = time.perf_counter() - begin
        mass.rss, mass.pss = (
            (now - then) * 1000 / count
            for now, then in zip((self._proxy.rss(), self._proxy.pss()), before, strict=True)
        )
        return mass

    async def _ask(self, kind: str, session: str) -> held.Client:
        return await held.ask(
            self._proxy.plain,
            self._token,
            kind=kind,
            session=session,
            nonce=secrets.token_hex(8),
        )

    async def others(self, rounds: int, seconds: float) -> list[list[float]]:
        """Milliseconds of other requests at a steady pace, round by round."""
        job = {
            "do": "burst",
            "kind": "json",
            "clients": 16,
            "rate": RATE,
            "requests": max(16, int(RATE * seconds)),
            "target": self._lab.target(self._proxy),
        }
        found = []
        with ThreadPoolExecutor(1) as thread:
            for _ in range(rounds):
                said = await asyncio.get_running_loop().run_in_executor(thread, self._lab.run, job)
                found.append(said["whole"][0])
        return found


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """One gateway with more and more that waits, then two on one store."""
    _allow_descriptors(int((REQUESTS + CALLS) * scale) + _SPARE)
    rules = lab.folder / "approvals-rules"
    rules.mkdir()
    for path in RULES.glob("*.yaml"):
        shutil.copy(path, rules)
    (rules / "bench.yaml").write_text(held.RULES, encoding="utf-8")
    with ExitStack() as stack:
        proxy, other = (
            stack.enter_context(lab.proctor("approvals", _MORE + held.ROLES, rules=rules, dev=True))
            for _ in range(2)
        )
        state = lab.folder / "approvals" / ".proctor"
        yield from asyncio.run(_measure(lab, (proxy, other), state, rounds, scale))


async def _measure(
    lab: Lab, proxies: tuple[Proxy, Proxy], state: Path, rounds: int, scale: float
) -> list[Figure]:
    proxy, other = proxies
    probes = max(4, int(PROBES * scale))
    seconds, rounds = SECONDS * min(1.0, scale * 2), max(1, rounds // 2)
    found: list[Figure] = []
    async with (
        held.Reviewer(proxy.console, state) as here,
        held.Reviewer(other.console, state) as elsewhere,
    ):
        bench = _Bench(lab, proxy, here)
        await bench.others(1, seconds)  # what is made once is made
        await bench.releases(4)
        quiet = await bench.others(rounds, seconds)
        found.append(_release("with no others waiting", *await bench.releases(probes)))
        there = _Bench(lab, proxy, elsewhere)
        found.append(_release("decided at another process", *await there.releases(probes)))
        masses: list[_Mass] = []
        try:
            masses.append(await bench.hold(held.CALL, max(8, int(CALLS * scale))))
            found.append(_memory("tool call", masses[-1]))
            what = f"with {len(masses[-1].clients):,} others waiting"
            found.append(_release(what, *await bench.releases(probes)))
            masses.append(await bench.hold(held.REQUEST, max(8, int(REQUESTS * scale))))
            found += [_memory("request", masses[-1]), _altogether(masses)]
            await asyncio.sleep(_CALM * min(1.0, scale))
            crowded = await bench.others(rounds, seconds)
            found.append(_added(quiet, crowded, sum(len(mass.clients) for mass in masses)))
            what = f"with {sum(len(mass.clients) for mass in masses):,} others waiting"
            found.append(_release(what, *await bench.releases(probes)))
        finally:
            begin = time.perf_counter()
            for mass in masses:
                for client in mass.clients:
                    client.close()
        await here.until(0, 0)
        gone = time.perf_counter() - begin
    found.append(
        Figure(
            what="held actions whose clients have gone, until all are cancelled",
            value=gone,
            unit="s",
            note=f"memory then {proxy.rss():.0f} MB",
        )
    )
    return found


def _release(what: str, sent: Sequence[float], answered: Sequence[float]) -> Figure:
    return Figure(
        what=f"decision → release, {what}, p99",
        value=percentile(sent, 99),
        unit="ms",
        goal=300,
        note=f"p50 {median(sent):.1f}; from the answer p50 {median(answered):.1f}, p99 "
        f"{percentile(answered, 99):.1f}; {len(sent)} times",
        details={"sent": list(sent), "answered": list(answered)},
    )


def _memory(what: str, mass: _Mass) -> Figure:
    count = len(mass.clients)
    return Figure(
        what=f"memory of a held {what}, of {count:,}",
        value=mass.rss,
        unit="KB",
        note=f"PSS {mass.pss:.1f}; all waited after {mass.seconds:.1f} s",
        details={"pss": mass.pss, "count": count, "seconds": mass.seconds},
    )


def _altogether(masses: Sequence[_Mass]) -> Figure:
    count = sum(len(mass.clients) for mass in masses)
    total = sum(mass.rss * len(mass.clients) for mass in masses)
    return Figure(
        what=f"memory of {count:,} held at once, each", value=total / count, unit="KB", goal=65
    )


def _added(
    quiet: Sequence[Sequence[float]], crowded: Sequence[Sequence[float]], count: int
) -> Figure:
    before, after = ([percentile(each, 99) for each in runs] for runs in (quiet, crowded))
    middle = [median([each for run in runs for each in run]) for runs in (quiet, crowded)]
    return Figure(
        what=f"{count:,} held, added to other requests, p99",
        value=median(after) - median(before),
        unit="ms",
        goal=10,
        note=f"p99 without {spread(before, 1)}, with {spread(after, 1)}; p50 {middle[0]:.2f}, "
        f"{middle[1]:.2f} ms; {RATE} requests/s",
        details={"without": before, "with": after},
    )


def _allow_descriptors(count: int) -> None:
    """Take as many as there may be; what is started later gets them, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count  # a held tool call takes one to the client and one to the model
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
