"""The turns of a session in order of time, from its envelopes alone; content comes later.

What the agent called elsewhere stands between what it said to the model. A call over MCP belongs to
the call of the model's that it says it comes from.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from proctor.audit.answers import Said, ServerCall
from proctor.audit.exchanges import Exchange
from proctor.audit.held import Held
from proctor.audit.messages import Message
from proctor.audit.reader import Content
from proctor.audit.statements import NOTHING, Spoken, Statement
from proctor.model import ContentRef

MCP = "mcp"
"""`source` of a call over MCP."""

_MAX_WITH_CALL = 20
"""Calls over MCP that stand with one call of the model's; a client could say so of any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a tool call: as a later request of the client says, or as an MCP server said.

    Attributes:
        tool_use_id: The call.
        content: None where content was not recorded, or was empty.
        is_error: Whether the call is said to have failed.
        turn: Number of the turn that brought it.
        after: Seconds between the end of the turn that called and the start of that one; None where
            the call is not on record, or they are one.
    """

    tool_use_id: str
    content: Content | None
    is_error: bool
    turn: int
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call the model made, or that came by over MCP.

    Attributes:
        source: `llm` for the client to run, `mcp` over MCP.
        input: JSON; None where content was not recorded, or was empty.
        rule_id: The rule that spoke about it, if one did.
        held: What was held of it, and who decided.
        over: The turns in which it came by over MCP, as the client says.
    """

    id: str
    name: str
    source: str
    input: Content | None
    verdict: str
    rule_id: str | None
    result: Result | None
    held: tuple[Held, ...] = ()
    over: tuple["Turn", ...] = ()


type Part = Said | ServerCall | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One exchange of a session.

    Attributes:
        number: Place in the session, from 1.
        exchange: What its envelopes say.
        seconds: From the request's first byte to the answer's end; None while it lasts.
        pause: Seconds since all before it had ended; None for the first, where one had not, and for
            what is outside.
        beside: Numbers of turns that were not over when this one began; none for what is outside.
        new_run: It begins a run: the client came back after 30 idle minutes, or proctor restarted.
        outside: It went elsewhere than to where the model is.
        belongs: Number of the turn and id of the model's call with which it stands, or None.
        held: What was held in it and is of none of its calls, and who decided.
        after: What was held after it, in no exchange that is on record.
        asks: Method of a message to an MCP server, such as `tools/list`; "" where it is not known.
        same_as: Number of the turn whose very request this one sends again.
        prompt: What the person, or the client for them, typed.
        results: Results in its request whose calls are not on record.
        parts: What the model said and called, in order.
        problem: What the upstream said went wrong, or None.
        request_body: As recorded, where asked for.
        response_body: The same.
        case: What rules could see besides, where bodies were asked for; see `policy.casefile`.
        statements: What was said over a connection to a database, in order.
        before: How many of its statements, or messages, come before those.
        said: How many statements it has in all.
        messages: What was said over a WebSocket, in order.
        heard: How many messages it has in all.
    """

    number: int
    exchange: Exchange
    seconds: float | None
    pause: float | None
    beside: tuple[int, ...]
    new_run: bool
    same_as: int | None
    outside: bool = False
    belongs: tuple[int, str] | None = None
    held: tuple[Held, ...] = ()
    after: tuple[Held, ...] = ()
    asks: str = ""
    prompt: Content | None = None
    results: tuple[Result, ...] = ()
    parts: tuple[Part, ...] = ()
    problem: str | None = None
    request_body: Content | None = None
    response_body: Content | None = None
    case: Content | None = None
    statements: tuple[Statement, ...] = ()
    before: int = 0
    said: int = 0
    messages: tuple[Message, ...] = ()
    heard: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A session in figures.

    Attributes:
        exchanges: All there were.
        turns: Requests to the model.
        outside: Exchanges with others than those hosts that the model was asked at.
        tool_calls: A call of the model's that came by over MCP counts once.
        statements: SQL statements.
        refused: Exchanges and statements that were not let through.
    """

    session_id: str | None
    principal: str | None
    subject: str | None
    groups: tuple[str, ...]
    client: str
    started_at: datetime
    ended_at: datetime
    runs: int
    exchanges: int
    turns: int
    outside: int
    tool_calls: int
    statements: int
    refused: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the result of a call stands."""

    number: int
    content: ContentRef | None
    is_error: bool


type Over = Mapping[tuple[int, str], Sequence[int]]
"""By turn and id of a call of the model's, the turns in which it came by over MCP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A session without its content.

    Attributes:
        answers: By id of a call, where its result stands.
        made: Ids of the calls that the model made.
        spoken: Statements of its connections to databases.
    """

    totals: Totals
    turns: Sequence[Turn]
    answers: Mapping[str, Answer]
    made: AbstractSet[str]
    over: Over
    spoken: Spoken


def laid_out(
    exchanges: Sequence[Exchange], held: Sequence[Held], spoken: Spoken = NOTHING
) -> Layout:
    """The session that these exchanges are, in order of time, with what was held in it."""
    answers: dict[str, Answer] = {}
    made: dict[str, int] = {}
    for number, exchange in enumerate(exchanges, 1):
        for given in exchange.results:
            answers.setdefault(given.id, Answer(number, given.content, given.is_error))
        for tool in exchange.tools:
            if tool.source != MCP:
                made.setdefault(tool.id, number)
    over = _over(exchanges, made)
    belongs = {number: call for call, found in over.items() for number in found}
    model_at = {(each.host, each.port) for each in exchanges if each.model is not None}
    turns = [
        replace(turn, belongs=belongs.get(turn.number)) for turn in _timed(exchanges, model_at)
    ]
    return Layout(
        totals=_totals(exchanges, model_at, spoken),
        turns=_with_held(turns, held),
        answers=answers,
        made=frozenset(made),
        over=over,
        spoken=spoken,
    )


def _over(
    exchanges: Sequence[Exchange], made: Mapping[str, int]
) -> dict[tuple[int, str], list[int]]:
    over: dict[tuple[int, str], list[int]] = {}
    for number, exchange in enumerate(exchanges, 1):
        for tool in exchange.tools:
            if tool.source == MCP and tool.id in made:
                there = over.setdefault((made[tool.id], tool.id), [])
                if len(there) < _MAX_WITH_CALL:
                    there.append(number)
    return over


def _with_held(turns: Sequence[Turn], held: Sequence[Held]) -> list[Turn]:
    """Puts what was held where it was asked and where it was used, else where its time is."""
    inside: dict[int, list[Held]] = {}
    after: dict[int, list[Held]] = {}
    by_flow = {turn.exchange.flow_id: turn.number for turn in turns}
    by_approval: dict[str, list[int]] = {}
    for turn in turns:
        exchange = turn.exchange
        names = {exchange.approval_id, *(tool.approval_id for tool in exchange.tools)} - {None}
        for name in names:
            by_approval.setdefault(str(name), []).append(turn.number)
    for each in held:
        places = {*by_approval.get(each.id, ())}
        if each.flow_id in by_flow:
            places.add(by_flow[each.flow_id])
        for number in places:
            inside.setdefault(number, []).append(each)
        if not places:
            began = bisect_right(turns, each.at, key=lambda turn: turn.exchange.started_at)
            after.setdefault(max(began, 1), []).append(each)
    return [
        replace(
            turn,
            held=tuple(inside.get(turn.number, ())),
            after=tuple(after.get(turn.number, ())),
        )
        for turn in turns
    ]


def _timed(exchanges: Sequence[Exchange], model_at: AbstractSet[tuple[str, int]]) -> list[Turn]:
    turns: list[Turn] = []
    running: list[tuple[int, datetime]] = []
    latest: datetime | None = None
    last: datetime | None = None
    asked: dict[str, int] = {}
    run: datetime | None = None
    for number, exchange in enumerate(exchanges, 1):
        outside = (exchange.host, exchange.port) not in model_at
        running = [(n, end) for n, end in running if end > exchange.started_at]
        new_run = number > 1 and exchange.run != run
        since = last if new_run else None if outside or running else latest
        body = exchange.request.hash if exchange.request and not outside else ""
        turns.append(
            Turn(
                number=number,
                exchange=exchange,
                seconds=(
                    (exchange.ended - exchange.started_at).total_seconds()
                    if exchange.ended_at
                    else None
                ),
                pause=(exchange.started_at - since).total_seconds() if since else None,
                beside=() if outside else tuple(n for n, _ in running),
                new_run=new_run,
                same_as=asked.get(body),
                outside=outside,
            )
        )
        if body:
            asked.setdefault(body, number)
        run = exchange.run
        last = max(last or exchange.ended, exchange.ended)
        # A tunnel may last as long as the session: it is no part of how the talk goes.
        if not outside:
            running.append((number, exchange.ended))
            latest = max(latest or exchange.ended, exchange.ended)
    return turns


def _totals(
    exchanges: Sequence[Exchange], model_at: AbstractSet[tuple[str, int]], spoken: Spoken
) -> Totals:
    first, last = exchanges[0], exchanges[-1]
    calls = [(tool.source == MCP, tool.id) for exchange in exchanges for tool in exchange.tools]
    made = {name for over, name in calls if not over}
    came_by = {name for over, name in calls if over}
    return Totals(
        session_id=last.session_id,
        principal=last.principal,
        subject=last.subject,
        groups=last.groups,
        client=last.client,
        started_at=first.started_at,
        ended_at=max(
            *(exchange.ended for exchange in exchanges),
            *(said[-1].at for said in spoken.entries.values()),
            first.started_at,
        ),
        runs=len({exchange.run for exchange in exchanges}),
        exchanges=len(exchanges),
        turns=sum(exchange.model is not None for exchange in exchanges),
        outside=sum((each.host, each.port) not in model_at for each in exchanges),
        tool_calls=len(calls) - len(made & came_by),
        statements=sum(spoken.counts.values()),
        refused=sum(exchange.refused for exchange in exchanges) + spoken.refused,
        input_tokens=sum(exchange.input_tokens for exchange in exchanges),
        output_tokens=sum(exchange.output_tokens for exchange in exchanges),
        cache_read_tokens=sum(exchange.cache_read_tokens for exchange in exchanges),
        cache_write_tokens=sum(exchange.cache_write_tokens for exchange in exchanges),
    )
