"""`proctor show`: a session as a readable conversation."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Annotated, Any

import typer

from proctor.audit import find
from proctor.audit.answers import Said, ServerCall
from proctor.audit.conversation import Conversation, conversation
from proctor.audit.exchanges import Exchange
from proctor.audit.held import Held
from proctor.audit.messages import Message
from proctor.audit.reader import opened
from proctor.audit.statements import Statement
from proctor.audit.turns import Call, Part, Totals, Turn
from proctor.cli.common import CONFIG, AuditOption, ConfigOption, OutputFormat
from proctor.cli.screen import put, screen
from proctor.cli.sqltext import STATEMENTS
from proctor.cli.transcript import Transcript
from proctor.config import load

_LIMIT = 64 * 1024
_CONTENT = ("sql", "parameters", "response")
_REFERENCES = frozenset({"tools", "results", "outcomes", "prompt", "output", "request", "response"})


def show(  # noqa: PLR0913 - one for each option
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="[SESSION|FLOW]",
            help="A session_id or flow_id, or its beginning; left out, or `last`: the newest.",
            show_default=False,
        ),
    ] = None,
    *,
    principal: Annotated[
        str | None, typer.Option(help="Whose, where several have a session of that name.")
    ] = None,
    turn: Annotated[int | None, typer.Option(help="Only this one, and all of it.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Shorten nothing.")] = False,
    bodies: Annotated[
        bool, typer.Option("--bodies", help="With --turn: also the bodies as recorded.")
    ] = False,
    width: Annotated[int | None, typer.Option(min=40, max=1000, help="Columns to use.")] = None,
    audit: AuditOption = None,
    config: ConfigOption = CONFIG,
    output: Annotated[
        OutputFormat,
        typer.Option("--format", help="A conversation to read (table), or JSON, never shortened."),
    ] = OutputFormat.TABLE,
) -> None:
    """Show a session as a conversation: who said what, which tools ran, what was refused.

    What the agent called elsewhere stands between: requests of its programs, calls over MCP,
    tunnels, connections to databases with each SQL statement, WebSockets with each message. A call
    over MCP stands with the call of the model's that it comes from.

    Times are UTC. What was said is shown as recorded, less what a terminal would obey.
    """
    if output is OutputFormat.CSV:
        raise typer.BadParameter(
            "a conversation is no table; take json, or `proctor query` for rows",
            param_hint="--format",
        )
    with opened(audit or load(config).audit.path) as reader:
        if reader is None:
            raise find.empty()
        target = find.find(reader, session, principal)
        found = conversation(reader, target)
        only = found.number(target.flow_id) if target.flow_id else turn
        if bodies and only is None:
            raise typer.BadParameter("add --turn N: bodies are long", param_hint="--bodies")
        # Of a connection to a database there may be thousands of statements.
        one = turn is not None or not found.totals.statements
        whole = full or (only is not None and one)
        as_json = output is OutputFormat.JSON
        limit = None if whole or as_json else _LIMIT
        most = None if whole or as_json else STATEMENTS
        turns = found.turns(limit=limit, only=only, bodies=bodies, statements=most)
        if as_json:
            sys.stdout.writelines(_json(found.totals, turns))
        else:
            _text(found, turns, whole=whole, width=width)


def _text(found: Conversation, turns: Iterator[Turn], *, whole: bool, width: int | None) -> None:
    console = screen(sys.stdout, width)
    transcript = Transcript(totals=found.totals, whole=whole)
    first = next(turns)  # a turn that is not there is told before anything is shown
    put(console, transcript.head())
    put(console, transcript.turn(first))
    for each in turns:
        # What belongs to a call is told there.
        if not each.belongs or each.after or each.new_run:
            put(console, transcript.turn(each))


def _json(totals: Totals, turns: Iterator[Turn]) -> Iterator[str]:
    """One object, a turn a line."""
    first = next(turns)
    yield f'{{"session": {_encoded(asdict(totals))},\n "turns": [\n  {_encoded(_turn(first))}'
    for turn in turns:
        yield f",\n  {_encoded(_turn(turn))}"
    yield "\n ]}\n"


def _turn(turn: Turn) -> dict[str, Any]:
    exchange = {
        each.name: getattr(turn.exchange, each.name)
        for each in fields(Exchange)
        if each.name not in _REFERENCES
    }
    exchange["observed"] = [asdict(each) for each in turn.exchange.observed]
    exchange["origins"] = [asdict(each) for each in turn.exchange.origins]
    exchange["findings"] = [asdict(each) for each in turn.exchange.findings]
    exchange["receipts"] = {
        direction: receipt.as_json() for direction, receipt in turn.exchange.receipts.items()
    }
    own = {each.name: getattr(turn, each.name) for each in fields(Turn)}
    del own["exchange"]
    for name in ("prompt", "request_body", "response_body"):
        own[name] = asdict(own[name]) if own[name] else None
    own["belongs"] = (
        {"turn": turn.belongs[0], "tool_use_id": turn.belongs[1]} if turn.belongs else None
    )
    for name in ("held", "after"):
        own[name] = [_held(each) for each in own[name]]
    own["results"] = [asdict(each) for each in turn.results]
    own["parts"] = [_part(each) for each in turn.parts]
    own["statements"] = [_statement(each) for each in turn.statements]
    own["messages"] = [_message(each) for each in turn.messages]
    return {"number": own.pop("number"), **exchange, **own}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case Said():
            return {"type": part.kind, "content": asdict(part.content)}
        case ServerCall():
            return {"type": "server_tool_call", **asdict(part)}
        case Call():
            own = asdict(replace(part, over=()))
            own["held"] = [_held(each) for each in part.held]
            own["over"] = [turn.number for turn in part.over]
            return {"type": "tool_call", **own}


def _statement(each: Statement) -> dict[str, Any]:
    entry = asdict(each.entry)
    for name in ("flow_id", *_CONTENT):
        del entry[name]
    own = {"sql": each.sql, "parameters": each.parameters, "result": each.result}
    told = {name: asdict(content) if content else None for name, content in own.items()}
    return {**entry, **told, "held": [_held(one) for one in each.held]}


def _message(each: Message) -> dict[str, Any]:
    entry = asdict(each.entry)
    del entry["flow_id"]
    content = asdict(each.content) if each.content else None
    return {**entry, "content": content, "held": [_held(one) for one in each.held]}


def _held(held: Held) -> dict[str, Any]:
    return {**asdict(held), "state": held.state}


def _encoded(value: object) -> str:
    def other(found: object) -> str:
        return found.isoformat() if isinstance(found, datetime) else str(found)

    return json.dumps(value, default=other, ensure_ascii=False)
