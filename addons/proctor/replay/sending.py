"""Sends recorded requests again, once a human has said yes to exactly these.

The order is fixed: the plan is made, humans are asked about its digest, the approval is used up on
record, and only then the first request leaves. Each goes through the chosen listener, so the rules
are asked again and what must not pass does not; for an upstream that no listener leads to, see
`direct`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

import httpx

from proctor import __version__
from proctor.approval.model import (
    Approval,
    ApprovalError,
    Asking,
    Reviewer,
    Role,
    State,
)
from proctor.errors import (
    ClientError,
    ConfigurationError,
    InternalError,
    ProctorError,
    RefusedError,
)
from proctor.model import ActionKind, ApprovalTerms, Principal
from proctor.replay.asking import asking
from proctor.replay.direct import Straight, Wire, meant
from proctor.replay.outcome import Outcome, differences, text_diff
from proctor.replay.passes import Passes
from proctor.replay.places import Place
from proctor.replay.plan import Plan, Request
from proctor.replay.posting import TIMEOUT, posted
from proctor.runtime.tasks import spawn, stop

log = logging.getLogger(__name__)

_MAX_OPEN: Final = 8
_MAX_KEPT: Final = 50
_MAX_NAME: Final = 200
_MAX_SHOWN: Final = 200
_SPOKEN: Final = {ActionKind.LLM_REQUEST: "anthropic", ActionKind.HTTP_REQUEST: "http"}
_SESSION: Final = "x-claude-code-session-id"


class Desk(Protocol):
    """What is asked of the desk here."""

    async def ask(self, asking: Asking) -> Approval:
        """Ask humans."""
        ...

    async def settled(self, name: str, until: datetime) -> Approval:
        """The approval once it is no longer pending."""
        ...

    async def use(self, name: str) -> Approval:
        """Use it, once."""
        ...

    async def cancel(self, name: str, reason: str, by: str = "proctor") -> Approval:
        """Nobody wants it any more."""
        ...


class Stage(StrEnum):
    """How far a replay has come."""

    WAITING = "waiting"
    SENDING = "sending"
    DONE = "done"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN: Final = frozenset({Stage.WAITING, Stage.SENDING})


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One replay.

    Attributes:
        id: Of its approval.
        plan: What is sent.
        by: Who asked for it.
        name: What the session is called in which it is recorded.
        terms: What its approval asks of humans.
        stage: How far it has come.
        sent: What came of each request so far.
        problem: Why it ended early; "" if it did not.
    """

    id: str
    plan: Plan
    by: Reviewer
    name: str
    terms: tuple[ApprovalTerms, ...] = ()
    stage: Stage = Stage.WAITING
    sent: list[Outcome] = field(default_factory=list[Outcome])
    problem: str = ""
    task: asyncio.Task[None] | None = None

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        plan = self.plan
        return {
            "id": self.id,
            "session": plan.session,
            "principal": plan.principal,
            "to": plan.direct.url if plan.direct else plan.listener,
            "upstream": plan.upstream,
            "digest": plan.digest,
            "bytes": plan.size,
            "requests": len(plan.requests),
            "recorded_as": self.name,
            "stage": self.stage.value,
            "problem": self.problem,
            "results": [
                _compared(request, found)
                for request, found in zip(plan.requests, self.sent, strict=False)
            ],
        }


class Replayer:
    """All replays of one gateway.

    Args:
        desk: Where humans are asked.
        passes: Admits what is sent.
        note: Puts a word on record.
        clock: The time, UTC.
        groups: Whose reviewers are asked.
        straight: The way to upstreams that no listener leads to.

    Attributes:
        places: By name of a listener; filled once these are open, and empty again when the gateway
            takes nothing more.
        taking: Whether the gateway takes traffic; while it does not, nothing leaves.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        *,
        desk: Desk,
        passes: Passes,
        note: Callable[[str, dict[str, object]], Awaitable[None]],
        clock: Callable[[], datetime],
        groups: tuple[str, ...],
        straight: Straight,
    ) -> None:
        self.places: dict[str, Place] = {}
        self.taking = False
        self.straight = straight
        self._desk = desk
        self._passes = passes
        self._note = note
        self._clock = clock
        self._groups = groups
        self._jobs: dict[str, Job] = {}

    async def start(self, plan: Plan, reviewer: Reviewer, reason: str, policy: str) -> Job:
        """Ask humans; what they approve is sent.

        Args:
            plan: What.
            reviewer: Who asks; somebody else decides.
            reason: Why, in their words.
            policy: Digest of the rules in force.

        Raises:
            ClientError: `replay-nobody`, `replay-busy`, `replay-listener`.
            RefusedError: The rules say no to what goes to a URL.
            ApprovalError: Humans cannot be asked.
        """
        self._check(plan)
        terms = await self._terms(plan, reviewer)
        question = asking(plan, reviewer, reason, policy, self._groups, terms)
        approval = await self._desk.ask(question)
        known = self._jobs.get(approval.id)
        if known is not None and known.stage in OPEN:
            return known  # the same was asked for a moment ago
        name = f"replay-{approval.id.partition('_')[2]}-of-{plan.session}"[:_MAX_NAME]
        # What was asked, which may be an earlier question of the same digest.
        asked = approval.asking.demands
        job = Job(id=approval.id, plan=plan, by=reviewer, name=name, terms=asked)
        self._jobs[approval.id] = job
        while len(self._jobs) > _MAX_KEPT:
            self._jobs.pop(next(n for n, each in self._jobs.items() if each.stage not in OPEN))
        job.task = spawn(self._run(job, approval), name=f"replay {job.id}")
        return job

    def job(self, name: str, reviewer: Reviewer) -> Job:
        """A replay, for who asked for it and for who sees everything.

        Raises:
            ClientError: `replay-unknown-job` (404).
        """
        found = self._jobs.get(name)
        all_seen = {Role.AUDITOR, Role.ADMIN} & reviewer.roles
        if found is None or not (all_seen or found.by.key == reviewer.key):
            raise ClientError(
                code="replay-unknown-job", message="There is no such replay here", status=404
            )
        return found

    async def cancel(self, name: str, reviewer: Reviewer) -> Job:
        """End a replay; what has been sent has been sent."""
        job = self.job(name, reviewer)
        if job.stage in OPEN and job.task:
            job.stage = Stage.CANCELLED
            await stop(job.task)
            await self._withdraw(job, reviewer.key)
        return job

    async def close(self) -> None:
        """End all that are under way."""
        for job in self._jobs.values():
            if job.stage in OPEN and job.task:
                job.stage, job.problem = Stage.CANCELLED, "proctor stopped"
                await stop(job.task)
                await self._withdraw(job, "proctor")
        self.straight.close()

    async def _withdraw(self, job: Job, by: str, why: str = "the replay was cancelled") -> None:
        try:
            await self._desk.cancel(job.id, why, by)
        except ApprovalError as error:
            if error.code != "approval-state":  # it is over already
                raise

    async def _terms(self, plan: Plan, reviewer: Reviewer) -> tuple[ApprovalTerms, ...]:
        """What the rules ask of humans; a listener asks them itself."""
        return await self.straight.terms(plan, self._principal(reviewer)) if plan.direct else ()

    async def _still(self, job: Job, plan: Plan) -> None:
        """Nothing leaves that the gateway, or the rules, would not let pass by now."""
        if not plan.direct:
            self._place(plan)  # else somebody else may listen there by now
            return
        self._taking()
        terms = await self._terms(plan, job.by)
        if not frozenset(job.terms).issuperset(terms):
            # Or it would be joined by whoever asks again.
            await self._withdraw(job, "proctor", "the rules ask for more by now")
            raise RefusedError(
                "approval-void",
                "The rules ask for more than they did when it was approved",
                rule_id=terms[0].rule_id,
            )

    def _taking(self) -> None:
        if not self.taking:
            raise ClientError(
                "replay-closed", "The gateway takes no traffic, so nothing is sent", status=503
            )

    def _check(self, plan: Plan) -> None:
        if plan.direct:
            self._taking()
        else:
            self._place(plan)
        if not self._groups:
            raise ClientError(
                code="replay-nobody",
                message="There is nobody who could approve it",
                expected="groups under `roles: reviewer` in proctor.yaml",
                status=409,
            )
        if sum(each.stage in OPEN for each in self._jobs.values()) >= _MAX_OPEN:
            raise ClientError(
                code="replay-busy",
                message="Too many replays are under way",
                expected=f"at most {_MAX_OPEN}",
                status=429,
            )

    def _place(self, plan: Plan) -> Place:
        place = self.places.get(plan.listener)
        spoken = {_SPOKEN[each.kind] for each in plan.requests}
        if place is None or place.upstream != plan.upstream or spoken != {place.speaks}:
            raise ClientError(
                code="replay-listener",
                message="What is sent again cannot go through this listener",
                got=plan.listener[:_MAX_SHOWN],
                expected=" or ".join(sorted(self.places)) or "a listener",
                hint="An open reverse listener that speaks anthropic or http, with one upstream and"
                " without tls.client_ca; or a URL.",
            )
        return place

    async def _run(self, job: Job, approval: Approval) -> None:
        try:
            await self._wait(job, approval)
            if job.stage is Stage.SENDING:
                await self._send(job)
        except ProctorError as error:
            job.stage, job.problem = Stage.FAILED, error.message
        except asyncio.CancelledError:
            job.stage = Stage.CANCELLED
            raise
        except Exception:
            job.stage, job.problem = Stage.FAILED, "it failed here; the log says more"
            raise

    async def _wait(self, job: Job, approval: Approval) -> None:
        found = await self._desk.settled(approval.id, approval.expires_at)
        if found.state is not State.APPROVED:
            late = found.state is State.PENDING
            said = "nobody answered in time" if late else f"it was {found.state.value}"
            job.stage, job.problem = Stage.REFUSED, said
            return
        await self._still(job, job.plan)  # before it is used up
        used = await self._desk.use(approval.id)  # says no where its end has come, or it was used
        if used.asking.digest != job.plan.digest:
            raise InternalError("replay-digest", "The approval is for something else")
        job.stage = Stage.SENDING

    async def _send(self, job: Job) -> None:
        plan, by = job.plan, job.by
        told = {"approval_id": job.id, "session_id": job.name, "by": by.key}
        what: dict[str, object] = {
            "of_session": plan.session,
            "of_principal": plan.principal,
            "listener": None if plan.direct else plan.listener,
            "upstream": plan.upstream,
            "requests": len(plan.requests),
            "digest": plan.digest,
        }
        if plan.direct:
            what |= {
                "addresses": plan.direct.addresses,
                "credential": plan.direct.credential or None,
            }
        await self._note("replay.started", {**told, **what})
        try:
            async with self._way(job) as way:
                for request in plan.requests:
                    await self._still(job, replace(plan, requests=(request,)))
                    job.sent.append(await way.send(request))
        finally:
            statuses = [each.status for each in job.sent]
            await self._note("replay.ended", {**told, "sent": len(statuses), "statuses": statuses})
        job.stage = Stage.DONE

    def _principal(self, by: Reviewer) -> Principal:
        now = self._clock()
        return Principal(
            issuer=by.issuer,
            subject=by.subject,
            human=by.human,
            groups=by.groups,
            issued_at=now.timestamp(),
            expires_at=(now + timedelta(days=1)).timestamp(),
        )

    @asynccontextmanager
    async def _way(self, job: Job) -> AsyncIterator["Wire | _Through"]:
        principal = self._principal(job.by)
        if job.plan.direct:
            async with self.straight.wire(job.plan, principal) as wire:
                yield wire
            return
        with self._passes.issued(principal) as token:
            async with await self._client(job, token) as client:
                yield _Through(client, job.plan.betas)

    async def _client(self, job: Job, token: str) -> httpx.AsyncClient:
        place = self._place(job.plan)
        try:
            trust = await asyncio.to_thread(place.trust)
        except (OSError, ValueError):
            raise ConfigurationError(
                "tls-files",
                "The listener's certificate cannot be read",
                got=job.plan.listener,
                expected="a PEM file",
            ) from None
        headers = {
            "authorization": f"Bearer {token}",
            "accept-encoding": "identity",
            "user-agent": f"proctor-replay/{__version__}",
            _SESSION: job.name,
        }
        return httpx.AsyncClient(
            base_url=place.url,
            verify=trust,
            headers=headers,
            timeout=TIMEOUT,
            trust_env=False,  # it is ourselves: no proxy in between
        )


class _Through:
    """Sends through a listener of ours."""

    def __init__(self, client: httpx.AsyncClient, betas: str) -> None:
        self._client = client
        self._betas = betas

    async def send(self, request: Request) -> Outcome:
        """One request, and what came of it."""
        ready = self._client.build_request(
            request.method,
            request.path,
            headers=meant(request, self._betas),
            content=request.body,
        )
        return await posted(self._client, ready, request.kind)


def _compared(request: Request, found: Outcome) -> dict[str, Any]:
    return {
        "turn": request.turn,
        "model": request.model,
        "method": request.method,
        "path": request.path,
        "differs": list(differences(request.recorded, found)),
        "diff": text_diff(request.recorded, found),
        "recorded": request.recorded.as_json(),
        "sent": found.as_json(),
    }
