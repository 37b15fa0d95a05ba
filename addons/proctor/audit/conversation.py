"""A session as a conversation: what was said, called, answered and refused, in order of time.

Envelopes are read first and give the order, the timing and which result belongs to which call; they
are small. Content follows in batches while the turns are handed out, so that a session of any
length takes little memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from proctor.audit.answers import Said, ServerCall, parts
from proctor.audit.exchanges import Exchange, Tool, read
from proctor.audit.find import Target
from proctor.audit.reader import Content, Reader
from proctor.errors import ClientError
from proctor.model import ContentRef

_BATCH_BYTES = 8 * 2**20
_BATCH_TURNS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of a tool call, as a later request of the client says.

    Attributes:
        tool_use_id: The call.
        content: None where content was not recorded, or was empty.
        is_error: Whether the client says the call failed.
        turn: Number of the turn that brought it.
        after: Seconds between the end of the turn that called and the start of that one; None where
            the call is not on record.
    """

    tool_use_id: str
    content: Content | None
    is_error: bool
    turn: int
    after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call the model made.

    Attributes:
        source: `llm` for the client to run, `mcp` over MCP.
        input: JSON; None where content was not recorded, or was empty.
        rule_id: The rule that spoke about it, if one did.
    """

    id: str
    name: str
    source: str
    input: Content | None
    verdict: str
    rule_id: str | None
    result: Result | None


type Part = Said | ServerCall | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One exchange of a session.

    Attributes:
        number: Place in the session, from 1.
        exchange: What its envelopes say.
        seconds: From the request's first byte to the answer's end; None while it lasts.
        pause: Seconds since all before it had ended; None for the first, and where one had not.
        beside: Numbers of turns that were not over when this one began.
        new_run: It begins a run: the client came back after 30 idle minutes, or proctor restarted.
        same_as: Number of the turn whose very request this one sends again.
        prompt: What the person, or the client for them, typed.
        results: Results in its request whose calls are not on record.
        parts: What the model said and called, in order.
        problem: What the upstream said went wrong, or None.
        request_body: As recorded, where asked for.
        response_body: The same.
    """

    number: int
    exchange: Exchange
    seconds: float | None
    pause: float | None
    beside: tuple[int, ...]
    new_run: bool
    same_as: int | None
    prompt: Content | None = None
    results: tuple[Result, ...] = ()
    parts: tuple[Part, ...] = ()
    problem: str | None = None
    request_body: Content | None = None
    response_body: Content | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A session in figures; `turns` are requests to the model, `exchanges` all there were."""

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
    tool_calls: int
    refused: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """Where the result of a call stands."""

    number: int
    content: ContentRef | None
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A session, its content still in the record."""

    totals: Totals
    _reader: Reader
    _turns: Sequence[Turn]
    _answers: Mapping[str, _Answer] = field(default_factory=dict[str, _Answer])
    _called: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self._turns)

    def number(self, flow_id: str) -> int:
        """The turn that is this exchange."""
        return next(t.number for t in self._turns if t.exchange.flow_id == flow_id)

    def turns(
        self, *, limit: int | None = None, only: int | None = None, bodies: bool = False
    ) -> Iterator[Turn]:
        """The turns in order of time, with their content.

        Args:
            limit: Characters of a prompt, input or result at most; None for all.
            only: Number of the one turn that is wanted.
            bodies: With the bodies as recorded.

        Raises:
            ClientError: Code `turn-unknown`.
        """
        if only is not None and not 0 < only <= len(self._turns):
            raise ClientError(
                code="turn-unknown",
                message="The session has no such turn",
                got=str(only),
                expected=f"1 to {len(self._turns)}",
                status=404,
            )
        wanted = self._turns if only is None else self._turns[only - 1 : only]
        for batch, refs in self._batches(wanted, limit, bodies=bodies):
            contents = self._reader.contents(refs)
            for turn in batch:
                yield self._filled(turn, contents, bodies=bodies)

    def _batches(
        self, turns: Sequence[Turn], limit: int | None, *, bodies: bool
    ) -> Iterator[tuple[list[Turn], dict[ContentRef, int | None]]]:
        batch: list[Turn] = []
        refs: dict[ContentRef, int | None] = {}
        size = 0
        for turn in turns:
            batch.append(turn)
            for ref, most in self._refs(turn, limit, bodies=bodies):
                if ref not in refs or most is None:
                    refs[ref] = most
                    size += ref.size if most is None else min(ref.size, 4 * most)
            if size >= _BATCH_BYTES or len(batch) >= _BATCH_TURNS:
                yield batch, refs
                batch, refs, size = [], {}, 0
        if batch:
            yield batch, refs

    def _refs(
        self, turn: Turn, limit: int | None, *, bodies: bool
    ) -> Iterator[tuple[ContentRef, int | None]]:
        """The references of a turn, and how much of each is wanted."""
        exchange = turn.exchange
        found = [exchange.prompt, *(tool.input for tool in exchange.tools)]
        found += [a.content for tool in exchange.tools if (a := self._answers.get(tool.id))]
        found += [given.content for given in exchange.results if given.id not in self._called]
        yield from ((ref, limit) for ref in found if ref)
        whole = [exchange.response]
        if exchange.response is None:
            whole.append(exchange.output)
        if bodies:
            whole.append(exchange.request)
        yield from ((ref, None) for ref in whole if ref)

    def _filled(self, turn: Turn, contents: Mapping[ContentRef, Content], *, bodies: bool) -> Turn:
        exchange = turn.exchange

        def content(ref: ContentRef | None) -> Content | None:
            return contents[ref] if ref else None

        def result(tool: Tool) -> Result | None:
            answer = self._answers.get(tool.id)
            if answer is None:
                return None
            later = self._turns[answer.number - 1].exchange.started_at
            return Result(
                tool_use_id=tool.id,
                content=content(answer.content),
                is_error=answer.is_error,
                turn=answer.number,
                after=max(0.0, (later - exchange.ended).total_seconds()),
            )

        calls = [
            Call(
                id=tool.id,
                name=tool.name,
                source=tool.source,
                input=content(tool.input),
                verdict=tool.verdict,
                rule_id=tool.rule_id,
                result=result(tool),
            )
            for tool in exchange.tools
        ]
        response = content(exchange.response)
        said, problem = parts(response if exchange.model is not None else None)
        if not said and (output := content(exchange.output if response is None else None)):
            said = (Said(kind="text", content=output),)
        ordered: list[Part] = []
        for part in said:
            if not isinstance(part, str):
                ordered.append(part)
                continue
            # A model may use one id twice, so each call is taken once.
            call = next((call for call in calls if call.id == part), None)
            if call:
                calls.remove(call)
                ordered.append(call)
        return Turn(
            number=turn.number,
            exchange=exchange,
            seconds=turn.seconds,
            pause=turn.pause,
            beside=turn.beside,
            new_run=turn.new_run,
            same_as=turn.same_as,
            prompt=content(exchange.prompt),
            results=tuple(
                Result(
                    tool_use_id=given.id,
                    content=content(given.content),
                    is_error=given.is_error,
                    turn=turn.number,
                )
                for given in exchange.results
                if given.id not in self._called and self._answers[given.id].number == turn.number
            ),
            parts=(*ordered, *calls),
            problem=problem,
            request_body=content(exchange.request) if bodies else None,
            response_body=response if bodies else None,
        )


def conversation(reader: Reader, target: Target) -> Conversation:
    """The session that `target` names or is part of.

    Raises:
        ClientError: Code `session-unknown`.
    """
    exchanges = read(reader, target)
    answers: dict[str, _Answer] = {}
    for number, exchange in enumerate(exchanges, 1):
        for given in exchange.results:
            answers.setdefault(given.id, _Answer(number, given.content, given.is_error))
    return Conversation(
        totals=_totals(exchanges),
        _reader=reader,
        _turns=_timed(exchanges),
        _answers=answers,
        _called=frozenset(tool.id for exchange in exchanges for tool in exchange.tools),
    )


def _timed(exchanges: Sequence[Exchange]) -> list[Turn]:
    turns: list[Turn] = []
    running: list[tuple[int, datetime]] = []
    latest: datetime | None = None
    asked: dict[str, int] = {}
    run: datetime | None = None
    for number, exchange in enumerate(exchanges, 1):
        running = [(n, end) for n, end in running if end > exchange.started_at]
        pause = None
        if latest is not None and not running:
            pause = (exchange.started_at - latest).total_seconds()
        body = exchange.request.hash if exchange.request else ""
        turns.append(
            Turn(
                number=number,
                exchange=exchange,
                seconds=(
                    (exchange.ended - exchange.started_at).total_seconds()
                    if exchange.ended_at
                    else None
                ),
                pause=pause,
                beside=tuple(n for n, _ in running),
                new_run=number > 1 and exchange.run != run,
                same_as=asked.get(body),
            )
        )
        if body:
            asked.setdefault(body, number)
        run = exchange.run
        running.append((number, exchange.ended))
        latest = max(latest or exchange.ended, exchange.ended)
    return turns


def _totals(exchanges: Sequence[Exchange]) -> Totals:
    first, last = exchanges[0], exchanges[-1]
    return Totals(
        session_id=last.session_id,
        principal=last.principal,
        subject=last.subject,
        groups=last.groups,
        client=last.client,
        started_at=first.started_at,
        ended_at=max(exchange.ended for exchange in exchanges),
        runs=len({exchange.run for exchange in exchanges}),
        exchanges=len(exchanges),
        turns=sum(exchange.model is not None for exchange in exchanges),
        tool_calls=sum(len(exchange.tools) for exchange in exchanges),
        refused=sum(exchange.refused for exchange in exchanges),
        input_tokens=sum(exchange.input_tokens for exchange in exchanges),
        output_tokens=sum(exchange.output_tokens for exchange in exchanges),
        cache_read_tokens=sum(exchange.cache_read_tokens for exchange in exchanges),
        cache_write_tokens=sum(exchange.cache_write_tokens for exchange in exchanges),
    )
