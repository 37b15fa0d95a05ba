"""What comes in: signs of prompt injection in it, what it exposes, and what of it is used later.

Answers are read beside the way they pass: nothing waits for it but the record of their end. What a
tool gave back is read where a client hands it to the model, before the rules are asked.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mitmproxy import http

from proctor.arriving.bodies import Text, readable, strongest, texts
from proctor.arriving.results import Given, results, said
from proctor.arriving.watching import Watch
from proctor.errors import InternalError
from proctor.model import Action, ActionKind, Finding, Principal
from proctor.protocols.anthropic.routes import RouteKind
from proctor.provenance.intake import (
    DISTRUSTED,
    LISTS,
    PASSED,
    TELLING,
    Intake,
    findings,
    looked,
)
from proctor.redaction.model import Direction
from proctor.stages.exchange import Exchange

if TYPE_CHECKING:
    from proctor.gate import Gate


class Arrivals(Intake):
    """For all listeners of one process.

    Args:
        gate: Knows the runs.
        clock: The time, UTC.
    """

    def __init__(self, gate: "Gate", clock: Any = None) -> None:
        super().__init__(gate.runs, gate.provenance, clock or (lambda: datetime.now(UTC)))

    def watch(self, exchange: Exchange, response: http.Response) -> Watch | None:
        """What reads an answer; None where it is none that anyone looks at."""
        kind = response.headers.get("content-type", "")
        if exchange.asked is not None and exchange.asked is not RouteKind.OTHER:
            return None  # the model's own words
        if exchange.target is None or not readable(kind):
            return None
        if exchange.target.speaks == "git" and response.status_code == HTTPStatus.OK:
            return None  # what of it anybody reads, `gitsaid` has
        if exchange.mcp is not None and exchange.mcp.method in LISTS:
            return None  # pins are about those
        return self.listen(exchange, kind)

    def listen(self, exchange: Exchange, kind: str) -> Watch:
        """What reads an answer, whatever it is."""
        return Watch(kind, partial(self._came, exchange, kind))

    async def answered(self, flow_id: str, exchange: Exchange) -> None:
        """Read what a watch has taken, at the end of the answer."""
        watch, principal = exchange.arriving, exchange.principal
        if watch is None or principal is None:
            return
        await watch.end()
        watch.add(await self._read(watch.body, watch.content_type, flow_id, exchange, principal))

    async def _came(self, exchange: Exchange, kind: str, part: bytes) -> tuple[Finding, ...]:
        """Read a part of what has not ended yet."""
        principal, opening = exchange.principal, exchange.opening
        if principal is None or opening is None:
            raise InternalError("not-admitted", "An answer to nobody's request")
        return await self._read(part, kind, opening.flow_id, exchange, principal)

    async def _read(
        self, body: bytes, kind: str, flow_id: str, exchange: Exchange, principal: Principal
    ) -> tuple[Finding, ...]:
        passed = exchange.answering.findings if exchange.answering else ()
        return await self.read(
            body,
            kind,
            name=_answerer(exchange),
            flow_id=flow_id,
            principal=principal,
            session=exchange.session,
            trusted=_trusted(exchange),
            exposed=[each.type for each in passed if each.action in PASSED],
        )

    def asks(self, flow: http.HTTPFlow, exchange: Exchange) -> tuple[Given, ...]:
        """New tool results in a request to the model; what the user says is known from here on."""
        message, principal = exchange.message, exchange.principal
        if message is None or principal is None:
            return ()
        body = flow.request.data.content or b""
        new = [
            (said(body, stretch), stretch.digest[:12])
            for stretch in message.stretches
            if stretch.location.startswith(("system[", "messages["))
            and self.provenance.unread(principal.key, stretch.digest[:12])
        ]
        if new:
            self.provenance.all_own(principal.key, new)
        return results(body, message.stretches)

    async def given(self, flow_id: str, exchange: Exchange, found: Sequence[Given]) -> None:
        """Read tool results before the rules are asked."""
        principal = exchange.principal
        if principal is None:
            return
        exposed = [
            finding.type
            for finding in exchange.findings
            if any(finding.location.startswith(each.place) for each in found)
        ]
        best = 0.0
        told: list[Finding] = []
        for each in found:
            inner = [Text(each.place, text) for text in each.texts]
            unpacked = [part for text in inner for part in _unpacked(text)]
            size = sum(len(text) for text in each.texts)
            placed = await looked(unpacked, size, result=True)
            score, named = strongest(placed)
            best = max(best, score)
            told += findings(score, named, Direction.REQUEST, each.place)
            if each.outside or score >= DISTRUSTED:
                source = self.source(each.source, flow_id, exchange.session, placed)
                self.provenance.all_came(principal.key, each.texts, source)
        if told:
            exchange.traced = (*exchange.traced, *told)
            exchange.findings = (*exchange.findings, *told)
        if exposed or best >= TELLING:
            self._runs.meet(principal, exposed, best)

    def traced(self, exchange: Exchange) -> None:
        """Say of an exchange's actions what of them came from outside, and what is new."""
        principal = exchange.principal
        if principal is None or exchange.message is not None:
            return
        actions: list[Action] = []
        for action in exchange.actions:
            marked, found = self.marked(principal, action)
            exchange.origins = (*exchange.origins, *found)
            actions.append(self.known(principal, marked))
        exchange.actions = tuple(actions)

    def known(self, principal: Principal, action: Action) -> Action:
        """The action, and whether it speaks to a host that is new."""
        hosts: tuple[str, ...] = ()
        if action.kind is ActionKind.HTTP_REQUEST and action.http:
            hosts = (action.http.host,)
        elif action.kind is ActionKind.LLM_TOOL_USE and action.tool:
            hosts = action.tool.hosts
        if not hosts:
            return action
        new = [self._runs.new_host(principal, host) for host in hosts]
        return dataclasses.replace(action, novelty={**action.novelty, "host": any(new)})


def _unpacked(text: Text) -> Iterable[Text]:
    """A tool that gives back JSON gives back what its strings say."""
    if text.text[:1] in {"{", "["}:
        return texts(text.text.encode("utf-8", "replace"), "application/json")
    return (text,)


def _trusted(exchange: Exchange) -> bool:
    """Whether somebody vouches for what comes from there: an API of one's own, or said so."""
    target = exchange.target
    if target is None:
        return False
    return target.trusted


def _answerer(exchange: Exchange) -> str:
    """What gave an answer, for people: host and path, or server and tool."""
    action = exchange.actions[0] if exchange.actions else None
    if action and action.mcp:
        return f"{action.mcp.server} (MCP) {action.mcp.tool}".strip()[:160]
    if action and action.http:
        return f"{action.http.host}{action.http.path}"[:160]
    return exchange.at[0]
