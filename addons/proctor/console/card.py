"""One held action: what a reviewer sees of it, and how they decide it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import (
    grantable,
    humans,
    may_break_glass,
    may_decide,
    may_reveal,
    may_review,
)
from proctor.approval.model import Approval, ApprovalError, Hidden, Part, Reviewer, State, Vote
from proctor.console.compare import Line, changes, layout
from proctor.console.house import House
from proctor.console.legible import ALIKE, ODD, Piece, pieces, plain, suspicious
from proctor.console.rendering import form, fragment, is_fragment, page, person
from proctor.errors import ClientError
from proctor.model import ApprovalTerms
from proctor.units import parse_duration

_LENGTHS = tuple(timedelta(minutes=each) for each in (5, 15, 30, 60, 120, 240, 480, 1440))
_MAX_USES = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One part of a card as it is laid out.

    Attributes:
        part: The part.
        text: Its text, JSON with line breaks.
        marked: The same in pieces.
        odd: Something in it would not be seen as what it is.
        lines: How many.
        diff: What differs from the call before; None where there is none to compare with.
    """

    part: Part
    text: str
    marked: list[Piece]
    odd: bool
    lines: int
    diff: list[Line] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one of the terms is met."""

    terms: ApprovalTerms
    said: tuple[Vote, ...]
    given: int


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the template of a card gets.

    Attributes:
        approval: It.
        parts: What exactly.
        hidden: What stands in place of values → what it is, in words.
        progress: For each of the terms.
        refusal: Why this person may not decide; None if they may.
        may_break_glass: This person may approve it alone.
        may_reveal: Values of it may be shown to this person.
        may_review: This person may say that they looked at the broken glass.
        lengths: For how long a grant may be given, as durations; empty if none may.
        reason_needed: A decision needs words.
        wait_until: Until when its client waits; None if nobody does.
        history: What this person decided on the same shape before.
        previous: The call before of the same shape, by the same principal.
    """

    approval: Approval
    parts: tuple[Shown, ...]
    hidden: dict[str, str]
    progress: tuple[Progress, ...]
    refusal: ApprovalError | None
    may_break_glass: bool
    may_reveal: bool
    may_review: bool
    lengths: tuple[timedelta, ...]
    reason_needed: bool
    wait_until: datetime | None
    history: tuple[Approval, ...] = ()
    previous: Approval | None = None
    revealed: dict[str, str] = field(default_factory=dict, repr=False)


def routes(house: House) -> list[BaseRoute]:
    """`/approvals/{id}` and what can be done there."""
    cards = _Cards(house)
    return [
        Route("/approvals/{name}", cards.one),
        Route("/approvals/{name}/decide", cards.decide, methods=["POST"]),
        Route("/approvals/{name}/reveal", cards.reveal, methods=["POST"]),
        Route("/approvals/{name}/reviewed", cards.reviewed, methods=["POST"]),
    ]


class _Cards:
    def __init__(self, house: House) -> None:
        self._house = house

    async def one(self, request: Request) -> Response:
        return await self._shown(request)

    async def decide(self, request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        try:
            answer = _answer(fields)
            granted = answer == "grant"
            await self._house.desk.decide(
                request.path_params["name"],
                reviewer,
                approve=answer != "deny",
                reason=fields.get("reason", ""),
                grant=_length(fields.get("grant_for", "")) if granted else None,
                uses=_uses(fields.get("uses", "")) if granted else None,
                pattern=fields.get("pattern", "") if granted else "",
                break_glass=answer == "break-glass",
            )
        except ClientError as error:
            return await self._shown(request, error=error)
        return await self._done(request, "decided")

    async def reveal(self, request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        try:
            values = await self._house.desk.reveal(
                request.path_params["name"], reviewer, fields.get("reason", "")
            )
        except ClientError as error:
            return await self._shown(request, error=error)
        return await self._shown(request, revealed=values)

    async def reviewed(self, request: Request) -> Response:
        reviewer = person(request)
        fields = await form(request)
        try:
            await self._house.desk.reviewed(
                request.path_params["name"], reviewer, fields.get("reason", "")
            )
        except ClientError as error:
            return await self._shown(request, error=error)
        return await self._done(request, "reviewed")

    async def _done(self, request: Request, said: str) -> Response:
        if is_fragment(request):
            return await self._shown(request, said=said)
        return RedirectResponse(request.url.path.rpartition("/")[0], status_code=303)

    async def _shown(
        self,
        request: Request,
        *,
        error: ClientError | None = None,
        revealed: dict[str, str] | None = None,
        said: str = "",
    ) -> Response:
        reviewer = person(request)
        approval = await self._house.desk.approval(request.path_params["name"], reviewer)
        view = await look(self._house, approval, reviewer, revealed or {})
        if is_fragment(request):
            # htmx puts it in place whatever its status; an error is told in its first line.
            return await fragment(request, self._house, "_card.html", given(view, error, said))
        whole = given(view, error, said) | {"alone": True}
        status = error.status if error else 200
        return await page(request, self._house, "approval.html", whole, status=status)


def given(view: View, error: ClientError | None = None, said: str = "") -> dict[str, object]:
    """What the templates of a card get."""
    return {"view": view, "error": error, "said": said, "alone": False}


async def look(
    house: House, approval: Approval, reviewer: Reviewer, revealed: dict[str, str]
) -> View:
    """Everything about an approval that this person sees."""
    asking = approval.asking
    pending = approval.state is State.PENDING
    previous = await house.desk.previous(approval, reviewer)
    history = await house.desk.history(approval, reviewer)
    before = {part.name: part for part in previous.asking.card.parts} if previous else {}
    hidden = {each.shown: in_words(each) for each in asking.card.hidden if each.shown}

    def shown() -> tuple[Shown, ...]:
        return tuple(show(part, before.get(part.name), hidden) for part in asking.card.parts)

    decides = may_decide(approval, reviewer)
    lengths: tuple[timedelta, ...] = ()
    # A field shows its text as it is: what would mislead there is not offered.
    if pending and decides is None and not suspicious(asking.pattern):
        lengths = grant_lengths(asking.demands)
    return View(
        approval=approval,
        parts=await asyncio.to_thread(shown),
        hidden=hidden,
        progress=tuple(_progress(terms, approval.votes) for terms in asking.demands),
        refusal=decides,
        may_break_glass=pending and may_break_glass(approval, reviewer) is None,
        may_reveal=bool(asking.card.hidden) and may_reveal(approval, reviewer) is None,
        may_review=approval.break_glass
        and not approval.reviewed_by
        and may_review(approval, reviewer) is None
        and all(reviewer.identities.isdisjoint(vote.identities) for vote in approval.votes),
        lengths=lengths,
        reason_needed=any(terms.reason_required for terms in asking.demands),
        wait_until=_wait_until(approval, house.clock()),
        history=tuple(history),
        previous=previous,
        revealed=revealed,
    )


def show(part: Part, before: Part | None, hidden: Mapping[str, str]) -> Shown:
    """Lay a part out, and compare it with the same part of the call before."""
    text = _laid(part)
    marked = pieces(text, hidden)
    return Shown(
        part=part,
        text=text,
        marked=marked,
        odd=any(piece.kind in {ODD, ALIKE} for piece in marked),
        lines=text.count("\n") + 1,
        diff=changes(_laid(before), text) if before else None,
    )


def in_words(hidden: Hidden) -> str:
    """What a span is that is not seen."""
    several = "" if hidden.length == 1 else "s"
    return f"{plain(hidden.type)}, {hidden.length:,} character{several}: you do not see it"


def grant_lengths(demands: Sequence[ApprovalTerms]) -> tuple[timedelta, ...]:
    """For how long a grant may be given: as long as all of the terms let it."""
    limits = [terms.grant for terms in demands if terms.grant is not None]
    if not limits or len(limits) < len(demands):
        return ()
    longest = min(limits)
    return tuple(each for each in sorted({*_LENGTHS, longest}) if grantable(demands, each) is None)


def _laid(part: Part) -> str:
    return (layout(part.text) if part.kind == "json" else None) or part.text


def _progress(terms: ApprovalTerms, votes: Sequence[Vote]) -> Progress:
    groups = set(terms.from_groups)
    said = tuple(v for v in votes if v.approve and not groups.isdisjoint(v.groups))
    return Progress(terms=terms, said=said, given=len(humans(vote.identities for vote in said)))


def _wait_until(approval: Approval, now: datetime) -> datetime | None:
    """When the client is told to come back; a retry that joined waits anew, and is not counted."""
    if approval.state is not State.PENDING or not approval.waiting or not approval.asking.demands:
        return None
    end = approval.requested_at + min(terms.wait for terms in approval.asking.demands)
    return min(end, approval.expires_at) if end > now else None


def _answer(fields: Mapping[str, str]) -> str:
    answer = fields.get("answer", "")
    if answer not in {"approve", "deny", "grant", "break-glass"}:
        raise ClientError(code="form-invalid", message="It is not clear what was decided")
    if answer == "break-glass" and fields.get("sure") != "yes":
        raise ClientError(
            code="form-invalid",
            message="The glass is still whole",
            hint="Tick the box if you mean it.",
        )
    return answer


def _length(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise ClientError(
            code="form-invalid", message="For how long?", expected=str(error)
        ) from None


def _uses(text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_USES:
        raise ClientError(
            code="form-invalid", message="How often?", expected="a number, or nothing for any"
        )
    return int(text)
