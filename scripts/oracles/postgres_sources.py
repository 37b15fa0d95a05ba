"""Other projects' tests, fetched by ordinary clients into a folder outside the checkout.

psycopg's own tests are in its repository only; asyncpg's in its source distribution; PostgreSQL's
in the source of Debian's package, for which `scripts/setup-postgres --oracles` brings the headers.
"""

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

PSYCOPG, ASYNCPG = "3.3.4", "0.32.0"
_DEBIAN = Path("/usr/lib/postgresql/15")
_INCLUDES = (
    "/usr/include/postgresql",
    "/usr/include/postgresql/15/server",
    "/usr/include/postgresql/internal",
)
_PIPELINE = "src/test/modules/libpq_pipeline"


class UnavailableError(Exception):
    """This cannot be had here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The cache.

    Attributes:
        folder: Outside the checkout; kept between runs.
        psycopg: Address of psycopg's repository, or a folder that holds it.
    """

    folder: Path
    psycopg: str

    def python(self) -> Path:
        """An interpreter with the clients and what their tests need."""
        venv = self.folder / "venv"
        python, stamp = venv / "bin/python", venv / f"psycopg-{PSYCOPG}-asyncpg-{ASYNCPG}"
        if not stamp.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(venv))
            _run(
                *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *(f"psycopg[binary]=={PSYCOPG}", "psycopg-pool", f"asyncpg=={ASYNCPG}"),
                *("anyio", "distro", "dnspython", "pproxy", "pytest", "uvloop"),
            )
            stamp.touch()
        return python

    def psycopg_tests(self) -> Path:
        """Psycopg's tests and nothing else of it, of the version that `python` has."""
        found = self.folder / f"psycopg-{PSYCOPG}"
        if not found.is_dir():
            clone = self.folder / "psycopg-clone"
            shutil.rmtree(clone, ignore_errors=True)
            _run("git", "clone", "--quiet", "--branch", PSYCOPG, self.psycopg, str(clone))
            part = self.folder / "psycopg-part"
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(clone / "tests", part / "tests")
            (part / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", encoding="utf-8")
            shutil.rmtree(clone)
            part.rename(found)
        return found

    def asyncpg_tests(self) -> Path:
        """Asyncpg's tests and nothing else of it."""
        found = self.folder / f"asyncpg-{ASYNCPG}-tests"
        if not found.is_dir():
            _run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--no-binary", ":all:"),
                *("--dest", str(self.folder), f"asyncpg=={ASYNCPG}"),
            )
            part = self.folder / "asyncpg-part"
            shutil.rmtree(part, ignore_errors=True)
            with tarfile.open(self.folder / f"asyncpg-{ASYNCPG}.tar.gz") as archive:
                archive.extractall(part, filter="data")
            found.mkdir()
            (part / f"asyncpg-{ASYNCPG}/tests").rename(found / "tests")
            shutil.rmtree(part)
        return found

    def postgres(self) -> Path:
        """PostgreSQL 15's source, unpacked."""
        found = next(self.folder.glob("postgresql-15.*/"), None)
        if found is None:
            archive = next(self.folder.glob("postgresql-15_*.orig.tar.*"), None)
            with tarfile.open(archive or self._debian_source()) as opened:
                opened.extractall(self.folder, filter="data")
            found = next(self.folder.glob("postgresql-15.*/"))
        return found

    def pipeline(self) -> Path:
        """libpq_pipeline, compiled; `traces` beside it."""
        found = self.postgres() / _PIPELINE / "libpq_pipeline"
        if not found.exists():
            libraries = ("-lpq", "-lpgcommon", "-lpgport", "-lm")
            self._compile(found.with_suffix(".c"), found, f"-L{_DEBIAN}/lib", *libraries)
        return found

    def regress(self) -> Path:
        """The folder of pg_regress's tests, with the C functions that they load."""
        found = self.postgres() / "src/test/regress"
        if not (found / "regress.so").exists():
            self._compile(found / "regress.c", found / "regress.so", "-shared", "-fPIC")
            for name in ("refint.so", "autoinc.so"):
                shutil.copy(_DEBIAN / "lib" / name, found)
        return found

    def _compile(self, source: Path, made: Path, *more: str) -> None:
        includes = [f"-I{folder}" for folder in _INCLUDES]
        _run("gcc", "-w", "-O1", *includes, str(source), "-o", str(made), *more)

    def _debian_source(self) -> Path:
        """By apt-get, with lists of its own: nothing of the system's is changed."""
        own = self.folder / "apt"
        for name in ("lists/partial", "archives/partial"):
            (own / name).mkdir(parents=True, exist_ok=True)
        here = Path("/etc/apt/sources.list.d/debian.sources")
        if not here.exists():
            raise UnavailableError(f"{here} is missing: PostgreSQL's source is fetched as it says")
        listed = own / "source.sources"
        text = here.read_text(encoding="utf-8")
        listed.write_text(text.replace("Types: deb\n", "Types: deb-src\n"), encoding="utf-8")
        options = [
            f"--option=Dir::State::lists={own / 'lists'}",
            f"--option=Dir::Cache={own}",
            f"--option=Dir::Etc::sourcelist={listed}",
            "--option=Dir::Etc::sourceparts=/dev/null",
            "--option=APT::Sandbox::User=root",
        ]
        _run("apt-get", *options, "--quiet", "update")
        shown = _run("apt-cache", *options, "showsrc", "postgresql-15")
        versions = {line[9:] for line in shown.splitlines() if line.startswith("Version: ")}
        for version in sorted(versions, reverse=True):  # the newest may have left the mirrors
            try:
                _run(
                    *("apt-get", *options, "--quiet", "--download-only", "source"),
                    f"postgresql-15={version}",
                    cwd=self.folder,
                )
            except UnavailableError:
                continue
            return next(self.folder.glob("postgresql-15_*.orig.tar.*"))
        raise UnavailableError("apt-get has no source of postgresql-15")


def _run(*command: str, cwd: Path | None = None) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(f"{' '.join(command[:3])} … failed: {said[-1] if said else ''}")
    return done.stdout
