"""What proctor.yaml may say of a `kind: postgres` listener."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from proctor.fields import (
    AT_LEAST_ONE,
    Bytes,
    FilePath,
    ListenAddress,
    Name,
    Seconds,
    Settings,
    TlsSettings,
    problem,
    require_tls,
)
from proctor.sql.identifiers import written
from proctor.units import Address, is_loopback, parse_address

NAMEDATALEN: Final = 64
"""PostgreSQL cuts names at one byte less than this (Identifiers and Key Words)."""

_UNIX: Final = "unix:"
_MAX_PATH: Final = 107  # bytes of a path in sockaddr_un (unix(7)), less its end
_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*)')
_OPERATOR: Final = re.compile(r"[-+*/<>=~!@#%^&|`?]{1,63}")
_MAX_WORKERS: Final = 16
_MAX_FIXED: Final = 1000
_HOUR: Final = 3600.0

type Tier = Literal["server", "wire", "content"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where PostgreSQL is: host and port, or the path of its socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def here(self) -> bool:
        """Whether it is this machine, by its form alone."""
        return bool(self.path) or is_loopback(self.host)

    def __str__(self) -> str:
        address = Address(host=self.host, port=self.port)
        return f"{_UNIX}{self.path}" if self.path else str(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Schema and name of a table or function, as the server has them: unquoted, folded."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def _server(value: object) -> object:
    if isinstance(value, Server):
        return value
    text = value if isinstance(value, str) else ""
    expected = "host:port, such as db.internal:5432 or [::1]:5432, or unix:/path/.s.PGSQL.5432"
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path.startswith("/") or "\0" in path or len(path.encode()) > _MAX_PATH:
            raise ValueError(expected)
        return Server(path=path)
    try:
        address = parse_address(text)
    except ValueError:
        raise ValueError(expected) from None
    if not address.port:
        raise ValueError(expected)
    return Server(host=address.host, port=address.port)


def _identifiers(text: str) -> list[str]:
    """The parts of a name with dots, as the server has them; empty where it is none.

    Folding is of ASCII letters only, as the server's in a UTF-8 database.
    """
    found: list[str] = []
    at = 0
    while match := _PART.match(text, at):
        quoted, plain = match.groups()
        part = quoted.replace('""', '"') if quoted else _folded(plain)
        if len(part.encode()) >= NAMEDATALEN or "\0" in part:
            return []
        found.append(part)
        at = match.end()
        if at == len(text):
            return found
        if text[at] != ".":
            return []
        at += 1
    return []


def _folded(text: str) -> str:
    return "".join(char.lower() if char.isascii() else char for char in text)


def _table(value: object) -> object:
    if isinstance(value, Table):
        return value
    parts = _identifiers(value if isinstance(value, str) else "")
    if len(parts) != 2:  # noqa: PLR2004 - schema and table
        raise ValueError("a table with its schema, such as public.users")
    return Table(schema=parts[0], name=parts[1])


def _column(value: object) -> object:
    parts = _identifiers(value if isinstance(value, str) else "")
    if len(parts) != 1:
        raise ValueError("a column, such as email")
    return parts[0]


def _named(value: object) -> object:
    text = value if isinstance(value, str) else ""
    if not 0 < len(text.encode("utf-8", "replace")) < NAMEDATALEN or not text.isprintable():
        raise ValueError("a name of at most 63 bytes, as the server has it")
    return text


def _function(value: object) -> object:
    """As functions.known has it: "public.fullname", "schema:app", "public.operator ==="."""
    text = value if isinstance(value, str) else ""
    what, colon, name = text.partition(":")
    # Not all of the server's own schemas at once: what reads files and tables by text is there.
    if colon and (what == "extension" or (what == "schema" and not name.startswith("pg_"))):
        return f"{what}:{_named(name)}"
    before, operator, symbol = text.rpartition(".operator ")
    if operator and _OPERATOR.fullmatch(symbol) and len(parts := _identifiers(before)) == 1:
        return f"{written(*parts)}.operator {symbol}"
    prefix = "partitions:"
    parts = _identifiers(text.removeprefix(prefix))
    if len(parts) != 2:  # noqa: PLR2004 - schema and function, or table
        raise ValueError(
            "public.fullname, schema:app, extension:postgis, public.operator ===, or"
            " partitions:public.events"
        )
    return (prefix if text.startswith(prefix) else "") + written(*parts)


def _method(value: object) -> object:
    return "null" if value is None else value  # in YAML `null` is no text


def _tiers(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _dry_run(value: object) -> object:
    if value is True:
        raise ValueError("false, or {statement_timeout: 2s, rows: 100000}")
    return None if value is False else value


type ServerAddress = Annotated[Server, BeforeValidator(_server)]
type TableName = Annotated[Table, BeforeValidator(_table)]
type ColumnName = Annotated[str, BeforeValidator(_column)]
type FunctionName = Annotated[str, BeforeValidator(_function)]
type ServerName = Annotated[str, BeforeValidator(_named)]
"""Of a database, a role or a schema: exact, neither quoted nor folded."""

# RFC 6749, 3.3
type Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,256}$")]

type Method = Literal["null", "fixed", "partial", "hash", "surrogate"]


class UpstreamTlsSettings(Settings):
    """How the server is trusted, and proctor by it.

    Attributes:
        ca: Certificates by which it is trusted; None for the system's.
        cert: What proctor shows it, a PEM file; with `key`.
        key: Its key.
        server_name: What its certificate is for, where that is not the upstream's host.
    """

    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    server_name: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")] = None

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise problem("wrong-value", "`cert` and `key` come together or not at all")
        return self


class GroupCredential(Settings):
    """A credential for some.

    Attributes:
        groups: Whose members it is for.
        credential: Its name.
    """

    groups: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AT_LEAST_ONE]
    credential: Name


class DryRunSettings(Settings):
    """How a held statement is tried, for the reviewer's sake, and rolled back.

    Attributes:
        statement_timeout: How long each part of it may take, seconds.
        rows: How many rows it may touch before it is given up.
    """

    statement_timeout: Annotated[Seconds, Field(le=60)] = 2.0
    rows: int = Field(default=100_000, ge=1, le=10_000_000)


class ColumnSettings(Settings):
    """One column whose values are masked.

    Attributes:
        table: Schema and table, as in SQL.
        column: As in SQL.
        method: What stands in place of a value; `with` in the file. What cannot be valid in the
            column's type becomes NULL.
        value: What `fixed` puts there.
        restore: A surrogate in a parameter is turned back for this column.
    """

    table: TableName
    column: ColumnName
    method: Annotated[Method, BeforeValidator(_method)] = Field(default="null", alias="with")
    value: Annotated[str | None, Field(max_length=_MAX_FIXED)] = None
    restore: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.method == "fixed") != (self.value is not None):
            raise problem(
                "wrong-value" if self.value is not None else "missing-key",
                "`with: fixed` and `value` come together or not at all",
                key="with" if self.value is None else "value",
            )
        if self.restore and self.method != "surrogate":
            raise problem(
                "wrong-value", "Only a surrogate is turned back", key="restore", expected="false"
            )
        return self


class MaskingSettings(Settings):
    """What of the answers is hidden.

    Attributes:
        tier: `wire`: columns, here. `server`: the server's own rights keep them back, made by
            `proctor postgres harden`. `content`: texts are looked at, too. One, or several.
        content: What comes of what is found in texts: `mask`, or `alarm`: it is only recorded.
        columns: The sensitive ones.
        trusted: Views and functions that show nothing of them, whatever they read.
        unmasked_groups: Whose members see all.
    """

    tier: Annotated[tuple[Tier, ...], AT_LEAST_ONE, BeforeValidator(_tiers)] = ("wire",)
    content: Literal["mask", "alarm"] = "mask"
    columns: tuple[ColumnSettings, ...] = ()
    trusted: tuple[TableName, ...] = ()
    unmasked_groups: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _together(self) -> Self:
        by_column = {"wire", "server"} & set(self.tier)
        if by_column and not self.columns:
            raise problem(
                "missing-key",
                f"`columns` is missing: `tier: {min(by_column)}` is about columns",
                key="columns",
            )
        if self.columns and not by_column:
            raise problem(
                "wrong-value", "`columns` are for the tiers wire and server", key="columns"
            )
        if "content" in self.model_fields_set and "content" not in self.tier:
            raise problem("wrong-value", "`content` is for the tier content", key="content")
        seen = [(item.table, item.column) for item in self.columns]
        twice = next((each for each in seen if seen.count(each) > 1), None)
        if twice is not None:
            raise problem("wrong-value", f"{twice[0]}.{twice[1]} stands twice", key="columns")
        return self


class SessionRoleSettings(Settings):
    """A role that proctor makes for each session, and drops after it.

    Attributes:
        member_of: The roles whose rights it gets.
        schemas: What it finds without naming a schema, in this order; empty for the server's own.
    """

    member_of: Annotated[tuple[ServerName, ...], AT_LEAST_ONE]
    schemas: tuple[ServerName, ...] = ()


class PostgresListener(Settings):
    """One place where clients of PostgreSQL come in.

    Attributes:
        name: As rules, records and metrics call it.
        kind: `postgres`.
        listen: Where; off loopback it has `tls`, or says `plaintext: true`.
        tls: Certificate and key shown to clients.
        plaintext: Clients off this machine may speak in the clear.
        upstream: The server.
        upstream_tls: Trust and client certificate towards it.
        upstream_plaintext: It may be on another machine and without TLS.
        database: The only one that clients may ask for; None for any.
        credential: What proctor signs in with, where none of `credentials` is for the caller.
        credentials: By group; the first that fits.
        sign_in: How the client hands over its token.
        scopes: What it asks the issuer for, by `sign_in: oauthbearer`.
        unknown_functions: What comes of a statement that calls a function nobody has looked at.
        functions: Those somebody has: functions, operators, all of a schema or extension; and
            tables with more partitions than are told, as `partitions:public.events`.
        grace: How long what runs may go on after the token's end, seconds.
        workers: Processes that share the work.
        results: How much of a statement's result is kept on record, bytes.
        dry_run: How held statements are tried; None: they are not.
        masking: What of the answers is hidden.
        session_role: The role that a session gets.
        trusted: What its rows hold is as good as the user's own words.
    """

    name: Name
    kind: Literal["postgres"]
    listen: ListenAddress
    tls: TlsSettings | None = None
    plaintext: bool = False
    upstream: ServerAddress
    upstream_tls: UpstreamTlsSettings | None = None
    upstream_plaintext: bool = False
    database: ServerName | None = None
    credential: Name | None = None
    credentials: tuple[GroupCredential, ...] = ()
    sign_in: Literal["password", "oauthbearer"] = "password"
    scopes: tuple[Scope, ...] = ()
    unknown_functions: Literal["hold", "deny", "allow"] = "hold"
    functions: tuple[FunctionName, ...] = ()
    grace: Annotated[Seconds, Field(le=_HOUR)] = 30.0
    workers: int = Field(default=1, ge=1, le=_MAX_WORKERS)
    results: Annotated[Bytes, Field(le=16 * 2**20)] = 64 * 2**10
    dry_run: Annotated[DryRunSettings | None, BeforeValidator(_dry_run)] = DryRunSettings()
    masking: MaskingSettings | None = None
    session_role: SessionRoleSettings | None = None
    trusted: bool = True

    @model_validator(mode="after")
    def _sides(self) -> Self:
        require_tls(self.listen, has_tls=self.tls is not None, plaintext=self.plaintext)
        if self.credential is None and not self.credentials:
            raise problem(
                "missing-key",
                "`credential` is missing: proctor signs in at the server with its own",
                key="credential",
                expected="credential: NAME, or credentials: [{groups: […], credential: NAME}]",
            )
        for index, item in enumerate(self.credentials):
            before = {group for each in self.credentials[:index] for group in each.groups}
            if before.issuperset(item.groups):
                raise problem(
                    "wrong-value",
                    "A credential further down is for groups that have one already",
                    key="credentials",
                )
        if self.scopes and self.sign_in != "oauthbearer":
            raise problem("wrong-value", "`scopes` are for oauthbearer", key="scopes")
        self._upstream()
        return self

    def _upstream(self) -> None:
        if self.upstream_tls is not None and (self.upstream_plaintext or self.upstream.path):
            raise problem(
                "wrong-value", "`upstream_tls` does nothing without TLS", key="upstream_tls"
            )

    def names(self, groups: tuple[str, ...]) -> str | None:
        """The credential for a member of these groups; None where there is none."""
        for item in self.credentials:
            if not set(item.groups).isdisjoint(groups):
                return item.credential
        return self.credential

    @property
    def credential_names(self) -> tuple[str, ...]:
        """All that it may use."""
        named = [item.credential for item in self.credentials]
        return (*named, *([self.credential] if self.credential else []))

    @property
    def over_tls(self) -> bool:
        """Whether the server is spoken to over TLS, and not at all without."""
        if self.upstream_tls is not None:
            return True
        return not (self.upstream.here or self.upstream_plaintext)

    def looks_into(self, groups: tuple[str, ...]) -> Literal["mask", "alarm"] | None:
        """What comes of texts in which something is found, for members of these groups.

        Returns:
            None: they are not looked at.
        """
        masking = self.masking
        if masking is None or "content" not in masking.tier:
            return None
        return masking.content if set(masking.unmasked_groups).isdisjoint(groups) else None

    @property
    def tiers(self) -> frozenset[Tier]:
        """How answers are masked."""
        return frozenset(self.masking.tier) if self.masking else frozenset()
