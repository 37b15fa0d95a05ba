"""How each of the foreign suites is run at an address, and what became of its tests."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postgres_sources import Sources
from psycopg.conninfo import make_conninfo

type Outcomes = dict[str, str]
"""By test: `pass`, `skip` or `fail`, and after a blank how it fails where that is compared."""

_HERE = Path(__file__).parent
_BIN = Path("/usr/lib/postgresql/15/bin")
_PATIENCE = 1800  # seconds for one suite
_ROWS = "700"  # as its own TAP test has it
_TRACED = (
    *("simple_pipeline", "nosync", "multi_pipelines", "prepared", "singlerow"),
    *("pipeline_abort", "pipeline_idle", "transaction", "disallowed_in_pipeline"),
)
_REGRESS = re.compile(
    r"^(?:test |\s+)(\w+)\s+\.\.\. (ok|FAILED|failed)|^((?:not )?ok)\s+\d+\s+[-+] (\w+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a suite is run: the server itself, or what stands before it.

    Attributes:
        name: `direct` or `through`.
        folder: For what the suite writes, of its own; the server may write there, too.
        only: Of psycopg's and asyncpg's tests: those that pytest's -k names.
    """

    name: str
    host: str
    port: int
    user: str
    password: str
    folder: Path
    only: str = ""

    def dsn(self, database: str = "postgres") -> str:
        """A libpq connection string."""
        return make_conninfo(
            host=self.host, port=self.port, user=self.user, password=self.password,
            dbname=database, sslmode="disable", gssencmode="disable",
        )  # fmt: skip

    @property
    def env(self) -> dict[str, str]:
        """For programs that take it from there."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": "postgres",
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
        }


def psycopg(sources: Sources, place: Place) -> Outcomes:
    """Psycopg 3's own tests, but for those that it calls slow, that watch the clock, or mypy's."""
    tests = sources.psycopg_tests()
    return _pytest(
        *(sources.python(), tests, place, {"PSYCOPG_TEST_DSN": place.dsn()}),
        *("-m", "not slow and not timing and not mypy", "-p", "no:randomly"),
    )


def asyncpg(sources: Sources, place: Place) -> Outcomes:
    """Asyncpg's own tests: those that need no cluster of their own."""
    tests = sources.asyncpg_tests()
    own = ("--ignore=tests/test__sourcecode.py", "--ignore=tests/test__environment.py")
    return _pytest(sources.python(), tests, place, place.env, *own)


def libpq_pipeline(sources: Sources, place: Place) -> Outcomes:
    """PostgreSQL's tests of libpq's pipeline mode, and the traces of what went over the wire."""
    program = sources.pipeline()
    found: Outcomes = {}
    for name in _run([str(program), "tests"], place).stdout.split():
        trace = place.folder / f"{name}.trace"
        traced = ("-t", str(trace)) if name in _TRACED else ()
        done = _run([str(program), "-r", _ROWS, *traced, name, place.dsn()], place)
        found[name] = "fail" if done.returncode else "pass"
        (place.folder / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        expected = program.parent / "traces" / trace.name
        if traced and expected.exists():
            same = trace.exists() and trace.read_bytes() == expected.read_bytes()
            found[f"{name} trace"] = "pass" if same else "fail"
    return found


def pg_regress(sources: Sources, place: Place) -> Outcomes:
    """PostgreSQL's regression tests of the server, one at a time, by psql."""
    tests = place.folder / "regress"
    shutil.copytree(sources.regress(), tests)
    for folder in (tests / "results", tests / "testtablespace"):
        folder.mkdir(exist_ok=True)
    for path in (tests, *tests.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    programs = _BIN.parent / "lib/pgxs/src/test/regress/pg_regress"
    done = _run(
        [
            *(str(programs), f"--inputdir={tests}", f"--outputdir={tests}", f"--dlpath={tests}"),
            *(f"--bindir={_BIN}", f"--host={place.host}", f"--port={place.port}"),
            *(f"--user={place.user}", f"--schedule={tests / 'parallel_schedule'}"),
            "--max-connections=1",
        ],
        place,
    )
    (place.folder / "pg_regress.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    found: Outcomes = {}
    for line in done.stdout.splitlines():
        if match := _REGRESS.match(line):
            name = match[1] or match[4]
            came = "pass" if (match[2] or match[3]) == "ok" else "fail"
            # A test that fails everywhere, as of another minor version, fails the same way.
            said = (tests / "results" / f"{name}.out").read_bytes()
            digest = hashlib.sha256(said.replace(os.fsencode(place.folder), b"")).hexdigest()
            found[name] = came if came == "pass" else f"{came} {digest}"
    return found


SUITES: dict[str, Callable[[Sources, Place], Outcomes]] = {
    "libpq_pipeline": libpq_pipeline,
    "asyncpg": asyncpg,
    "psycopg": psycopg,
    "pg_regress": pg_regress,
}


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def _pytest(
    python: Path, tests: Path, place: Place, env: dict[str, str], *arguments: str
) -> Outcomes:
    outcomes = place.folder / "outcomes.json"
    chosen = ("-k", place.only) if place.only else ()
    own = {"OUTCOMES": str(outcomes), "PYTHONPATH": str(_HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    done = _run(
        [
            *(str(python), "-m", "pytest", "-q", "-p", "postgres_outcomes"),
            *("-o", f"cache_dir={place.folder / 'cache'}", "--tb=short", *arguments, *chosen),
        ],
        place,
        cwd=tests,
        env=own | env,
    )
    (place.folder / "pytest.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    if not outcomes.exists():
        raise RuntimeError(
            f"pytest said nothing of its tests:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    found: Outcomes = json.loads(outcomes.read_text(encoding="utf-8"))
    return found


def _run(
    command: Sequence[str],
    place: Place,
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd or place.folder,
        env=_kept() | (place.env if env is None else env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=_PATIENCE,
    )
