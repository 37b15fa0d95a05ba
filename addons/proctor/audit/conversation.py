"""A session as a conversation: what was said, called, answered and refused, in order of time.

What the agent called elsewhere stands between: requests of its programs, calls over MCP, tunnels.
A call over MCP stands also with the call of the model's that it says it comes from.

Envelopes are read first and give the order, the timing and which result belongs to which call; they
are small. Content follows in batches while the turns are handed out, so that a session of any
length takes little memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from proctor.audit.answers import Said, parts
from proctor.audit.exchanges import Exchange, Tool, read
from proctor.audit.find import Target
from proctor.audit.held import Held, read_held
from proctor.audit.messages import SILENCE, WEBSOCKET, Heard, Message, read_messages
from proctor.audit.messages import Entry as Spoke
from proctor.audit.reader import Content, Reader
from proctor.audit.statements import (
    NOTHING,
    POSTGRES,
    Entry,
    Statement,
    held_of,
    read_statements,
)
from proctor.audit.turns import MCP, Call, Layout, Part, Result, Totals, Turn, laid_out
from proctor.errors import ClientError
from proctor.model import ActionKind, ContentRef
from proctor.protocols.mcp.messages import read as read_mcp

_BATCH_BYTES = 8 * 2**20
_BATCH_TURNS = 64
_MAX_RESULT = 256 * 1024
"""Bytes of a statement's result that are read whole, since a part of it is no table."""
_MAX_RESULTS = 16 * 2**20
"""The same of all results of one connection; those after them are shown as their beginnings."""
_MAX_MESSAGE = 64 * 1024
"""Bytes of a message to an MCP server up to which it is read for its method."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session, its content still in the record."""

    _layout: Layout
    _reader: Reader
    _heard: Heard = SILENCE

    @property
    def totals(self) -> Totals:
        """The session in figures."""
        return self._layout.totals

    def __len__(self) -> int:
        return len(self._layout.turns)

    def number(self, flow_id: str) -> int:
        """The turn that is this exchange."""
        return next(t.number for t in self._layout.turns if t.exchange.flow_id == flow_id)

    def turns(  # noqa: PLR0913 - what of them is wanted
        self,
        *,
        limit: int | None = None,
        only: int | None = None,
        last: int | None = None,
        bodies: bool = False,
        statements: int | None = None,
        after: int = 0,
    ) -> Iterator[Turn]:
        """The turns in order of time, with their content.

        Args:
            limit: Characters of a prompt, input or result at most; None for all.
            only: Number of the one turn that is wanted.
            last: With `only`: all from it to this one, or to the end.
            bodies: With the bodies as recorded.
            statements: So many of each connection to a database, or messages of a WebSocket, at
                most; None for all.
            after: So many of the first turn's are left out.

        Raises:
            ClientError: Code `turn-unknown`.
        """
        if only is not None and not 0 < only <= len(self._layout.turns):
            raise ClientError(
                code="turn-unknown",
                message="The session has no such turn",
                got=str(only),
                expected=f"1 to {len(self._layout.turns)}",
                status=404,
            )
        wanted = self._layout.turns if only is None else self._layout.turns[only - 1 : last or only]
        spoken = self._spoken(wanted, statements, after)
        for batch, refs in self._batches(spoken, limit, bodies=bodies):
            contents = self._reader.contents(refs)
            for turn in batch:
                yield self._filled(turn, contents, bodies=bodies)

    def _spoken(self, turns: Sequence[Turn], most: int | None, after: int) -> Iterator[Turn]:
        """The turns with their statements, these without content."""
        spoken = self._layout.spoken
        for turn in turns:
            flow_id = turn.exchange.flow_id
            if said := self._heard.entries.get(flow_id):
                yield self._with_messages(turn, said, most, after)
                after = 0
                continue
            found = spoken.entries.get(flow_id)
            if not found:
                yield turn
                continue
            held = held_of(found, turn.held)
            shown = found[after : None if most is None else after + most]
            yield replace(
                turn,
                statements=tuple(_bare(entry, held.get(entry.n, ())) for entry in shown),
                before=after,
                said=spoken.counts[flow_id],
                held=_rest(turn.held, held),
            )
            after = 0

    def _with_messages(
        self, turn: Turn, said: Sequence[Spoke], most: int | None, after: int
    ) -> Turn:
        held = held_of(said, turn.held)
        shown = said[after : None if most is None else after + most]
        return replace(
            turn,
            messages=tuple(
                Message(entry=entry, held=tuple(held.get(entry.n, ()))) for entry in shown
            ),
            before=after,
            heard=self._heard.counts[turn.exchange.flow_id],
            held=_rest(turn.held, held),
        )

    def _batches(
        self, turns: Iterable[Turn], limit: int | None, *, bodies: bool
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
        found += [a.content for tool in exchange.tools if (a := self._layout.answers.get(tool.id))]
        found += [given.content for given in exchange.outcomes]
        found += [given.content for given in exchange.results if given.id not in self._layout.made]
        size = 0
        for each in turn.statements:
            found += [each.entry.sql, each.entry.parameters]
            result = each.entry.response
            size += result.size if result else 0
            if result and result.size <= _MAX_RESULT and size <= _MAX_RESULTS:
                yield result, None
            else:
                found.append(result)
        found += [each.entry.content for each in turn.messages]
        yield from ((ref, limit) for ref in found if ref)
        # What others than the model answer may be of any size.
        said = bodies or exchange.model is not None or _is_push(exchange)
        whole = [exchange.response] if said else []
        if exchange.response is None:
            whole.append(exchange.output)
        if bodies or _is_message(exchange) or _is_push(exchange):
            whole.append(exchange.request)
        if bodies:
            whole.append(exchange.case)
        yield from ((ref, None) for ref in whole if ref)
        for over in self._with(turn):
            yield from self._refs(over, limit, bodies=False)

    def _with(self, turn: Turn) -> Iterator[Turn]:
        """The turns in which its calls came by over MCP."""
        for tool_use_id in dict.fromkeys(tool.id for tool in turn.exchange.tools):
            for number in self._layout.over.get((turn.number, tool_use_id), ()):
                yield self._layout.turns[number - 1]

    def _filled(self, turn: Turn, contents: Mapping[ContentRef, Content], *, bodies: bool) -> Turn:
        exchange = turn.exchange

        def content(ref: ContentRef | None) -> Content | None:
            return contents[ref] if ref else None

        calls = [self._call(turn, tool, contents) for tool in exchange.tools]
        named = {each.id for call in calls for each in call.held}
        told, asked = bodies or _is_push(exchange), exchange.model is not None
        response = content(exchange.response) if told or asked else None
        said, problem = parts(response if exchange.model is not None else None)
        if not said and (output := content(exchange.output if response is None else None)):
            said = (Said(kind="text", content=output),)
        return replace(
            turn,
            held=tuple(each for each in turn.held if each.id not in named),
            asks=_method(content(exchange.request)) if _is_message(exchange) else "",
            prompt=content(exchange.prompt),
            results=tuple(
                Result(
                    tool_use_id=given.id,
                    content=content(given.content),
                    is_error=given.is_error,
                    turn=turn.number,
                )
                for given in exchange.results
                if given.id not in self._layout.made
                and self._layout.answers[given.id].number == turn.number
            ),
            parts=_in_order(said, calls),
            problem=problem,
            request_body=content(exchange.request) if told else None,
            response_body=response if told else None,
            case=content(exchange.case) if bodies else None,
            statements=tuple(
                replace(
                    each,
                    sql=content(each.entry.sql),
                    parameters=content(each.entry.parameters),
                    result=content(each.entry.response),
                )
                for each in turn.statements
            ),
            messages=tuple(
                replace(each, content=content(each.entry.content)) for each in turn.messages
            ),
        )

    def _call(self, turn: Turn, tool: Tool, contents: Mapping[ContentRef, Content]) -> Call:
        own = tool.source == MCP
        over = () if own else self._layout.over.get((turn.number, tool.id), ())
        return Call(
            id=tool.id,
            name=tool.name,
            source=tool.source,
            input=contents[tool.input] if tool.input else None,
            verdict=tool.verdict,
            rule_id=tool.rule_id,
            result=self._result(turn, tool, contents),
            held=tuple(
                each
                for each in turn.held
                if own or each.id == tool.approval_id or each.tool_use_id == tool.id
            ),
            over=tuple(
                self._filled(self._layout.turns[number - 1], contents, bodies=False)
                for number in over
            ),
        )

    def _result(
        self, turn: Turn, tool: Tool, contents: Mapping[ContentRef, Content]
    ) -> Result | None:
        """What an MCP server gave back, or what the client handed to the model later."""
        exchange = turn.exchange
        if tool.source == MCP:
            found = next((given for given in exchange.outcomes if given.id == tool.id), None)
            if found is None:
                return None
            ref, is_error, number, after = found.content, found.is_error, turn.number, None
        else:
            answer = self._layout.answers.get(tool.id)
            if answer is None:
                return None
            ref, is_error, number = answer.content, answer.is_error, answer.number
            later = self._layout.turns[number - 1].exchange.started_at
            after = max(0.0, (later - exchange.ended).total_seconds())
        return Result(
            tool_use_id=tool.id,
            content=contents[ref] if ref else None,
            is_error=is_error,
            turn=number,
            after=after,
        )


def _in_order(said: Sequence[Part | str], calls: list[Call]) -> tuple[Part, ...]:
    """Calls where the model made them; those that its answer does not show come last."""
    left = list(calls)
    ordered: list[Part] = []
    for part in said:
        if not isinstance(part, str):
            ordered.append(part)
            continue
        # A model may use one id twice, so each call is taken once.
        call = next((call for call in left if call.id == part), None)
        if call:
            left.remove(call)
            ordered.append(call)
    return (*ordered, *left)


def conversation(reader: Reader, target: Target) -> Conversation:
    """The session that `target` names or is part of.

    Raises:
        ClientError: Code `session-unknown`.
    """
    exchanges, held = read(reader, target), read_held(reader, target)
    # Nothing else has statements, and most sessions have none.
    spoken = NOTHING
    if any(exchange.protocol == POSTGRES for exchange in exchanges):
        spoken = read_statements(reader, target)
    heard = SILENCE
    if any(exchange.protocol == WEBSOCKET for exchange in exchanges):
        heard = read_messages(reader, target)
    layout = laid_out(exchanges, held, spoken)
    if heard.refused:
        refused = layout.totals.refused + heard.refused
        layout = replace(layout, totals=replace(layout.totals, refused=refused))
    return Conversation(layout, reader, heard)


def _bare(entry: Entry, held: Sequence[Held]) -> Statement:
    return Statement(entry=entry, sql=None, parameters=None, result=None, held=tuple(held))


def _rest(held: Sequence[Held], named: Mapping[int, Sequence[Held]]) -> tuple[Held, ...]:
    """What was held of none of the statements: what still waits."""
    known = {each.id for found in named.values() for each in found}
    return tuple(each for each in held if each.id not in known)


def _is_push(exchange: Exchange) -> bool:
    """Whether its body is what it does: short, and all there is to tell of it."""
    return ActionKind.GIT_PUSH.value in exchange.kinds


def _is_message(exchange: Exchange) -> bool:
    """Whether it carried a message to an MCP server whose method can be told."""
    return (
        ActionKind.MCP_CALL in exchange.kinds
        and exchange.request is not None
        and exchange.request.size <= _MAX_MESSAGE
    )


def _method(request: Content | None) -> str:
    """What a message asks for, "" where it asks for nothing."""
    try:
        return read_mcp(request.text.encode()).method if request else ""
    except ClientError:
        return ""
