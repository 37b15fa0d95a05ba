"""Records of statements that are alike: written from a form, with what differs filled in.

Most of what a record says of a statement is the same each time this text runs in this connection.
It is made into JSON once, from the very fields that a record is otherwise made of.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from proctor.model import Decision

type Fields = Mapping[str, Any]

_MARK: Final = secrets.token_hex(16)
_PLACE: Final = b'"' + _MARK.encode() + b'"'

_BEGINS: Final = (b"%d", b"%b", b"%b", b'"%b"')
_ENDS: Final = (b"%d", b"%d", b"%d", b"%r", b"%b", b"%d")
NULL: Final = b"null"


class Form:
    """Both records of one statement of a text, as long as nothing else is said of it.

    Attributes:
        decisions: What the rules said; the form holds for these.
        scope: Where content goes; the form holds for that.
        fields: What both records say, but for the statement's number.
        verdict: The rules' on it.
        quiet: What that goes by that nothing of it is new, and how it is said so; None where
            something was.
        seen: What is learned of it: fingerprint, and tables that are read and written.
        plain: Nothing follows from it but rows: it changes and names nothing, and none are masked.
    """

    __slots__ = (
        "_begin", "_end", "decisions", "fields", "plain", "quiet", "scope", "seen", "verdict",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        begin: bytes,
        end: bytes,
        *,
        decisions: Sequence[Decision],
        scope: str,
        fields: Fields,
        verdict: str,
        seen: tuple[str, tuple[str, ...], tuple[str, ...]] | None,
        plain: bool = False,
    ) -> None:
        self._begin = begin
        self._end = end
        self.decisions = decisions
        self.scope = scope
        self.fields = fields
        self.verdict = verdict
        self.quiet: tuple[object, bytes] | None = None
        self.seen = seen
        self.plain = plain

    def begin(self, n: int, parameters: bytes, novelty: bytes, digest: str) -> bytes:
        """The record of a statement that is to run, as JSON.

        Args:
            n: Its number in the connection.
            parameters: A reference to them as JSON, or NULL.
            novelty: What is new of it as JSON, or NULL.
            digest: Of its action.
        """
        return self._begin % (n, parameters, novelty, digest.encode())

    def end(  # noqa: PLR0913, PLR0917 - what may differ
        self, n: int, seq: int, rows: int, ms: float, response: bytes, size: int
    ) -> bytes:
        """The record of how it ended, as JSON.

        Args:
            n: Its number in the connection.
            seq: Of the record of its beginning.
            rows: That came, or that it touched.
            ms: How long it took.
            response: A reference to what the client saw as JSON, or NULL.
            size: Bytes of all rows.
        """
        return self._end % (n, seq, rows, ms, response, size)


def form_of(  # noqa: PLR0913 - what is the same each time
    said: Mapping[str, Any],
    both: Mapping[str, Any],
    *,
    decisions: Sequence[Decision],
    scope: str,
    masked: Sequence[str],
    seen: tuple[str, tuple[str, ...], tuple[str, ...]] | None,
    plain: bool = False,
) -> Form | None:
    """A form, or None where its records are no plain ASCII: these are written in full.

    Args:
        said: What the first record says.
        both: What both say.
        decisions: What the rules said.
        scope: Where content goes.
        masked: Columns that are masked.
        seen: What is learned of it.
        plain: Nothing follows from it but rows.
    """
    (decision,) = said["decisions"]
    begin = dict(said)
    begin.update(
        n=_MARK,
        parameters=_MARK,
        novelty=_MARK,
        decisions=[{**decision, "action_digest": _MARK}],
    )
    end = ended(
        both, _MARK, begin_seq=_MARK, rows=_MARK, masked=masked,
        ms=_MARK, error="", response=_MARK, size=_MARK,
    )  # fmt: skip
    made = _filled(begin, _BEGINS), _filled(end, _ENDS)
    if made[0] is None or made[1] is None:
        return None
    return Form(
        made[0],
        made[1],
        decisions=decisions,
        scope=scope,
        fields=both,
        verdict=str(said["verdict"]),
        seen=seen,
        plain=plain,
    )


def ended(  # noqa: PLR0913 - what is said of it
    both: Mapping[str, Any],
    n: Any,
    *,
    begin_seq: Any,
    rows: Any,
    masked: Sequence[str],
    ms: Any,
    error: str,
    response: Any,
    size: Any,
) -> dict[str, Any]:
    """What the record of a statement's end says."""
    return {
        **both,
        "n": n,
        "begin_seq": begin_seq,
        "rows": rows,
        "masked_columns": list(masked),
        "duration_ms": ms,
        "error": error or None,
        "response": response,
        "response_bytes": size,
    }


def filled(fields: Fields, names: Sequence[str]) -> bytes:
    """A template of `fields`, with places for numbers at these names."""
    made = _filled({**fields, **dict.fromkeys(names, _MARK)}, (b"%d",) * len(names))
    if made is None:
        raise ValueError("these are no fields in plain ASCII")
    return made


def in_ascii(value: Any) -> bytes | None:
    """A value as JSON, or None where that is no plain ASCII."""
    try:
        raw = orjson.dumps(value)
    except TypeError:  # halves of surrogate pairs
        return None
    return raw if raw.isascii() else None


def _filled(fields: Fields, holes: Sequence[bytes]) -> bytes | None:
    """A template of `fields`, with a hole at each mark."""
    raw = in_ascii(fields)
    if raw is None:
        return None
    first, *rest = (part.replace(b"%", b"%%") for part in raw.split(_PLACE))
    if len(rest) != len(holes):
        return None
    return first + b"".join(map(bytes.__add__, holes, rest))
