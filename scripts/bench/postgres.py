"""The PostgreSQL listener beside PgBouncer, which pools by session, and beside nothing.

One server, PostgreSQL 15 without fsync; pgbench reads one row a transaction. Rules allow all, what
has been decided is remembered, every statement is on record before it goes upstream.
"""

import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from figures import Figure, median, spread
from lab import ROOT, Lab, started

sys.path.append(str(ROOT))

from tests.postgres import gateway, server
from tests.postgres.bypass import wire
from tests.postgres.pgbouncer import pooled

ROUNDS = 3
SECONDS = 4.0
ROWS = 1_000_000
STATEMENTS = 200
IDLE = 1000
_MASKED = """\
unknown_functions: allow
masking:
  columns: [{table: public.wide, column: email, with: fixed, value: hidden}]
"""
_TRANSACTIONS = re.compile(r"actually processed: (\d+)")
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_SPARE = 60  # connections beyond the idle ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the server.

    Attributes:
        name: In tables.
        pids: Of the processes on the way; none where it is direct.
    """

    name: str
    host: str
    port: int
    user: str
    password: str
    pids: tuple[int, ...] = ()

    def cpu(self) -> float:
        """Seconds of CPU of all its processes."""
        times = (psutil.Process(pid).cpu_times() for pid in self.pids)
        return sum(each.user + each.system for each in times)

    def memory(self) -> tuple[float, float]:
        """RSS and PSS of all its processes, KB."""
        found = [psutil.Process(pid).memory_full_info() for pid in self.pids]
        return sum(each.rss for each in found) / 1e3, sum(each.pss for each in found) / 1e3

    def client(self) -> wire.Client:
        """A session."""
        return wire.Client(self.host, self.port, self.user, "postgres", self.password)


def measure(lab: Lab, *, rounds: int, scale: float) -> Iterator[Figure]:
    """Small transactions, large answers, statements seen for the first time, idle connections."""
    del lab
    idle = max(20, int(IDLE * scale))
    settings = {"max_connections": str(idle + _SPARE), "shared_buffers": "128MB"}
    with ExitStack() as stack:
        upstream = stack.enter_context(server.running("15", settings=settings))
        rows = max(10_000, int(ROWS * scale))
        _fill(upstream, rows)
        own: dict[str, Any] = {"host": upstream.host, "port": upstream.port}
        # Whose password may go in the clear: the bare client here speaks no SCRAM.
        role: dict[str, Any] = {
            "user": "orders_cleartext",
            "password": server.PASSWORDS["orders_cleartext"],
        }
        direct = Way(name="direct", **own, **role)
        pool = stack.enter_context(pooled(upstream))
        bouncer = Way(
            name="PgBouncer", host=pool.host, port=pool.port, pids=(pool.pid,), **_scram()
        )
        ours = _way(stack.enter_context(gateway.through(upstream)))
        yield from _transactions([direct, bouncer, ours], min(rounds, ROUNDS), scale)
        relay = _relay(stack, direct)
        masked = _way(stack.enter_context(gateway.through(upstream, listener=_MASKED)))
        yield from _rows(relay, ours, masked, rows)
        yield from _first_seen(direct, ours, masked, max(20, int(STATEMENTS * scale)))
        yield from _idle(ours, idle)


def _scram() -> dict[str, Any]:
    return {"user": server.ORDERS_APP, "password": server.PASSWORDS[server.ORDERS_APP]}


def _way(through: gateway.Through) -> Way:
    process = psutil.Process(through.gateway.process.pid)
    children = process.children(recursive=True)
    workers = [each for each in children if "proctor.postgres.worker" in each.cmdline()]
    return Way(
        name="proctor",
        host=through.host,
        port=through.port,
        user=through.user,
        password=through.token(),
        pids=(process.pid, *(each.pid for each in workers)),
    )


def _fill(upstream: server.Server, rows: int) -> None:
    secret = server.PASSWORDS[server.SUPERUSER]
    own: dict[str, Any] = {"name": "", "host": upstream.host, "port": upstream.port}
    _pgbench(Way(**own, user=server.SUPERUSER, password=secret), "-i", "-s", "10", "-q")
    upstream.execute(
        "CREATE TABLE wide AS SELECT n AS id, 'user ' || n AS name,"  # noqa: S608 - a number
        f" n || '@planted.example' AS email, n * 1.5 AS total FROM generate_series(1, {rows}) n;"
        " GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC"
    )
    # What is seen for the first time finds nothing, and reads nothing for it.
    upstream.execute("ALTER TABLE wide ADD PRIMARY KEY (id)")
    upstream.execute("VACUUM ANALYZE wide")


def _pgbench(way: Way, *arguments: str) -> str:
    address = ("-h", way.host, "-p", str(way.port), "-U", way.user)
    done = subprocess.run(
        [str(server.programs("15") / "pgbench"), *address, *arguments, "postgres"],
        env={"PGPASSWORD": way.password, "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"pgbench failed: {done.stderr[-500:]}")
    return done.stdout


def _transactions(ways: Sequence[Way], rounds: int, scale: float) -> Iterator[Figure]:
    seconds = max(2, round(SECONDS * scale))  # connecting takes of it, too
    for mode, most in (("prepared", 25.0), ("simple", 35.0)):
        for clients in (8, 32):
            tps: dict[str, list[float]] = {way.name: [] for way in ways}
            cpu: dict[str, list[float]] = {way.name: [] for way in ways}
            for number in range(rounds):
                for way in ways if number % 2 == 0 else ways[::-1]:
                    fast, cost = _run(way, mode, clients, seconds)
                    tps[way.name].append(fast)
                    cpu[way.name].append(cost)
            details = {"tps": tps, "cpu": cpu, "seconds": seconds}
            what = f"pgbench -S, {mode}, {clients} clients"
            middle = {name: median(values) for name, values in tps.items()}
            yield Figure(
                what=f"{what}: TPS against PgBouncer",
                value=100 * middle["proctor"] / middle["PgBouncer"],
                unit="%",
                goal=70 if mode == "prepared" else None,
                least=True,
                note=", ".join(f"{name} {value:,.0f}" for name, value in middle.items()),
                details=details,
            )
            yield Figure(
                what=f"{what}: CPU a transaction",
                value=median(cpu["proctor"]),
                unit="µs",
                goal=most,
                note=f"PgBouncer {median(cpu['PgBouncer']):.0f}; {spread(cpu['proctor'], 0)}",
                details=details,
            )


def _run(way: Way, mode: str, clients: int, seconds: int) -> tuple[float, float]:
    """Transactions a second, and µs of CPU for one."""
    before = way.cpu()
    said = _pgbench(way, "-S", "-n", "-M", mode, "-c", str(clients), "-T", str(seconds))
    used = way.cpu() - before
    fast, count = _TPS.search(said), _TRANSACTIONS.search(said)
    if fast is None or count is None:
        raise RuntimeError(f"pgbench said {said[-300:]}")
    return float(fast[1]), used / int(count[1]) * 1e6


def _relay(stack: ExitStack, direct: Way) -> Way:
    """Bytes passed on by as little as there can be, in the same language and loop."""
    script = Path(__file__).with_name("relay.py")
    process = stack.enter_context(
        started(
            [sys.executable, str(script), direct.host, str(direct.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
    )
    if process.stdout is None:
        raise RuntimeError("the relay has no output")
    port = int(process.stdout.readline())
    return Way(
        name="relay",
        host="127.0.0.1",
        port=port,
        user=direct.user,
        password=direct.password,
        pids=(process.pid,),
    )


def _rows(relay: Way, ours: Way, masked: Way, rows: int) -> Iterator[Figure]:
    sql = "SELECT id, name, email, total FROM wide"
    ways = {"relay": relay, "unmasked": ours, "masked": masked}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            client = way.client()
            before, begun = way.cpu(), time.perf_counter()
            client.send(wire.query(sql))
            client.skip()
            times[name].append((time.perf_counter() - begun) / rows * 1e9)
            costs[name].append((way.cpu() - before) / rows * 1e9)
            client.close()
    plain = median(costs["relay"])
    for name, goal, what in (
        ("unmasked", 100.0, "unmasked"),
        ("masked", 250.0, "one column masked"),
    ):
        yield Figure(
            what=f"{rows:,} rows, {what}: CPU a row over a relay",
            value=median(costs[name]) - plain,
            unit="ns",
            goal=goal,
            note=f"relay {plain:.0f}; time {median(times[name]):.0f}, relay's"
            f" {median(times['relay']):.0f}",
            details={"cpu": costs, "time": times},
        )


def _first_seen(direct: Way, ours: Way, masked: Way, count: int) -> Iterator[Figure]:
    """Statements that differ in a constant, over what they take direct, against one repeated."""
    for what, way, column, goal in (
        ("parsed and decided", ours, "name", 0.5),
        ("with lineage", masked, "email", 5.0),
    ):
        sql = f"SELECT id, {column} FROM wide WHERE id < 0 AND name <> 'a"  # noqa: S608 - ours
        there, here = (_new_and_old(each, sql, count) for each in (way, direct))
        added = (median(there[0]) - median(there[1])) - (median(here[0]) - median(here[1]))
        yield Figure(
            what=f"statement seen for the first time, {what}",
            value=added * 1e3,
            unit="ms",
            goal=goal,
            note=f"seen before: {(median(there[1]) - median(here[1])) * 1e3:.2f} ms over direct",
            details={"through": there, "direct": here},
        )


def _new_and_old(way: Way, sql: str, count: int) -> tuple[list[float], list[float]]:
    client = way.client()
    texts: list[Callable[[int], str]] = [lambda number: f"{sql}{number}'", lambda _: f"{sql}'"]
    found = [[_took(client, text(number)) for number in range(count + 5)][5:] for text in texts]
    client.close()
    return found[0], found[1]


def _took(client: wire.Client, sql: str) -> float:
    begun = time.perf_counter()
    client.send(wire.query(sql))
    received = client.until_ready()
    if received.codes:
        raise RuntimeError(f"{sql} was refused: {received.codes} {received.words[:6]}")
    return time.perf_counter() - begun


def _idle(ours: Way, count: int) -> Iterator[Figure]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    warm = [ours.client() for _ in range(10)]
    before = ours.memory()
    clients = [ours.client() for _ in range(count)]
    after = ours.memory()
    for client in warm + clients:
        client.close()
    rss, pss = ((there - here) / count for here, there in zip(before, after, strict=True))
    yield Figure(
        what=f"{count:,} idle connections: memory each",
        value=rss,
        unit="KB",
        goal=40,
        note=f"PSS {pss:.0f} KB",
        details={"before": before, "after": after},
    )
