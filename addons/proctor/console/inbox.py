"""What waits for a person, the oldest first; and what was settled lately."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.approval.authority import may_decide
from proctor.approval.model import Approval, Reviewer, State
from proctor.console.card import given as card_given
from proctor.console.card import look
from proctor.console.house import House
from proctor.console.rendering import fragment, page, person, reviewer_of

SHOWN = 100
_SETTLED = 100
_OVER = (State.APPROVED, State.USED, State.EXPIRED, State.CANCELLED, State.DENIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What the list shows.

    Attributes:
        held: The oldest that wait.
        more: How many more do.
        mine: Ids of those that this person may decide.
        glass: Approved by breaking the glass, and looked at by nobody since; the oldest first.
        settled: The youngest that were settled; None where those were not asked for.
    """

    held: tuple[Approval, ...]
    more: int
    mine: frozenset[str]
    glass: tuple[Approval, ...]
    settled: tuple[Approval, ...] | None = None

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self.held) + self.more


def routes(house: House) -> list[BaseRoute]:
    """`/` and the list in it."""

    async def home(request: Request) -> Response:
        found = reviewer_of(request)
        if found is not None and not found.roles:
            return await page(request, house, "norole.html")
        reviewer = person(request)
        settled = request.query_params.get("show") == "settled"
        inbox = await read(house, reviewer, settled=settled)
        first = next(iter(inbox.settled if inbox.settled is not None else inbox.held), None)
        chosen: dict[str, object] = {"view": None, "error": None, "said": "", "alone": False}
        if first is not None:
            chosen = card_given(await look(house, first, reviewer, {}))
        return await page(request, house, "inbox.html", {"inbox": inbox, **chosen})

    async def listed(request: Request) -> Response:
        reviewer = person(request)
        settled = request.query_params.get("show") == "settled"
        inbox = await read(house, reviewer, settled=settled)
        return await fragment(request, house, "_inbox.html", {"inbox": inbox, "fresh": True})

    return [Route("/", home), Route("/inbox", listed)]


async def read(house: House, reviewer: Reviewer, *, settled: bool = False) -> Inbox:
    """What this person's inbox holds."""
    desk, pending = house.desk, (State.PENDING,)
    done = await desk.approvals(reviewer, states=_OVER, limit=_SETTLED) if settled else None
    held = await desk.approvals(reviewer, states=pending, limit=SHOWN, oldest_first=True)
    waiting = await desk.count(reviewer, pending) if len(held) == SHOWN else len(held)
    return Inbox(
        held=tuple(held),
        more=max(0, waiting - len(held)),
        mine=frozenset(each.id for each in held if may_decide(each, reviewer) is None),
        glass=tuple(await desk.unreviewed(reviewer, limit=SHOWN)),
        settled=None if done is None else tuple(done),
    )
