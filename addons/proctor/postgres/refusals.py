"""What is said to a client whose statement does not run, or has to wait."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from proctor.approval.model import Approval
from proctor.errors import ClientError, ProctorError, RefusedError, UpstreamError
from proctor.model import Deny
from proctor.postgres.state import State
from proctor.postgres.statements import Denied
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.fields import Fields, SqlState, fields_of, notice
from proctor.protocols.postgres.messages import Bind, Piece
from proctor.record import Ruling
from proctor.sql.escapes import original
from proctor.sql.statement import SqlError

_ITS_OWN: Final = frozenset(
    {"pg-unknown", "sql-unparsable", "sql-prepared", "sql-aborted", "sql-cancelled"}
)
"""Errors in PostgreSQL's own words."""

HARMLESS: Final = 5
"""Characters of a parameter in which nothing can be found."""


def denied(error: ProctorError, ruling: Ruling | None) -> Denied:
    """What takes the place of the error that comes for a denied statement."""
    ends = ruling is not None and isinstance(ruling.verdict, Deny) and ruling.verdict.terminate
    position = error.position if isinstance(error, SqlError) else 0
    return Denied(error=error, position=position, terminate=ends)


def written(denied: Denied) -> Fields:
    """The error as the client gets it."""
    found = fields_of(denied.error)
    found = replace(found, code=denied.state or found.code)
    if denied.error.code in _ITS_OWN:
        found = replace(found, detail="", hint="")
    if denied.position:
        found = replace(found, others={"P": str(denied.position)})
    return found


def placed(said: Fields, inserted: Sequence[int]) -> Fields:
    """An error with its place in the text as the client sent it."""
    place = said.others.get("P", "")
    if not place.isdecimal():
        return said
    return replace(said, others={**said.others, "P": str(original(int(place), inserted))})


def unanswered(said: Fields) -> ProctorError:
    """Why a statement cannot be judged, where a question of ours has failed."""
    match said.code:
        case SqlState.QUERY_CANCELED:  # by the client, or a time limit of its own
            return ClientError("sql-cancelled", said.message)
        case SqlState.IN_FAILED_TRANSACTION:  # which has just come out
            return ClientError("sql-aborted", said.message)
        case _:
            return UpstreamError(
                "pg-question",
                "The server could not say what a statement's names mean",
                got=said.code,
            )


def waits(approval: Approval) -> bytes:
    """The notice by which a client learns that its statement waits."""
    groups = sorted({group for term in approval.asking.demands for group in term.from_groups})
    return notice(
        Fields(
            severity="NOTICE",
            code=SqlState.WARNING,
            message=f"proctor: this statement waits for approval {approval.id}",
            detail=f"Members of {', '.join(groups)} may give it." if groups else "",
            hint="Cancel it to give up.",
        )
    )


def refusal(ruling: Ruling) -> ProctorError | None:
    """Why the rules do not let it run, or None where humans are to be asked."""
    match ruling.verdict:
        case Deny(appeal=()) as deny:
            return RefusedError("policy-denied", deny.reason, rule_id=deny.rule_id)
        case _:
            return None


def missing(what: str, name: bytes, state: State) -> Denied:
    """What the server would say of a name that nobody gave."""
    shown = name.decode(state.encoding, "replace")
    code = SqlState.INVALID_CURSOR_NAME if what == "portal" else SqlState.INVALID_STATEMENT_NAME
    return Denied(error=ClientError("pg-unknown", f'{what} "{shown}" does not exist'), state=code)


def text_of(piece: Piece) -> bytes:
    """The text of a Query.

    Raises:
        ClientError: Code `pg-message`.
    """
    text, end = messages.string(piece.body)
    if end != len(piece.body):
        raise ClientError(
            "pg-message",
            "This is no message of PostgreSQL's protocol that can be taken here",
            got="bytes after the end of a statement",
            expected="none",
        )
    return text


def harmless(bind: Bind) -> bool:
    """Whether nothing that is looked for would fit into any parameter."""
    return all(value is None or len(value) <= HARMLESS for value in bind.values)


def nonce() -> bytes:
    """A name that nobody else has given, and as a statement an error of syntax."""
    return b"proctor_" + secrets.token_hex(8).encode()
