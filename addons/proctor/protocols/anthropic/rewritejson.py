"""A Messages API answer in one piece (`stream: false`), redacted."""

import json
from typing import Any, Final

from proctor.errors import ClientError
from proctor.protocols.anthropic.blocks import SIGNED, exempt_in, is_tool
from proctor.protocols.jsonspan import SpanReader
from proctor.redaction.handling import Handling, Rewritten
from proctor.redaction.model import RedactionError

# Members that hold what is signed.
_WORDS: Final = frozenset({"thinking", "content"})


def rewrite_json(body: bytes, handling: Handling) -> Rewritten:
    """Redact one whole answer, a message or an error.

    Args:
        body: Decoded, UTF-8.
        handling: Does the work on texts and documents.

    Raises:
        RedactionError: The body cannot be looked at.
    """
    reader: SpanReader[Any] = SpanReader({"content": lambda value, _raw: value}, capacity=0)
    try:
        document = reader.read(body)
        parts: list[tuple[int, int, Rewritten]] = []
        for index, element in enumerate(document.arrays.get("content", ())):
            raw = body[element.start : element.end]
            out = _block(raw, element.summary, f"content[{index}]", handling)
            parts.append((element.start, element.end, out))
        for name, value in document.values.items():
            start, end = document.spans[name]
            exempt = exempt_in({name: value})
            if isinstance(value, dict):
                exempt |= {(name, *path): why for path, why in exempt_in(value).items()}
            if (name,) not in exempt and value is not None:
                out = handling.document(b"{" + body[start:end] + b"}", "", exempt=exempt)
                parts.append((start, end, Rewritten(out.client[1:-1], out.record[1:-1])))
    except ClientError:
        raise RedactionError(
            "redaction-decoder",
            "The model's answer cannot be looked at, so it was not passed on",
            got="a body that is not one JSON object",
        ) from None
    client: list[bytes] = []
    record: list[bytes] = []
    at = 0
    for start, end, out in sorted(parts, key=lambda part: part[0]):
        client += (body[at:start], out.client)
        record += (body[at:start], out.record)
        at = end
    return Rewritten(b"".join([*client, body[at:]]), b"".join([*record, body[at:]]))


def _block(raw: bytes, block: Any, location: str, handling: Handling) -> Rewritten:
    if not isinstance(block, dict):
        return handling.document(raw, location, exempt={})
    kind = block.get("type")
    types: frozenset[str] | None = None
    if is_tool(block):
        types = frozenset()
        if kind == "tool_use":  # the others are run by the provider
            name = block.get("name")
            types = handling.restored_types(
                name if isinstance(name, str) else "", json.dumps(block.get("input"))
            )
    exempt = exempt_in(block)
    signed = kind in SIGNED
    if signed:  # the client gets it as it is, but it is looked at
        exempt = {path: why for path, why in exempt.items() if path[-1] not in _WORDS}
    return handling.document(raw, location, exempt=exempt, signed=signed, restore=types)
