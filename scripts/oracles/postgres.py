"""PostgreSQL's clients' own tests, direct and through proctor with a rule that allows all.

    .venv/bin/python scripts/oracles/postgres.py
    .venv/bin/python scripts/oracles/postgres.py --only asyncpg --keep /tmp/compared
    .venv/bin/python scripts/oracles/postgres.py --only psycopg --server 18 --content alarm

Each suite runs on PostgreSQL twice, each time on a server of its own, and its tests are compared
one by one. A suite that cannot be fetched here is said, and is no failure. The exit status is 1
where a test fails through proctor that passes direct, twice in a row, and not by design (see
BY_DESIGN); of pg_regress, where one says something else than it does direct.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "addons")]

from postgres_sources import Sources, UnavailableError  # noqa: E402 - the path comes first
from postgres_suites import SUITES, Outcomes, Place  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tests.postgres import server  # noqa: E402
from tests.postgres.gateway import through  # noqa: E402
from tests.postgres.pgbouncer import pooled  # noqa: E402

_CACHE = Path(tempfile.gettempdir()) / "proctor-oracles"
_PSYCOPG = "https://github.com/psycopg/psycopg.git"
_SETTINGS = {"max_connections": "100", "max_prepared_transactions": "10"}


BY_DESIGN = {
    "psycopg": {
        "*test_change_password": "clients sign in with a token, not with the server's password",
        "*test_get_config_rotates_connections*": "the server's application_name says who it is",
        "*test_set_encoding_unsupported": "statements in EUC_TW cannot be read",
    },
    "asyncpg": {
        "*test_executemany_server_failure_during_writes": "an error comes later by as much as the"
        " record takes to be durable, and the client has sent all it has by then",
    },
    "libpq_pipeline": {
        "transaction trace": "an error that is proctor's to say has no line of the server's source",
    },
    "pg_regress": {
        "strings": "texts with escapes go to the server as E'…', of which it does not warn",
        "create_table": "PostgreSQL 18's parser, which reads here, says where an error is",
        "largeobject": "lo_import is a FunctionCall, which says nothing that rules could read",
        "temp": "proctor has asked for the search path, and so made the temporary schema",
    },
}
"""What fails through proctor and is to: tests' names with *, and why."""
_ADDRESS = "an address that is found in a value of type inet or cidr becomes NULL"
_MASKED = {
    "*[[-]1[]-]*": "COPY … TO in the binary format, 1 in tests' names, is refused",
    "*test_net.py*::ffff:102:300/*": _ADDRESS,
    "*test_net.py*test_network_mixed_size_array*": _ADDRESS,
}
"""Besides, where texts are masked."""


def main() -> int:
    """Compare what can be had; 1 where something fails only through proctor."""
    # So that what was started ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    arguments = _arguments()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    arguments.keep.mkdir(parents=True, exist_ok=True)
    arguments.keep.chmod(0o755)  # the server reads there
    sources = Sources(folder=arguments.cache.resolve(), psycopg=arguments.psycopg)
    console = Console(stderr=True)
    table = Table("suite", "direct", "through", "failing only through", "of these by design")
    broken = False
    told: list[str] = []
    for suite in arguments.only or SUITES:
        console.print(f"{suite} …")
        try:
            direct, passed = (_run(suite, name, sources, arguments) for name in _SIDES)
        except UnavailableError as error:
            table.add_row(suite, "not to be had here", str(error), "", "")
            continue
        worse = _worse(direct, passed)
        if worse:
            worse &= _worse(direct, _run(suite, "through", sources, arguments))
        reasons = {name: _reason(suite, name, arguments.content) for name in sorted(worse)}
        broken = broken or "" in reasons.values() or not direct
        row = (_counted(direct), _counted(passed), str(len(worse)))
        table.add_row(suite, *row, str(sum(bool(reason) for reason in reasons.values())))
        told += [
            f"only through: {suite} {name}: {reason or 'not by design'}"
            for name, reason in reasons.items()
        ]
    Console().print(table)
    for line in told:
        print(line)
    Console().print(f"What the suites said lies in {arguments.keep}")
    return int(broken)


_SIDES = ("direct", "through")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--only", action="append", choices=SUITES, help="one suite; repeatable")
    parser.add_argument("--test", default="", help="of psycopg and asyncpg: pytest's -k")
    parser.add_argument("--cache", type=Path, default=_CACHE, help="for other projects' sources")
    parser.add_argument("--keep", type=Path, help="for the suites' logs and results")
    parser.add_argument("--psycopg", default=_PSYCOPG, help="its repository, or a folder with it")
    parser.add_argument("--server", choices=server.VERSIONS, default="15", help="its version")
    parser.add_argument("--content", choices=("alarm", "mask"), help="texts are looked at, too")
    parser.add_argument("--through", choices=("proctor", "pgbouncer"), default="proctor")
    found = parser.parse_args()
    found.keep = found.keep or Path(tempfile.mkdtemp(prefix="proctor-oracles-"))
    return found


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _run(suite: str, name: str, sources: Sources, arguments: argparse.Namespace) -> Outcomes:
    folder = Path(tempfile.mkdtemp(prefix=f"{suite}-{name}-", dir=arguments.keep))
    folder.chmod(0o777)
    with server.running(arguments.server, settings=_SETTINGS) as upstream:
        place = Place(
            name=name,
            host=upstream.host,
            port=upstream.port,
            user=server.SUPERUSER,
            password=server.PASSWORDS[server.SUPERUSER],
            folder=folder,
            only=arguments.test,
        )
        if name == "direct":
            return SUITES[suite](sources, place)
        if arguments.through == "pgbouncer":
            with pooled(upstream) as pool:
                return SUITES[suite](sources, replace(place, host=pool.host, port=pool.port))
        listener, redaction = _looked(arguments.content)
        with through(
            upstream, user=server.SUPERUSER, listener=listener, redaction=redaction
        ) as gateway:
            own = replace(place, host=gateway.host, port=gateway.port, password=gateway.token())
            try:
                return SUITES[suite](sources, own)
            finally:
                lines = "".join(f"{json.dumps(line)}\n" for line in gateway.gateway.log)
                (folder / "gateway.log").write_text(lines, encoding="utf-8")


def _looked(content: str) -> tuple[str, str]:
    """A listener's settings, and redaction's; with content, texts are looked at."""
    allowed = "unknown_functions: allow"
    if not content:
        return allowed, "{profile: none}"
    return (
        f"{allowed}\nmasking: {{tier: content, content: {content}}}",
        "{profile: default, entities: {EMAIL_ADDRESS: {response: mask}}}",
    )


def _worse(direct: Outcomes, passed: Outcomes) -> set[str]:
    return {
        name
        for name, came in direct.items()
        if came != passed.get(name) and (came == "pass" or came.startswith("fail "))
    }


def _reason(suite: str, name: str, content: str | None) -> str:
    known = BY_DESIGN.get(suite, {}) | (_MASKED if content == "mask" else {})
    return next((why for pattern, why in known.items() if fnmatchcase(name, pattern)), "")


def _counted(outcomes: Outcomes) -> str:
    count = Counter(came.split()[0] for came in outcomes.values())
    return ", ".join(f"{count[name]} {name}" for name in ("pass", "fail", "skip") if count[name])


if __name__ == "__main__":
    sys.exit(main())
