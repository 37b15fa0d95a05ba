"""What does it have to do with what was before? Joins a request to the run that it is part of.

Search looks at one request alone; here it is held against what this principal's run has seen: what
leaves, and where it came from. The rules are asked afterwards, so that they can tell.
"""

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Iterator, Sequence
from typing import TYPE_CHECKING

from mitmproxy import http

from proctor.arriving.results import Given
from proctor.egress.carried import HEADERS
from proctor.errors import InternalError, RefusedError
from proctor.leaving.gathered import PACKED, Place, places_of
from proctor.leaving.packed import strings
from proctor.leaving.values import site_of
from proctor.leaving.watch import GENERIC, Hit
from proctor.model import Finding, Principal
from proctor.redaction.model import (
    SECRETS,
    Budget,
    Direction,
    Document,
    RedactionError,
    Spot,
)
from proctor.redaction.redactor import Found, Look
from proctor.redaction.screen import Screen
from proctor.redaction.structure.charset import UTF8
from proctor.redaction.structure.layout import Layout
from proctor.redaction.structure.media import is_binary, parse_media
from proctor.redaction.treatment import Chosen, name_of, passes
from proctor.stages.exchange import Exchange, Stamp

if TYPE_CHECKING:
    from proctor.stages.suite import Suite

FRAMING = frozenset(
    {
        *(b"host", b"content-length", b"content-type", b"content-encoding", b"transfer-encoding"),
        *(b"accept", b"accept-encoding", b"accept-language", b"connection", b"date", b"expect"),
        b"git-protocol",
    }
)
"""Headers in which nobody says anything, as long as they are short and made of words."""

_USUAL = re.compile(
    rb"(?=.{0,64}\Z)[^A-Za-z\d]*(?:(?:[A-Za-z]{1,16}|\d{1,6})[^A-Za-z\d]+)*(?:[A-Za-z]{1,16}|\d{1,6})?\Z"
)
_NO_TYPE = parse_media("")
_HOST = 64  # bytes
_TWICE = b"mcp-param-"  # what stands in the body, too, and is changed with it


class Tracing:
    """After search, before decision."""

    name = "proctor_tracing"

    def __init__(self, suite: "Suite") -> None:
        self._suite = suite

    def request(self, flow: http.HTTPFlow) -> Awaitable[None] | None:
        """Add to the exchange's findings what only the run's memory can tell."""
        exchange = self._suite.exchange(flow)
        if exchange.done or exchange.principal is None:
            return None
        screen = self._suite.screen(exchange.listener)
        given = self._suite.arrivals.asks(flow, exchange)
        if screen is None and not given:
            self._suite.arrivals.traced(exchange)
            exchange.stamps |= Stamp.TRACED
            return None
        return self._both(flow, exchange, exchange.principal, screen, given)

    async def _both(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        principal: Principal,
        screen: Screen | None,
        given: Sequence[Given],
    ) -> None:
        """What leaves, and what comes in."""
        if screen:
            await self._trace(flow, exchange, principal, screen)
            if exchange.done:
                return
        if given:
            await self._suite.arrivals.given(flow.id, exchange, given)
        self._suite.arrivals.traced(exchange)
        exchange.stamps |= Stamp.TRACED

    async def _trace(
        self, flow: http.HTTPFlow, exchange: Exchange, principal: Principal, screen: Screen
    ) -> None:
        look = exchange.look
        if look is None:
            raise InternalError("not-searched", "A stage before tracing is missing")
        try:
            if exchange.message is None:
                hits = await self._leaving(flow, exchange, principal, screen, look)
                if hits:
                    tell(exchange, look, screen, hits)
            self._learn(exchange, look, principal, screen)
        except RedactionError as error:
            exchange.receipt = screen.receipt(look, error)
            self._suite.refuse(flow, error)
            return
        except RefusedError as error:
            self._suite.refuse(flow, error)
            unsay(flow, exchange)
            return

    async def _leaving(
        self,
        flow: http.HTTPFlow,
        exchange: Exchange,
        principal: Principal,
        screen: Screen,
        look: Look,
    ) -> list[Hit]:
        """Secrets that are known in this run, or written in codes, whole or in pieces."""
        parts, host = screen.parts, exchange.at[0]
        beside = _headers(flow.request, exchange)

        def trace() -> list[Hit]:
            documents = [look.document(number) for number in range(len(look.pieces))]
            look.read.clear()
            places = places_of((number, each.leaves) for number, each in enumerate(documents))
            seen = {place.location for place in places}
            places += (place for place in beside if place.location not in seen)
            if binary:
                places += _packed(look, documents, parts.budget())
            return self._suite.leaving.trace(
                principal.key, host, places, parts.redactor.detector, parts.budget()
            )

        # What is called text is read as text, and may be an archive all the same.
        binary = "binary" in look.skipped or any(is_binary(p.raw, _NO_TYPE) for p in look.pieces)
        if not binary and sum(len(piece.raw) for piece in look.pieces) <= parts.inline:
            return trace()
        return await asyncio.get_running_loop().run_in_executor(parts.pool, trace)

    def _learn(self, exchange: Exchange, look: Look, principal: Principal, screen: Screen) -> None:
        """Remember the secrets that are in it, so that they are known again."""
        redactor, watch = screen.parts.redactor, self._suite.leaving
        methods = screen.methods(Direction.REQUEST, {})
        for number, sight in enumerate(look.sights):
            new = {
                found.digest
                for found in sight.found
                if found.type in SECRETS
                and _taken(methods(found))
                and not watch.knows(principal.key, found.digest)
            }
            for spot in redactor.values(look, number, screen.parts.budget()) if new else ():
                digest = redactor.digest(spot.type, spot.value)
                # What an ordinary request says of itself is no secret for the words beside it.
                sure = exchange.message is not None or not GENERIC.search(spot.detector)
                if digest in new and sure:
                    watch.learn(principal.key, spot, digest, _origin(exchange))


def _taken(method: Chosen | None) -> bool:
    """Whether something is kept from leaving; what may pass is no secret here."""
    return method is not None and not passes(method)


def tell(exchange: Exchange, look: Look, screen: Screen, hits: Sequence[Hit]) -> None:
    """Have rules, the record and whoever is refused hear of it.

    Args:
        exchange: What would carry it.
        look: What search has seen of it.
        screen: Of its listener.
        hits: What must not leave.

    Raises:
        RefusedError: It stands where nothing can be taken out.
    """
    redactor, methods = screen.parts.redactor, screen.methods(Direction.REQUEST, {})
    spots: dict[int, dict[int, list[Spot]]] = {}
    traced: dict[tuple[str, str], Finding] = {}
    told: dict[str, str] = {}
    fixed = False
    # The same value is found in several ways. Told is the first, what is known before the rest.
    for hit in sorted(hits, key=lambda hit: not hit.digest):
        if _found_already(look, hit):
            continue
        digest = hit.digest or redactor.digest(hit.type, hit.value)
        where = hit.place.location
        found = Found(hit.type, hit.detector, hit.score, where, digest, signed=False)
        method = None if redactor.allowed(hit.detector, digest, where) else methods(found)
        if method is None:
            continue
        stands = hit.place.leaf < 0 and not passes(method)
        fixed = fixed or stands
        finding = Finding(
            type=hit.type,
            location=where,
            direction=Direction.REQUEST.value,
            score=hit.score,
            detector=hit.detector,
            action="block" if stands else name_of(method),
            digest=digest,
        )
        traced.setdefault((hit.type, where), finding)
        told.setdefault(where, f"{hit.words}, in {where}")
        if hit.place.leaf >= 0:
            spot = Spot(hit.start, hit.end, hit.type, hit.detector, hit.score, hit.value)
            leaves = spots.setdefault(hit.place.document, {})
            leaves.setdefault(hit.place.leaf, []).append(spot)
    for number, found_in in spots.items():
        redactor.add(look, number, found_in, screen.parts.budget())
    exchange.traced = (*exchange.traced, *traced.values())
    exchange.told = "; ".join(filter(None, (exchange.told, *told.values())))[:500]
    exchange.findings = (*screen.findings(look, {}), *exchange.traced)
    if fixed:
        raise RefusedError(
            "secret-leaves",
            "This would carry a secret out, where it cannot be taken out of the request",
            got=exchange.told,
            hint="Leave it out. If it is no secret, a reviewer can mark it as harmless.",
            rule_id="secret-leaves",
        )


def _found_already(look: Look, hit: Hit) -> bool:
    """Whether search has found a secret there, so that it is told of and taken out anyway."""
    opened = look.opened.get(hit.place.document) if hit.place.leaf >= 0 else None
    spots = opened.spots.get(hit.place.leaf, ()) if opened else ()
    return any(
        spot.type in SECRETS and spot.start < hit.end and hit.start < spot.end for spot in spots
    )


def unsay(flow: http.HTTPFlow, exchange: Exchange) -> None:
    """Take what was refused out of the flow, which people see; nothing of it leaves any more."""
    request = flow.request
    stood = {finding.location for finding in exchange.traced if finding.action == "block"}
    request.data.headers.fields = tuple(
        field
        for field in request.data.headers.fields
        if f"header.{field[0].decode('latin-1').lower()}" not in stood
        and not ("host" in stood and field[0].lower() == b"host")
    )
    if "host" in stood:
        request.data.host = f"<hidden>.{site_of(request.data.host)}"
        request.data.authority = b""
        exchange.at = (request.data.host, exchange.at[1])
        flow.server_conn.address = None
        flow.server_conn.sni = flow.client_conn.sni = None
        if exchange.opening:
            exchange.opening = dataclasses.replace(exchange.opening, host=request.data.host)


def _origin(exchange: Exchange) -> str:
    """Where a request's secrets come from, in words."""
    if exchange.message is None:
        return "an earlier request"
    question = exchange.opening.question if exchange.opening else None
    return "a tool's result" if question and question.results else "the conversation"


def _headers(request: http.Request, exchange: Exchange) -> list[Place]:
    """Headers, but for a credential that may pass."""
    own = exchange.target is not None and exchange.target.own
    # A host that the operator names, as `naming` has it.
    named = exchange.target is not None and exchange.target.host.exact
    return [
        Place(-1, -1, UTF8.decode(value), f"header.{name.decode('latin-1').lower()}", "")
        for name, value in request.headers.fields
        if not (name.lower() in FRAMING and _USUAL.match(value))
        and not (named and name.lower() == b"host" and len(value) <= _HOST)
        and not (exchange.mcp and name.lower().startswith(_TWICE))
        and not (own and name.lower() in HEADERS)
    ]


def _packed(look: Look, documents: Sequence[Document], budget: Budget) -> Iterator[Place]:
    """What can be read in bodies and files that are no text."""
    for piece, document in zip(look.pieces, documents, strict=True):
        packed = document.packed if isinstance(document, Layout) else ()
        if not packed and is_binary(piece.raw, _NO_TYPE):
            packed = [("body", piece.raw)]
        for location, content in packed:
            if text := strings(content, budget):
                yield Place(-1, PACKED, text, location, "")
