"""What of an envelope can be searched: the texts that are new in it.

A client sends the whole conversation with every turn, so bodies are not looked at: what is new are
the prompt, the answer's text, what tools are asked and what they gave back, SQL statements with
their parameters, and their results, and messages of WebSockets.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from proctor.audit.reader import reference
from proctor.model import ContentRef


class Part(StrEnum):
    """Where a text stood."""

    PROMPT = "prompt"
    OUTPUT = "output"
    INPUT = "input"
    RESULT = "result"
    STATEMENT = "statement"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text of an exchange, by reference.

    Attributes:
        part: Where it stood.
        ref: Where it lies.
        verdict: Of the tool call for what it was asked, else of the exchange; "" for none.
        tool: Name of the tool that was asked; "" where that is not said here.
        call: Id of the tool call; "" where it is none.
    """

    part: Part
    ref: ContentRef
    verdict: str
    tool: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Who said it, and what is known of the exchange; `entities` are types found in it."""

    seq: int
    ts: str
    flow_id: str
    principal: str
    subject: str
    session_id: str
    entities: tuple[str, ...]
    texts: tuple[Text, ...]


def read(seq: int, envelope: Mapping[str, Any]) -> Exchange | None:
    """What can be searched of an envelope; None where it is nothing.

    Args:
        seq: Its number.
        envelope: As recorded.
    """
    match envelope["kind"]:
        case "flow.begin":
            texts = tuple(_asked(envelope))
        case "flow.end" if envelope.get("begin_seq") is None:  # refused: there was no begin
            texts = (*_asked(envelope), *_called(envelope))
        case "flow.end":
            texts = (*_answered(envelope), *_called(envelope), *_given(envelope))
        case "statement":
            texts = (*_statement(envelope), *_returned(envelope))
        case "statement.end":
            texts = tuple(_returned(envelope))
        case "message":
            texts = tuple(_said(envelope))
        case _:
            return None
    if not texts:
        return None
    return Exchange(
        seq=seq,
        ts=envelope["ts"],
        flow_id=_plain(envelope.get("flow_id")),
        principal=_plain(envelope.get("principal")),
        subject=_plain(envelope.get("subject")),
        session_id=_plain(envelope.get("session_id")),
        entities=tuple(
            sorted({_plain(found["entity_type"]) for found in envelope.get("findings") or ()})
        ),
        texts=texts,
    )


def _asked(envelope: Mapping[str, Any]) -> Iterator[Text]:
    turn = envelope.get("turn") or {}
    yield from _text(Part.PROMPT, turn.get("prompt"), envelope)
    yield from _given(envelope)


def _answered(envelope: Mapping[str, Any]) -> Iterator[Text]:
    turn = envelope.get("turn") or {}
    yield from _text(Part.OUTPUT, turn.get("output"), envelope)


def _given(envelope: Mapping[str, Any]) -> Iterator[Text]:
    for each in envelope.get("results") or ():
        yield from _text(Part.RESULT, each["content"], envelope, call=_plain(each["tool_use_id"]))


def _called(envelope: Mapping[str, Any]) -> Iterator[Text]:
    for each in envelope.get("tools") or ():
        ref = reference(each["input"])
        if ref is not None:
            yield Text(
                part=Part.INPUT,
                ref=ref,
                verdict=each["verdict"] or "allow",
                tool=_plain(each["name"]),
                call=_plain(each["id"]),
            )


def _statement(envelope: Mapping[str, Any]) -> Iterator[Text]:
    for name in ("sql", "parameters"):
        yield from _text(Part.STATEMENT, envelope.get(name), envelope)


def _said(envelope: Mapping[str, Any]) -> Iterator[Text]:
    for side in ("request", "response"):
        yield from _text(Part.MESSAGE, envelope.get(side), envelope)


def _returned(envelope: Mapping[str, Any]) -> Iterator[Text]:
    yield from _text(Part.RESULT, envelope.get("response"), envelope)


def _text(
    part: Part, value: Mapping[str, Any] | None, envelope: Mapping[str, Any], *, call: str = ""
) -> Iterator[Text]:
    ref = reference(value)
    if ref is not None:
        yield Text(part=part, ref=ref, verdict=envelope.get("verdict") or "", call=call)


def _plain(value: str | None) -> str:
    """A name without halves of surrogate pairs, which no database takes (RFC 8259, 8.2)."""
    return (value or "").encode("utf-8", "replace").decode()
