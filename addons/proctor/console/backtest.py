"""Trying rules over the record: one at a time, in a process of its own, for two minutes at most.

What is typed stands beside the rules in force, in place of one of their files, or alone.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.model import ApprovalError, Reviewer, Role
from proctor.console.backtestpage import shown
from proctor.console.house import House
from proctor.console.rendering import form, fragment, page, person
from proctor.errors import ClientError, ConfigurationError
from proctor.policy.backtestjob import order
from proctor.policy.backtestrun import Job
from proctor.policy.engine import rule_files
from proctor.runtime.tasks import spawn
from proctor.units import parse_duration

SECONDS: Final = 120.0
SPANS: Final = ("1d", "7d", "30d")
PLACES: Final = (
    ("beside", "beside the rules in force"),
    ("instead", "instead of the rules in force"),
)
MAX_RULES: Final = 24_000
"""Characters of rules: a form has 32 KiB at most."""

_MAY: Final = frozenset({Role.AUDITOR, Role.ADMIN})
_FILE: Final = "tried-in-the-console.yaml"
_FOR: Final = "for:"
"""How a place begins that is a file's, whose name follows."""

_MAX_LINE: Final = 16 * 1024 * 1024
_GRACE: Final = 10.0
# What a Python needs to start; no secret of the gateway's is among it.
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")


@dataclass(slots=True)
class Run:
    """One try.

    Attributes:
        by: Who wanted it.
        span: How far back.
        begun: When.
        text: The rules.
        place: Where they stand.
        done: Parts of the record that are read.
        of: How many there are; 0 as long as that is not known.
        running: It goes on.
        report: What came of it.
        error: Why nothing did.
    """

    by: str
    span: str
    begun: datetime
    text: str = field(default="", repr=False)
    place: str = ""
    done: int = 0
    of: int = 0
    running: bool = True
    report: dict[str, Any] | None = field(default=None, repr=False)
    error: ClientError | None = None


class Tries:
    """The try that goes on, or the last one."""

    def __init__(self, house: House, *, seconds: float = SECONDS) -> None:
        self._house = house
        self._seconds = seconds
        self.run: Run | None = None

    def start(self, text: str, place: str, span: str, reviewer: Reviewer) -> asyncio.Task[None]:
        """Begin one; the task is it.

        Raises:
            ClientError: `backtest-busy`, `form-invalid`.
        """
        if self.run and self.run.running:
            raise ClientError(
                code="backtest-busy",
                message="Another backtest goes on",
                hint="Wait until it has ended.",
                status=409,
            )
        if not text.strip() or len(text) > MAX_RULES:
            raise ClientError(
                code="form-invalid", message="These are no rules", expected="1 to 24,000 characters"
            )
        if span not in SPANS or place not in dict(self.places()):
            raise ClientError(code="form-invalid", message="How far back, and where?")
        now = self._house.clock()
        by = reviewer.name or reviewer.subject
        self.run = Run(by=by, span=span, begun=now, text=text, place=place)
        since = now - timedelta(seconds=parse_duration(span))
        return spawn(self._work(self.run, text, place, since, now), name="backtest")

    async def _work(
        self, run: Run, text: str, place: str, since: datetime, until: datetime
    ) -> None:
        try:
            with TemporaryDirectory(prefix="proctor-backtest-") as made:
                folder = Path(made)
                await asyncio.to_thread(self._write, folder, text, place)
                features = self._house.policy().features
                job = Job(
                    recordings=self._house.record,
                    rules=folder,
                    now=self._house.rules,
                    features=features,
                    features_now=features,
                    since=since,
                    until=until,
                )
                await self._ask(run, job)
        except ClientError as error:
            run.error = error
        except Exception:
            run.error = _failed("see the log")
            raise  # `spawn` logs it
        finally:
            run.running = False

    def files(self) -> dict[str, Path]:
        """The files of the rules in force, by name; none where they cannot be listed."""
        if self._house.rules is None:
            return {}
        try:
            return {file.name: file for file in rule_files(self._house.rules)}
        except ConfigurationError:
            return {}

    def places(self) -> list[tuple[str, str]]:
        """Where rules can stand, and how that is called."""
        return [*PLACES, *((_FOR + name, f"in place of {name}") for name in self.files())]

    def _write(self, folder: Path, text: str, place: str) -> None:
        if place != "instead" and self._house.rules:
            for file in rule_files(self._house.rules):
                copyfile(file, folder / file.name)
        name = place.removeprefix(_FOR) if place.startswith(_FOR) else _FILE
        (folder / name).write_text(text, encoding="utf-8", errors="replace")

    async def _ask(self, run: Run, job: Job) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "proctor.policy.backtestjob"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
            limit=_MAX_LINE,
        )
        try:
            async with asyncio.timeout(self._seconds + _GRACE):
                await self._listen(run, process, order(job, self._seconds))
        except TimeoutError:
            raise _failed("it took too long") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    @staticmethod
    async def _listen(run: Run, process: asyncio.subprocess.Process, given: bytes) -> None:
        if process.stdin is None or process.stdout is None:
            raise _failed("it could not be started")
        process.stdin.write(given)
        process.stdin.close()
        async for line in process.stdout:
            said = json.loads(line)
            if "report" in said:
                run.report = said["report"]
            elif "error" in said:
                raise ClientError(**said["error"])
            else:
                run.done, run.of = said["done"], said["of"]
        if run.report is None:
            raise _failed("it ended without an answer")


def routes(house: House) -> list[BaseRoute]:
    """`/backtest`, and `/backtest/run` for how far it is."""
    tries = Tries(house)

    async def drawn(
        request: Request, typed: dict[str, str], error: ClientError | None = None
    ) -> Response:
        given = {
            **_state(tries),
            "typed": typed,
            "places": tries.places(),
            "files": list(tries.files()),
            "spans": SPANS,
            "error": error,
        }
        status = error.status if error else 200
        return await page(request, house, "backtest.html", given, status=status)

    async def listed(request: Request) -> Response:
        _permitted(request)
        name = request.query_params.get("from", "")
        if name:
            return await drawn(request, {"rules": _text(tries, name), "place": _FOR + name})
        run = tries.run
        last = {"rules": run.text, "place": run.place, "span": run.span} if run else {}
        return await drawn(request, last)

    async def start(request: Request) -> Response:
        reviewer = _permitted(request)
        fields = await form(request)
        text, place, span = (fields.get(name, "") for name in ("rules", "place", "span"))
        try:
            tries.start(text, place, span, reviewer)
        except ClientError as error:
            return await drawn(request, fields, error)
        return RedirectResponse("/backtest", status_code=303)

    async def state(request: Request) -> Response:
        _permitted(request)
        return await fragment(request, house, "_backtestrun.html", _state(tries))

    return [
        Route("/backtest", listed),
        Route("/backtest", start, methods=["POST"]),
        Route("/backtest/run", state),
    ]


def _state(tries: Tries) -> dict[str, object]:
    run = tries.run
    found = shown(run.report, run.report["words"]) if run and run.report else None
    return {"run": run, "shown": found}


def _text(tries: Tries, name: str) -> str:
    """A file of the rules in force.

    Raises:
        ClientError: `form-invalid`: there is none of this name, or it is too long for a form.
    """
    file = tries.files().get(name)
    with contextlib.suppress(OSError, ValueError):
        text = file.read_text(encoding="utf-8") if file else ""
        if 0 < len(text) <= MAX_RULES:
            return text
    raise ClientError(
        code="form-invalid",
        message="There is no such file of rules, or it is too long for a form",
        got=name[:80],
        hint="`proctor backtest` takes files and folders of any size.",
    )


def _permitted(request: Request) -> Reviewer:
    """Somebody who may see whose actions they were.

    Raises:
        ApprovalError: `approval-role` (403).
    """
    reviewer = person(request)
    if not reviewer.roles & _MAY:
        raise ApprovalError(
            code="approval-role",
            message="You may not see whose actions these were",
            got=", ".join(sorted(reviewer.roles)),
            expected="auditor or admin",
            status=403,
        )
    return reviewer


def _failed(why: str) -> ClientError:
    return ClientError(
        code="backtest-failed",
        message="The backtest came to nothing",
        got=why,
        hint="`proctor backtest` on the machine itself takes its time and says more.",
        status=503,
    )
