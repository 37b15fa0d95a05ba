"""Pages out of templates: everything is escaped, and made legible where others wrote it.

The templates that sign-in uses get: `error.html` an `error` (ProctorError) and its `status`;
`signin.html` and `clilogin.html` what their first lines say. A page for somebody who has not signed
in is one whose `request.state` has no `reviewer`.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from proctor.approval.model import ApprovalError, Kill, Reviewer, Role
from proctor.console.house import House
from proctor.console.legible import line, pieces, plain
from proctor.errors import ClientError
from proctor.explained import explained
from proctor.provenance.cards import ORIGIN, exchanges

MAX_FORM = 32 * 1024
_MAX_FIELDS = 40
_FORM = "application/x-www-form-urlencoded"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def reviewer_of(request: Request) -> Reviewer | None:
    """Who has signed in, as the guard before these pages found; None if nobody has."""
    found: Reviewer | None = getattr(request.state, "reviewer", None)
    return found


def person(request: Request) -> Reviewer:
    """Who has signed in.

    Raises:
        ClientError: Nobody has (401), or they have no role (403).
    """
    found = reviewer_of(request)
    if found is None:
        raise ClientError(
            code="sign-in-needed", message="Nobody is signed in", hint="Sign in.", status=401
        )
    if not found.roles:
        raise ApprovalError(
            code="approval-role",
            message="None of your groups has a role here",
            got=", ".join(found.groups)[:300] or "no groups",
            expected="a group that is named under `roles` in proctor.yaml",
            hint="Ask whoever runs proctor.",
            status=403,
        )
    return found


def is_fragment(request: Request) -> bool:
    """Whether a part of a page is asked for, by htmx."""
    return "hx-request" in request.headers


async def page(
    request: Request,
    house: House,
    name: str,
    given: Mapping[str, object] | None = None,
    *,
    status: int = 200,
) -> Response:
    """A whole page, within the frame that all have."""
    found = reviewer_of(request)
    kills = await in_force(house, found) if found and found.roles else []
    frame = {
        "me": found,
        "roles": found.roles if found else frozenset[Role](),
        "dev": house.dev,
        "kills_in_force": kills,
        "lacking": list(house.lacking()) if found else [],
        "path": request.url.path,
    }
    return await fragment(request, house, name, {**frame, **(given or {})}, status=status)


async def fragment(
    request: Request,
    house: House,
    name: str,
    given: Mapping[str, object],
    *,
    status: int = 200,
) -> Response:
    """A part of a page, without the frame."""
    # In a thread: what others wrote can be long, and the gateway's traffic goes through this loop.
    text = await asyncio.to_thread(
        environment().get_template(name).render,
        now=house.clock(),
        csrf=getattr(request.state, "csrf", ""),
        **given,
    )
    # A lone surrogate, which JSON can hold and UTF-8 cannot, stands as it would be escaped.
    return HTMLResponse(text.encode("utf-8", "backslashreplace"), status_code=status)


async def in_force(house: House, reviewer: Reviewer) -> list[Kill]:
    """The kills that everybody is told of, as far as this person may know."""
    try:
        return await house.desk.kills(reviewer)
    except ApprovalError as error:
        if error.code != "approval-role":
            raise
        return []


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        ClientError: It is too large, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_FORM:
            raise ClientError(
                code="form-too-large",
                message="The form is too large",
                expected=f"at most {MAX_FORM} bytes",
                status=413,
            )
    if kind != _FORM:
        raise ClientError(
            code="form-invalid", message="This is no form", expected=_FORM, status=415
        )
    try:
        fields = parse_qsl(
            raw.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"
        )
    except ValueError:
        raise ClientError(code="form-invalid", message="The form cannot be read") from None
    if len(dict(fields)) != len(fields):
        raise ClientError(code="form-invalid", message="A field of the form stands twice")
    return {name: value.strip() for name, value in fields}


def address(path: str, **query: str) -> str:
    """A path with what is asked of it; empty values are left out."""
    asked = urlencode({name: value for name, value in query.items() if value}, quote_via=quote)
    return f"{path}?{asked}" if asked else path


def span(length: timedelta | float) -> str:
    """A duration in at most two units: `45 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = round(length.total_seconds() if isinstance(length, timedelta) else length)
    if whole < _MINUTE:
        return f"{max(0, whole)} s"
    for size, name, part, below in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {below}" if rest else "")
    raise AssertionError


def clock_time(moment: datetime, now: datetime) -> str:
    """A time of today as `10:42:31`, another with its day; UTC."""
    then, today = moment.astimezone(UTC), now.astimezone(UTC).date()
    return f"{then:%H:%M:%S}" if then.date() == today else f"{then:%Y-%m-%d %H:%M}"


def who(key: str) -> str:
    """The `sub` in a `Principal.key`; several are joined by a comma."""
    return ", ".join(each.rpartition("#")[2] or each for each in key.split(" ") if each)


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates of this package."""
    made = Environment(
        loader=PackageLoader("proctor.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        pieces=pieces,
        line=line,
        plain=plain,
        explained=explained,
        exchanges=exchanges,
        span=span,
        clock=clock_time,
        who=who,
        iso=lambda moment: moment.astimezone(UTC).isoformat(timespec="seconds"),
        count=lambda number: f"{number:,}",
    )
    made.globals.update(address=address, origin=ORIGIN)
    return made
