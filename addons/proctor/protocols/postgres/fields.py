"""ErrorResponse and NoticeResponse, field by field (PostgreSQL, 54.8), and the codes we send."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import (
    AuthenticationError,
    ClientError,
    ProctorError,
    RefusedError,
    UpstreamError,
)
from proctor.protocols.postgres.messages import Back, message, string


class SqlState:
    """SQLSTATEs by PostgreSQL's names for them (Appendix A)."""

    WARNING: Final = "01000"
    FEATURE_NOT_SUPPORTED: Final = "0A000"
    CONNECTION_FAILURE: Final = "08006"
    REJECTED_BY_SERVER: Final = "08004"
    PROTOCOL_VIOLATION: Final = "08P01"
    INVALID_PARAMETER_VALUE: Final = "22023"
    CHARACTER_NOT_IN_REPERTOIRE: Final = "22021"
    INVALID_AUTHORIZATION: Final = "28000"
    INVALID_CURSOR_NAME: Final = "34000"
    INVALID_STATEMENT_NAME: Final = "26000"
    IN_FAILED_TRANSACTION: Final = "25P02"
    INVALID_PASSWORD: Final = "28P01"  # noqa: S105 - a code
    INVALID_CATALOG_NAME: Final = "3D000"
    INSUFFICIENT_PRIVILEGE: Final = "42501"
    SYNTAX_ERROR: Final = "42601"
    UNDEFINED_OBJECT: Final = "42704"
    TOO_MANY_CONNECTIONS: Final = "53300"
    QUERY_CANCELED: Final = "57014"
    ADMIN_SHUTDOWN: Final = "57P01"
    CANNOT_CONNECT_NOW: Final = "57P03"
    IDLE_SESSION_TIMEOUT: Final = "57P05"
    INTERNAL_ERROR: Final = "XX000"


# By the stable codes of proctor's errors, where the class of the error does not tell.
_STATES: Final[Mapping[str, str]] = {
    "pg-cannot-connect": SqlState.CANNOT_CONNECT_NOW,
    "pg-client-encoding": SqlState.FEATURE_NOT_SUPPORTED,
    "pg-database": SqlState.INVALID_CATALOG_NAME,
    "pg-idle": SqlState.IDLE_SESSION_TIMEOUT,
    "pg-late": SqlState.QUERY_CANCELED,
    "pg-message": SqlState.PROTOCOL_VIOLATION,
    "pg-parameter": SqlState.INVALID_PARAMETER_VALUE,
    "pg-protocol": SqlState.PROTOCOL_VIOLATION,
    "pg-replication": SqlState.FEATURE_NOT_SUPPORTED,
    "pg-stopping": SqlState.ADMIN_SHUTDOWN,
    "pg-tls-required": SqlState.INVALID_AUTHORIZATION,
    "pg-too-many": SqlState.TOO_MANY_CONNECTIONS,
    "pg-user": SqlState.INVALID_AUTHORIZATION,
    "pg-version": SqlState.FEATURE_NOT_SUPPORTED,
    "sql-aborted": SqlState.IN_FAILED_TRANSACTION,
    "sql-cancelled": SqlState.QUERY_CANCELED,
    "sql-encoding": SqlState.CHARACTER_NOT_IN_REPERTOIRE,
    "sql-prepared": SqlState.INVALID_STATEMENT_NAME,
    "sql-unparsable": SqlState.SYNTAX_ERROR,
    "upstream-credential": SqlState.REJECTED_BY_SERVER,
}

_CLASSES: Final[tuple[tuple[type[ProctorError], str], ...]] = (
    (AuthenticationError, SqlState.INVALID_PASSWORD),
    (RefusedError, SqlState.INSUFFICIENT_PRIVILEGE),
    (ClientError, SqlState.PROTOCOL_VIOLATION),
    (UpstreamError, SqlState.CONNECTION_FAILURE),
)
_MAX_TEXT: Final = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """What an ErrorResponse or a NoticeResponse says.

    Attributes:
        severity: `FATAL`, `ERROR`, `WARNING`, `NOTICE` …, never translated (V).
        code: SQLSTATE (C).
        message: One line (M).
        detail: More of it (D).
        hint: What to do (H).
        others: The rest by their letters, as they came: position (P), where (W), table (t) …
    """

    severity: str
    code: str
    message: str
    detail: str = ""
    hint: str = ""
    others: Mapping[str, str] = field(default_factory=dict[str, str])

    def body(self) -> bytes:
        """As the body of a message."""
        own = {
            "S": self.severity,
            "V": self.severity,
            "C": self.code,
            "M": self.message,
            "D": self.detail,
            "H": self.hint,
        }
        parts = [
            letter.encode() + _text(value) + b"\0"
            for letter, value in (own | dict(self.others)).items()
            if value
        ]
        return b"".join(parts) + b"\0"


def read_fields(body: bytes) -> Fields:
    """Read the body of an ErrorResponse or a NoticeResponse, also of servers before 9.6 (no V).

    Raises:
        ClientError: Code `pg-message`: it is none.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(body) and body[at]:
        text, end = string(body, at + 1)
        found[chr(body[at])] = text.decode("utf-8", "replace")
        at = end
    if at != len(body) - 1:
        raise ClientError(
            "pg-message",
            "This is no message of PostgreSQL's protocol that can be taken here",
            got="fields that do not end where the message does",
            expected="a zero byte as the last",
        )
    localized = found.pop("S", "")
    return Fields(
        severity=found.pop("V", localized),
        code=found.pop("C", ""),
        message=found.pop("M", ""),
        detail=found.pop("D", ""),
        hint=found.pop("H", ""),
        others=found,
    )


def error(fields: Fields) -> bytes:
    """An ErrorResponse."""
    return message(Back.ERROR, fields.body())


def notice(fields: Fields) -> bytes:
    """A NoticeResponse."""
    return message(Back.NOTICE, fields.body())


def fatal(said: ProctorError) -> bytes:
    """The ErrorResponse by which a session ends."""
    return error(fields_of(said, severity="FATAL"))


def fields_of(said: ProctorError, *, severity: str = "ERROR") -> Fields:
    """An error of proctor's in PostgreSQL's words; DETAIL holds its rule and stable code."""
    rule = said.rule_id if isinstance(said, RefusedError) else ""
    detail = [f"rule {rule}"] if rule else []
    detail.append(f"proctor: {said.code}")
    if said.got:
        detail.append(f"got {said.got}")
    if said.expected:
        detail.append(f"expected {said.expected}")
    return Fields(
        severity=severity,
        code=sqlstate(said),
        message=said.message,
        detail="; ".join(detail),
        hint=said.hint,
    )


def sqlstate(said: ProctorError) -> str:
    """The SQLSTATE that stands for an error of proctor's: by its code, else by its class."""
    by_class = next((state for kind, state in _CLASSES if isinstance(said, kind)), None)
    return _STATES.get(said.code) or by_class or SqlState.INTERNAL_ERROR


def _text(value: str) -> bytes:
    return value.replace("\0", "�").encode("utf-8", "replace")[:_MAX_TEXT]
