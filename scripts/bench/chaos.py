"""A held action lost, doubled or sent without approval, while everything breaks: none may be.

Two gateways on one store are killed, ended and started anew at random, clients go away and come
back, people say yes and no, rules change, sessions are stopped. Then everything that arrived is
laid against the store and the record.

chaos.py --rounds 40 --seed 7: that by itself, with its progress; 1 if anything was wrong.
"""

import argparse
import asyncio
import contextlib
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from chaosworld import SESSIONS, Agent, Book, Decider, Upstream, uid_of
from figures import Figure
from lab import Lab

from proctor.approval.model import Approval, State
from proctor.approval.sqlite import SqliteStore
from proctor.arriving.patterns import warm
from proctor.identity import local
from proctor.redaction.compiled import usable
from proctor.testing import gateway
from proctor.testing.gateway import Gateway
from proctor.testing.ports import free_ports

ROUNDS = 1000
AGENTS = 10
SURVIVORS = 8
_PACE = 0.1  # seconds between two disturbances, in the mean
_SWEPT = 60.0  # seconds until what died processes left unrecorded has to be on record
_CONFIG = """\
schema_version: 1
listeners:
  - {{name: things, kind: reverse, listen: 127.0.0.1:{things}, upstream: "{url}", speaks: http}}
  - {{name: model, kind: reverse, listen: 127.0.0.1:{model}, upstream: "{url}", speaks: anthropic}}
identity: {{issuers: [{{issuer: local, audience: proctor, groups: groups}}]}}
roles: {{reviewer: {{groups: [reviewers]}}, admin: {{groups: [admins]}}}}
rules: rules/
audit: {{path: recordings/}}
redaction: {{profile: none, cache: {cache}}}
limits: {{drain: 2s}}
console: {{listen: "127.0.0.1:0"}}
"""
_RULES = """\
rules:
  - {{id: calls, on: llm.request, then: allow}}
  - id: held
    on: [http.request, llm.tool_use]
    when: '{when}'
    then: hold
    approval: {{from: [reviewers], count: {count}, wait: 5s, ttl: {ttl}}}
    reason: Somebody looks at it first.
"""
_ALWAYS = 'action.listener in ["things", "model"]'
RULES = (
    _RULES.format(count=1, when=_ALWAYS, ttl="20s"),
    _RULES.format(count=2, when=_ALWAYS, ttl="20s"),  # stricter
    _RULES.format(count=1, when=f"{_ALWAYS} && true", ttl="20s"),  # the same in other words
)
_CALM = _RULES.format(count=1, when=_ALWAYS, ttl="10m")
_DEAD = {"layer.failed", "stage.failed", "exit.stopped"}

type Say = Callable[[str], None]


@dataclass(slots=True, eq=False)
class Place:
    """Where one of the gateways runs, if it does."""

    gateway: Gateway | None = None
    starting: bool = True


@dataclass(slots=True, kw_only=True)
class Chaos:
    """One run.

    Attributes:
        folder: The installation.
        dice: Of everything.
        say: Told how far it is.
        cache: Where compiled rules are kept.
        book: What was seen.
        broken: Lines of the gateways' logs that tell of a part that failed.
        did: How often what was done to them.
    """

    folder: Path
    dice: random.Random
    say: Say
    cache: Path
    book: Book = field(default_factory=Book)
    broken: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    did: Counter[str] = field(default_factory=Counter[str])
    _places: tuple[Place, ...] = field(default_factory=lambda: (Place(), Place()))
    _started: list[asyncio.Future[Gateway]] = field(default_factory=list[asyncio.Future[Gateway]])
    _tasks: asyncio.TaskGroup | None = None
    _clients: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    _issuer: local.LocalIssuer | None = None
    _url: str = ""

    async def run(self, rounds: int) -> None:
        """So many disturbances, then everything is looked at.

        Args:
            rounds: How many.

        Raises:
            RuntimeError: A gateway did not start.
        """
        upstream = Upstream(self.book, self._die())
        async with upstream.serving():
            self._install(upstream.url)
            try:
                await asyncio.gather(*(self._start(place) for place in self._places))
                await self._disturb(rounds)
                await self._survive()
                await self._check()
            finally:
                # Also those that were just starting when something went wrong.
                for each in await asyncio.gather(*self._started, return_exceptions=True):
                    if isinstance(each, Gateway):
                        await asyncio.to_thread(each.kill)

    def _die(self) -> random.Random:
        return random.Random(self.dice.random())  # noqa: S311 - dice, no secret

    def _install(self, url: str) -> None:
        for name in ("rules", "recordings", ".proctor"):
            (self.folder / name).mkdir(mode=0o700)
        self._url = url
        self._config("proctor")
        self._rules(RULES[0])
        self._issuer = local.make(self.folder / ".proctor" / local.FILE)
        # Else each gateway compiles for a quarter of a minute, and is killed before it is done.
        warm(usable(self.cache))

    def _config(self, name: str) -> Path:
        """Of one gateway: two listeners cannot both take a port that is free."""
        things, model = free_ports(2)
        config = self.folder / f"{name}.yaml"
        config.touch(mode=0o600)
        config.write_text(
            _CONFIG.format(url=self._url, things=things, model=model, cache=self.cache),
            encoding="utf-8",
        )
        return config

    def _rules(self, text: str) -> None:
        fresh = self.folder / "rules.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(self.folder / "rules" / "rules.yaml")

    def token(self, subject: str, *groups: str, audience: str = "proctor-console") -> str:
        """A token of the local issuer, which decides under --dev."""
        if self._issuer is None:
            raise RuntimeError("nothing is installed yet")
        return self._issuer.issue(
            subject=subject, groups=list(groups), audience=audience, ttl=600, now=time.time()
        )

    # The gateways.

    async def _start(self, place: Place) -> None:
        place.starting = True
        place.gateway = None
        started = asyncio.ensure_future(
            asyncio.to_thread(
                Gateway.start,
                self._config(f"gateway-{self._places.index(place)}"),
                env={},
                arguments=["--dev"],
            )
        )
        self._started.append(started)
        place.gateway = await asyncio.shield(started)
        place.starting = False

    def _up(self) -> Gateway | None:
        found = [place.gateway for place in self._places if place.gateway and not place.starting]
        return self.dice.choice(found) if found else None

    def _urls(self) -> tuple[str, str] | None:
        found = self._up()
        return (found.url("things"), found.url("model")) if found else None

    def _console(self) -> str | None:
        found = self._up()
        return f"http://{found.console}" if found else None

    def _end(self, how: signal.Signals, place: Place | None = None) -> bool:
        if place is None:
            places = [each for each in self._places if not each.starting]
            if len(places) < len(self._places) and self.dice.random() < 0.9:
                return False  # mostly one of them goes on
            place = self.dice.choice(places or self._places)
        if place.gateway is None or place.starting or self._tasks is None:
            return False
        place.starting = True
        place.gateway.process.send_signal(how)
        # The next one comes at once, while this one still drains.
        self._tasks.create_task(self._start(place))
        return True

    # What is done to them.

    async def _disturb(self, rounds: int) -> None:
        ways: dict[str, tuple[int, Callable[[], bool]]] = {
            "killed": (4, lambda: self._end(signal.SIGKILL)),
            "ended": (3, lambda: self._end(signal.SIGTERM)),
            "rules changed": (8, self._change_rules),
            "session stopped": (5, self._stop_session),
            "client gone": (12, self._drop_client),
        }
        begun = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            running = [
                tasks.create_task(decider.run())
                for decider in (self._decider("bob"), self._decider("dave"))
            ]
            self._clients = [tasks.create_task(self._client()) for _ in range(AGENTS)]
            while (done := self.did.total()) < rounds:
                await self._traffic()
                name = self.dice.choices(
                    list(ways), weights=[weight for weight, _ in ways.values()]
                )[0]
                if ways[name][1]():
                    self.did[name] += 1
                    if done % max(10, rounds // 20) == 0:
                        self.say(
                            f"{done + 1}/{rounds} after {time.monotonic() - begun:.0f} s: "
                            f"{len(self.book.arrivals)} arrived, {len(self.book.wrong)} wrong"
                        )
            for task in (*running, *self._clients):
                task.cancel()
        self._tasks = None

    async def _traffic(self) -> None:
        """A moment in which something is done, or a second at most."""
        before, end = self.book.told.total(), time.monotonic() + 1
        await asyncio.sleep(self.dice.random() * 2 * _PACE)
        while self.book.told.total() < before + 3 and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def _client(self) -> None:
        subject = self.dice.choice(("alice", "carol"))
        agent = self._agent(subject)
        while True:
            await agent.act(self._uid())

    def _uid(self) -> str:
        return f"id-{self.dice.getrandbits(48):012x}"

    def _agent(self, subject: str) -> Agent:
        return Agent(
            book=self.book,
            dice=self._die(),
            urls=self._urls,
            token=lambda: self.token(subject, "dev", audience="proctor"),
        )

    def _decider(self, subject: str) -> Decider:
        return Decider(
            book=self.book,
            dice=self._die(),
            console=self._console,
            token=lambda: self.token(subject, "reviewers", "admins"),
        )

    def _drop_client(self) -> bool:
        number = self.dice.randrange(AGENTS)
        self._clients[number].cancel()
        if self._tasks:
            self._clients[number] = self._tasks.create_task(self._client())
        return True

    def _change_rules(self) -> bool:
        self._rules(self.dice.choice(RULES))
        self._reload()
        return True

    def _reload(self) -> None:
        for place in self._places:
            if place.gateway and not place.starting:
                place.gateway.process.send_signal(signal.SIGHUP)

    def _stop_session(self) -> bool:
        if self._tasks:
            self._tasks.create_task(self._stopped(self.dice.choice(SESSIONS)))
        return True

    async def _stopped(self, session: str) -> None:
        admin, loop = self._decider("dave"), asyncio.get_running_loop()
        body = {"scope": "session", "target": session, "reason": "chaos"}
        with contextlib.suppress(httpx.TransportError):
            said = await admin.ask("POST", "kills", body)
            if said.is_success:
                begin = loop.time()
                await asyncio.sleep(1.0 + self.dice.random())
                self.book.kills.append((session, begin, loop.time()))
                await self._lift(said.json()["id"])

    async def _lift(self, name: str) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                said = await self._decider("dave").ask("DELETE", f"kills/{name}", {})
                # A gateway that was killed may have lifted it, and never have said so.
                if said.is_success or said.json().get("code") == "approval-state":
                    return
            await asyncio.sleep(0.2)

    # What has to hold afterwards.

    async def _survive(self) -> None:
        """What waits outlives the crash of every gateway; once approved, the retry passes, once."""
        self.say("every gateway is killed while actions wait")
        await self._lift_all()
        self._rules(_CALM)
        self._reload()
        agents = {self._uid(): self._agent("alice") for _ in range(SURVIVORS)}
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            done = [tasks.create_task(a.act(uid, patient=True)) for uid, a in agents.items()]
            decider = self._decider("bob")
            names = await self._shown(decider, set(agents))
            for place in self._places:
                self._end(signal.SIGKILL, place)
            while self._urls() is None:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.05)
            still = {found["id"] for found in await decider.pending()}
            if names - still:
                self.book.wrong.append(f"lost: {len(names - still)} that waited when all crashed")
            agreeing = tasks.create_task(self._approve_all(decider))
            await asyncio.wait(done)
            agreeing.cancel()
        self._tasks = None
        for task, uid in zip(done, agents, strict=True):
            times = sum(arrival.uid == uid for arrival in self.book.arrivals)
            # The upstream may hang up after it did it; then it is asked for, approved, done again.
            if not task.result():
                self.book.wrong.append(f"lost: {uid} was approved and {times} times done")

    async def _shown(self, decider: Decider, uids: set[str]) -> set[str]:
        names: set[str] = set()
        async with asyncio.timeout(30):
            while len(names) < len(uids):
                await asyncio.sleep(0.05)
                names = {
                    found["id"]
                    for found in await decider.pending()
                    if any(uid in json.dumps(found["card"]) for uid in uids)
                }
        return names

    async def _approve_all(self, decider: Decider) -> None:
        while True:
            await asyncio.sleep(0.1)
            with contextlib.suppress(httpx.TransportError):
                for found in await decider.pending():
                    await decider.decide(found["id"], approve=True)

    async def _lift_all(self) -> None:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    found = await self._decider("dave").ask("GET", "kills")
                    kills = found.json()["kills"] if found.is_success else []
                    for kill in kills:
                        await self._lift(kill["id"])
                    if found.is_success and not kills:
                        return
                await asyncio.sleep(0.1)

    async def _check(self) -> None:
        self.say("what died processes left is put on record by those that live")
        store = SqliteStore(self.folder / "recordings" / "approvals.db")
        try:
            approvals = await self._swept(store)
        finally:
            store.close()
        recorded = await asyncio.to_thread(self._recorded)
        self.book.check(approvals, recorded)
        for each in self._started:
            self.broken += [line for line in each.result().log if line.get("event") in _DEAD]
        self.say(
            f"{len(approvals)} approvals, {sum(a.state is State.USED for a in approvals)} used, "
            f"{len({uid_of(a) for a in approvals})} actions, {len(self.book.arrivals)} arrived"
        )

    async def _swept(self, store: SqliteStore) -> list[Approval]:
        end = time.monotonic() + _SWEPT
        while store.unrecorded(datetime.now(UTC), 1):
            if time.monotonic() > end:
                self.book.wrong.append("lost: changes that nobody has put on record")
                break
            await asyncio.sleep(0.2)
        return store.approvals(limit=1_000_000)

    def _recorded(self) -> list[dict[str, Any]]:
        sql = "select distinct approval_id, state from approvals"
        done = gateway.command("query", sql, "--limit", "0", "--format", "json", cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"the record cannot be asked:\n{done.stderr[-500:]}")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


def run(folder: Path, *, rounds: int, seed: int, say: Say, cache: Path) -> Chaos:
    """Run it, and return what was seen.

    Args:
        folder: An empty one.
        rounds: How many disturbances.
        seed: Of the dice; what processes do meanwhile is never quite the same.
        say: Told how far it is.
        cache: Where compiled rules are kept.
    """
    dice = random.Random(seed)  # noqa: S311 - dice, no secret
    chaos = Chaos(folder=folder, dice=dice, say=say, cache=cache)
    asyncio.run(chaos.run(rounds))
    return chaos


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:  # noqa: ARG001 - as all
    """One figure, which has to be 0."""
    seed = random.SystemRandom().randrange(1_000_000)
    folder = lab.folder / "chaos"
    folder.mkdir(mode=0o700)
    count = max(20, int(ROUNDS * scale))
    chaos = run(
        folder,
        rounds=count,
        seed=seed,
        say=lambda said: print(said, file=sys.stderr),
        cache=lab.cache,
    )
    yield Figure(
        what=f"held actions lost, doubled or sent without approval in {count:,} disturbances",
        value=float(len(chaos.book.wrong)),
        unit="",
        goal=0,
        note=f"{len(chaos.book.arrivals):,} arrived; seed {seed}",
        details=_details(chaos, seed),
    )


def _details(chaos: Chaos, seed: int) -> dict[str, Any]:
    book = chaos.book
    return {
        "seed": seed,
        "arrived": len(book.arrivals),
        "decisions": len(book.heard),
        "did": dict(chaos.did),
        "told": dict(book.told),
        "wrong": book.wrong[:100],
        "broken": chaos.broken[:20],
    }


def main(arguments: list[str]) -> int:
    """Run it by itself; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="disturbances")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--cache", type=Path, help="keep compiled rules in this folder")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="proctor-chaos-") as name:
        folder = Path(name, "house")
        folder.mkdir(mode=0o700)
        chaos = run(
            folder,
            rounds=given.rounds,
            seed=given.seed,
            say=lambda said: print(said, file=sys.stderr, flush=True),
            cache=given.cache or Path(name, "compiled"),
        )
    print(json.dumps(_details(chaos, given.seed), indent=1))
    return int(bool(chaos.book.wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
