"""The rules in force, and how often each spoke lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from proctor.audit.reader import Reader
from proctor.console.house import House
from proctor.console.readings import Readings
from proctor.console.rendering import page, person
from proctor.errors import ProctorError
from proctor.policy.engine import DEFAULT
from proctor.policy.rules import Rule

SPAN = timedelta(hours=24)
_AGE = 20.0
_HITS = """
    SELECT rule_id, count(*) AS hits, max(ts) AS latest FROM decisions
    WHERE ts >= $since AND rule_id IS NOT NULL GROUP BY rule_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """How often a rule spoke, and when last."""

    count: int
    latest: datetime


def routes(house: House, readings: Readings) -> list[BaseRoute]:
    """`/rules`."""

    async def listed(request: Request) -> Response:
        person(request)
        policy = house.policy()
        problem = None
        found: Mapping[str, Hits] = {}
        since = house.clock() - SPAN
        try:
            found = await readings.lately("hits", _AGE, lambda reader: hits(reader, since), {})
        except ProctorError as error:
            problem = error
        return await page(
            request,
            house,
            "rules.html",
            {
                "policy": policy,
                "rules": sorted(policy.rules, key=lambda rule: _ORDER.index(rule.then)),
                "hits": found,
                "default": DEFAULT,
                "problem": problem,
                "place": place,
                "conditions": conditions,
            },
        )

    return [Route("/rules", listed)]


def hits(reader: Reader, since: datetime) -> dict[str, Hits]:
    """How often each rule spoke since then."""
    plain = since.astimezone(UTC).replace(tzinfo=None)
    return {
        row["rule_id"]: Hits(count=row["hits"], latest=row["latest"].replace(tzinfo=UTC))
        for row in reader.rows(_HITS, {"since": plain})
    }


def place(rule: Rule) -> str:
    """`rules/claude-code.yaml:12`, wherever that folder is."""
    return "/".join(PurePath(rule.where).parts[-2:])


def conditions(rule: Rule) -> list[tuple[str, str]]:
    """What it asks for, by key."""
    found = [("match", pattern.source) for pattern in rule.match]
    if rule.when:
        found.append(("when", rule.when.source))
    if rule.unless:
        found.append(("unless", rule.unless.source))
    return found


_ORDER = ("deny", "hold", "allow")
