"""The words of the house, as frozen dataclasses.

Every protocol is turned into Actions; rules, approvals and records know nothing else. The fields
that rules see are the dataclasses below, one for each room of the table in the README.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any


class ActionKind(StrEnum):
    """What someone is about to do."""

    LLM_REQUEST = "llm.request"
    LLM_TOOL_USE = "llm.tool_use"
    HTTP_REQUEST = "http.request"
    MCP_CALL = "mcp.call"
    GIT_FETCH = "git.fetch"
    GIT_PUSH = "git.push"
    SQL_STATEMENT = "sql.statement"
    WS_MESSAGE = "ws.message"


class RecordMode(StrEnum):
    """How much of an exchange is kept; among matching rules `full` wins."""

    FULL = "full"
    METADATA = "metadata"


class CredentialSource(StrEnum):
    """Whose credential a request carries, `http.credential` in rules."""

    NONE = "none"
    CLIENT = "client"
    INJECTED = "injected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls, as a verified token names them.

    Attributes:
        issuer: `iss`, exact.
        subject: `sub`, unique within the issuer; never an e-mail address.
        human: The person behind a bot's token, or None.
        groups: Names as the issuer gives them, sorted.
        issued_at: Token's `iat`, seconds since the epoch.
        expires_at: Token's `exp`, seconds since the epoch.
    """

    issuer: str
    subject: str
    human: str | None = None
    groups: tuple[str, ...] = ()
    issued_at: float = 0.0
    expires_at: float = 0.0

    @property
    def key(self) -> str:
        """The one string that stands for this principal: an issuer holds no `#` (OIDC Core 2)."""
        return f"{self.issuer}#{self.subject}"


GUESSED = "principal"
"""How a session's name came where nothing names it: it is the only run under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of an agent, as the client names it, under one principal.

    Attributes:
        id: The client's own name for the run.
        client: Product and version as the client says, such as `claude-cli/2.1.330`.
        started: When its first exchange came; a run ends after 30 idle minutes.
        turns: Requests to the model before this one.
        repository: Where the agent works, empty if unknown.
        correlated_by: How the name came: `header`, `metadata`, `tool_use` or GUESSED.
        exposed: Entity types of what reached the agent in this run, sorted.
        suspicious: Best score of the signs of prompt injection that reached it, 0 to 1.
    """

    id: str
    client: str
    started: datetime
    turns: int = 0
    repository: str = ""
    correlated_by: str = ""
    exposed: tuple[str, ...] = ()
    suspicious: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpFields:
    """`http.*` in rules. Header names are lower case; credentials are never among them.

    `json` also holds a form's fields; `operation` and `violations` are told by an OpenAPI
    description, `operation` by a GraphQL document, too.
    """

    method: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = ""
    json: Any = None
    operation: str = ""
    violations: tuple[str, ...] = ()
    credential: CredentialSource = CredentialSource.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmFields:
    """`llm.*` in rules. `features` are those by which the provider itself would reach out."""

    model: str = ""
    stream: bool = False
    max_tokens: int = 0
    tools: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    request_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFields:
    """`tool.*` in rules: one tool call, of the model's or over MCP."""

    name: str = ""
    input: Mapping[str, Any] = field(default_factory=dict[str, Any])
    command: str = ""
    paths: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class McpFields:
    """`mcp.*` in rules: one message of a client's to an MCP server.

    Attributes:
        server: As proctor.yaml calls it.
        method: Such as `tools/call`; `response` for an answer to what the server asked.
        tool: The tool's name, or the prompt's.
        arguments: Of the tool or the prompt.
        uri: The resource's.
    """

    server: str = ""
    method: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    uri: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFields:
    """`sql.*` in rules: one statement, its names as the server resolves them.

    Attributes:
        database: As the client named it.
        verbs: In capitals, such as `SELECT`; several where one statement does several things.
        tables: `schema.table`.
        columns: `schema.table.column`.
        functions: `schema.function`.
        has_where: Whether it bounds what it touches.
        read_only: Whether it changes nothing.
        in_transaction: Whether a transaction block is open.
        fingerprint: libpg_query's: the same for statements that differ in their constants alone.
    """

    database: str = ""
    verbs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    has_where: bool = False
    read_only: bool = False
    in_transaction: bool = False
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFields:
    """`git.*` in rules: one fetch or push, as its packets and its pack say.

    Attributes:
        repository: Host and path, without `.git`, such as `git.internal/team/app`.
        service: `fetch`, `push` or `lfs`.
        refs: Full names: those pushed to, or those asked for as far as they are known.
        old: What each ref was, hex; zeros where it is new.
        new: What each ref becomes, hex; zeros where it is deleted.
        forced: Some ref moves to where it does not descend from, or nobody could tell.
        deleted: Some ref is deleted.
        authors: E-mail addresses of authors and committers of the commits in it.
        paths: What changes, in any commit of it.
        commits: How many commits.
        bytes: Of its pack.
        unknown: What it changes could not be told as a whole.
    """

    repository: str = ""
    service: str = ""
    refs: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    forced: bool = False
    deleted: bool = False
    authors: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    commits: int = 0
    bytes: int = 0
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WsFields:
    """`ws.*` in rules: one message of a WebSocket.

    Attributes:
        direction: Who sends it: `client` or `server`.
        type: `text` or `binary`.
        json: The message, where it is JSON.
    """

    direction: str = ""
    type: str = ""
    json: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that someone is about to do.

    Attributes:
        kind: Which of the eight.
        listener: Name of the listener it came through.
        target: What it is done to: an address, a server's tool, a database.
        content: What is done, canonical bytes in parts; hashed into the digest, never kept here.
        size: Bytes of the whole content as received.
        tainted: A value in it came from an untrusted response.
        origins: Which, from where, as the record has it: no values.
        http: The exchange that carries it, where one does.
        llm: For `llm.request`.
        tool: For `llm.tool_use`.
        mcp: For `mcp.call`.
        sql: For `sql.statement`.
        git: For `git.fetch` and `git.push`.
        ws: For `ws.message`.
        novelty: What of it is new for this principal, `novelty.*` in rules.
        budget: What is used up, `budget.*` in rules.
    """

    kind: ActionKind
    listener: str
    target: str
    content: Sequence[bytes | memoryview] = ()
    size: int = 0
    tainted: bool = False
    origins: tuple[Mapping[str, Any], ...] = field(default=(), repr=False, compare=False)
    http: HttpFields | None = None
    llm: LlmFields | None = None
    tool: ToolFields | None = None
    mcp: McpFields | None = None
    sql: SqlFields | None = None
    git: GitFields | None = None
    ws: WsFields | None = None
    novelty: Mapping[str, Any] = field(default_factory=dict[str, Any])
    budget: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def digest(self, principal: Principal, key: bytes = b"") -> str:
        """Name of this action, the same for every retry of the same thing.

        HMAC-SHA-256 in hex over principal, kind, target and content, each length-prefixed. Keyed,
        since the content still holds what is taken out of the record, and a phone number could be
        guessed from a plain hash of all that stands around it.

        Args:
            principal: Who acts.
            key: Of the installation; without it, plain SHA-256.
        """
        found: str = self.hasher(principal, key).hexdigest()
        return found

    def hasher(self, principal: Principal, key: bytes = b"") -> Any:
        """The digest as far as it is known: what else belongs to the content may be added."""
        state = hmac.new(key, digestmod=sha256) if key else sha256()
        state.update(b"proctor action v1\n")
        for part in (principal.key, self.kind.value, self.target):
            raw = part.encode()
            state.update(b"%d:" % len(raw))
            state.update(raw)
        for chunk in self.content:
            state.update(chunk)
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something sensitive or suspicious at a place; never the value.

    Attributes:
        type: Entity type, such as `EMAIL_ADDRESS`.
        location: Where it stands, such as `messages[2].content[0].text`.
        direction: `request` or `response`.
        score: 0 to 1.
        detector: Who found it, such as `betterleaks:github-pat`.
        action: What was done with it: a `redaction.model.Method`, or empty before that is decided.
        digest: Keyed, so that two occurrences of a value can be matched; empty if there is none.
    """

    type: str
    location: str
    direction: str
    score: float
    detector: str = ""
    action: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """What a holding rule asks of humans.

    Attributes:
        rule_id: The rule.
        rule_reason: Its own words.
        from_groups: Groups whose members may decide.
        count: Distinct humans needed.
        wait: How long the connection is held.
        ttl: The approval's absolute end, counted from the request.
        reason_required: Whether a decision needs words.
        grant: The longest grant that may be given; None where none may be.
    """

    rule_id: str = ""
    rule_reason: str = ""
    from_groups: tuple[str, ...]
    count: int = 1
    wait: timedelta = timedelta(minutes=4)
    ttl: timedelta = timedelta(minutes=30)
    reason_required: bool = False
    grant: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """It may happen. `rule_id` is the rule that said so."""

    rule_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """It may happen once humans agree; every one of `terms` must be met."""

    rule_id: str
    reason: str
    terms: tuple[ApprovalTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """It may not happen. `rule_id` is `default` where no rule allowed it.

    `appeal` is what humans are asked where the rules let the denial be appealed, else empty;
    `terminate` ends the connection, too, where it is one that goes on.
    """

    rule_id: str
    reason: str
    appeal: tuple[ApprovalTerms, ...] = ()
    terminate: bool = False


type Verdict = Allow | Hold | Deny


def verdict_name(verdict: Verdict) -> str:
    """`allow`, `hold` or `deny`, as records and rules write it."""
    return type(verdict).__name__.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a rule in `mode: observe` would have done."""

    rule_id: str
    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a decision may rest on."""

    principal: Principal
    session: Session | None
    action: Action
    findings: tuple[Finding, ...] = ()
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the rules said of one Action.

    Attributes:
        verdict: The answer.
        record: How much is kept of the exchange.
        policy_version: Digest of the rules in force.
        mode: `enforce`, or `observe` where global observe let it pass.
        observed: What observing rules would have done.
        redact: By entity type, the method that rules name for findings: of several the strictest.
        restore: Entity types whose surrogates are put back into this tool call's input.
    """

    verdict: Verdict
    record: RecordMode = RecordMode.FULL
    policy_version: str = ""
    mode: str = "enforce"
    observed: tuple[Observation, ...] = ()
    redact: Mapping[str, str] = field(default_factory=dict[str, str])
    restore: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRef:
    """Content by reference: what the envelope holds instead of what was typed or seen.

    Attributes:
        scope: The keyed store it lies in; one salt, erased together.
        hash: BLAKE2b-256 of all its bytes, keyed with the scope's salt (RFC 7693), hex.
        size: Bytes before encoding.
        encoding: `utf8`, or `base64` where the bytes are not UTF-8.
        blocks: Numbers of its blocks in the scope, in order, as ranges: `0-57,60`.
    """

    scope: str
    hash: str
    size: int
    encoding: str
    blocks: str

    def as_json(self) -> dict[str, str | int]:
        """The reference as it stands in an envelope."""
        return {
            "scope": self.scope,
            "hash": self.hash,
            "size": self.size,
            "enc": self.encoding,
            "blocks": self.blocks,
        }
