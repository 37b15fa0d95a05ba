"""What is asked of humans, and what they answer, as frozen dataclasses.

An Approval is bound to one action's digest, to the policy version in which it was held, to a nonce
and to an absolute end. A Grant lets a shape of actions of one rule pass for a while. A Kill ends
what runs and refuses what is new.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from proctor.errors import ClientError
from proctor.model import ActionKind, ApprovalTerms


class State(StrEnum):
    """Where an approval stands; `lifecycle` has the table of what may follow what."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    USED = "used"


class Origin(StrEnum):
    """What asked for it."""

    HOLD = "hold"
    APPEAL = "appeal"  # of a denial; for the retry
    GRANT = "grant"  # access asked for beforehand


class Role(StrEnum):
    """What a person may do to proctor itself; groups have roles, in proctor.yaml."""

    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    ADMIN = "admin"
    BREAK_GLASS = "break_glass"
    REVEAL = "reveal"


class Via(StrEnum):
    """How a person came to decide."""

    CONSOLE = "console"
    CLI = "cli"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    SLACK = "slack"
    UI = "ui"  # mitmproxy or mitmweb


def identities(*names: str | None) -> frozenset[str]:
    """The names by which one human is known, so that two of them can be told to be the same.

    Compared without case and in Unicode's NFKC: whoever shares one name is the same person. That
    two people share one by accident refuses a decision; the other mistake would let one decide
    twice.
    """
    return frozenset(
        unicodedata.normalize("NFKC", name).casefold().strip() for name in names if name
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """A human who has signed in for the console's own audience.

    Attributes:
        issuer: `iss` of the sign-in.
        subject: `sub`.
        human: The claim by which the issuer names people, or None.
        name: To be shown; never compared.
        groups: As the issuer gives them.
        roles: By those groups.
        signed_in_at: `auth_time` (OpenID Connect Core 2).
        via: How the decision comes.
    """

    issuer: str
    subject: str
    human: str | None = None
    name: str = ""
    groups: tuple[str, ...] = ()
    roles: frozenset[Role] = frozenset()
    signed_in_at: datetime
    via: Via = Via.CONSOLE

    @property
    def key(self) -> str:
        """The one string that stands for this sign-in, as `Principal.key`."""
        return f"{self.issuer}#{self.subject}"

    @property
    def identities(self) -> frozenset[str]:
        """The names by which this human is known."""
        return identities(self.subject, self.human)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of what a card shows, redacted.

    Attributes:
        name: Such as `command`, `input`, `headers`, `body`, `statement`, `rows`.
        kind: `command`, `sql`, `json`, `text` or `headers`: how it is shown.
        text: What it says.
        cut: Characters that are left out of `text`, 0 if none.
    """

    name: str
    kind: str
    text: str = field(repr=False)
    cut: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A span that will be executed or sent and that the reviewer does not see.

    Attributes:
        type: Entity type, such as `EMAIL_ADDRESS`.
        length: Characters of the real value.
        place: Where it stands, such as `input.command`.
        shown: What stands in its place on the card.
    """

    type: str
    length: int
    place: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a reviewer sees of an action; what is shown is what was hashed, redacted.

    Attributes:
        title: Such as `Bash` or `POST https://api.internal/v1/orders`.
        summary: One line, such as the command.
        parts: What exactly.
        hidden: What of it is not seen.
        findings: Types and places of what was found, never values.
        prompt: What the human asked the agent last, redacted; "" if unknown.
        tool_use_id: The model's name for the call, "" if it is none.
    """

    title: str
    summary: str
    parts: tuple[Part, ...] = ()
    hidden: tuple[Hidden, ...] = ()
    findings: tuple[tuple[str, str], ...] = ()
    prompt: str = field(default="", repr=False)
    tool_use_id: str = ""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who sees an approval, besides those who see all.

    Attributes:
        groups: Their reviewers decide it.
        own: The names of whoever asked.
    """

    groups: frozenset[str]
    own: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a door asks of humans: one held action.

    Attributes:
        origin: What asked for it.
        kind: Of the action.
        listener: It came through.
        digest: The action's.
        target: What it is done to.
        shape: Actions of one shape are alike to a human, such as `Bash(rm)`.
        pattern: What a grant for just this would say.
        principal: `Principal.key`.
        subject: `sub`.
        human: The person behind a bot, or None.
        groups: Of the principal.
        session: The client's own name for its run, or None.
        session_started: When that began.
        flow_id: The exchange.
        prompt: Digest of the question in which it was asked, so that a retry of the same question
            meets the same answer; "" for none.
        demands: What every holding rule asks; all must be met.
        policy_version: Digest of the rules that held it.
        ttl: The absolute end, counted from now.
        card: What is shown.
        sealed: The hidden spans' values, encrypted with the installation's key; b"" if none.
        for_: How long the grant is to hold that is asked for; None unless `origin` is GRANT.
        reason: The requester's own words; "" unless they asked for it themselves.
        uses: How often the grant may be used that is asked for; None for any number.
    """

    origin: Origin = Origin.HOLD
    kind: ActionKind
    listener: str
    digest: str
    target: str
    shape: str
    pattern: str
    principal: str
    subject: str
    human: str | None = None
    groups: tuple[str, ...] = ()
    session: str | None = None
    session_started: datetime | None = None
    flow_id: str = ""
    prompt: str = ""
    demands: tuple[ApprovalTerms, ...]
    policy_version: str
    ttl: timedelta
    card: Card
    sealed: bytes = field(default=b"", repr=False)
    for_: timedelta | None = None
    reason: str = ""
    uses: int | None = None

    @property
    def identities(self) -> frozenset[str]:
        """The names of whoever asks: they never decide it."""
        return identities(self.subject, self.human)

    @property
    def audience(self) -> Audience:
        """Who sees it."""
        groups = frozenset(group for terms in self.demands for group in terms.from_groups)
        return Audience(groups, self.identities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """What one human said of one approval."""

    reviewer: str  # Reviewer.key
    identities: frozenset[str]
    name: str
    groups: tuple[str, ...]
    approve: bool
    reason: str
    at: datetime
    via: Via
    break_glass: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Humans' answer to one held action, under way or given.

    Attributes:
        id: `ap_` and 16 letters; a name, no secret.
        asking: What was asked.
        nonce: Random; bound into every use.
        state: Where it stands.
        requested_at: When.
        expires_at: Its absolute end.
        votes: What humans said, in order; one for each human.
        decided_at: When it left `pending`, or None.
        by: Who brought it into this state: `Reviewer.key`s joined by a space, or `proctor`.
        reason: In their words.
        waiting: A client is waiting for it right now.
        break_glass: It was approved by breaking the glass.
        reviewed_by: Who looked at that afterwards; "" if nobody has.
        grant_id: The grant that came of it; "" if none.
    """

    id: str
    asking: Asking
    nonce: str
    state: State
    requested_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = ()
    decided_at: datetime | None = None
    by: str = ""
    reason: str = ""
    waiting: bool = True
    break_glass: bool = False
    reviewed_by: str = ""
    grant_id: str = ""

    @property
    def unreviewed(self) -> bool:
        """Whether the glass was broken for it, and nobody has looked at that."""
        return self.break_glass and not self.reviewed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """An approval for a shape of actions of one rule, for one principal, until an absolute end.

    Attributes:
        id: `gr_` and 16 letters.
        rule_id: The holding rule that it satisfies; no other.
        principal: `Principal.key` of whom it is for.
        kind: Of the actions.
        pattern: For `llm.tool_use` Claude Code's permission syntax, every sub-command of which has
            to match; for others the target, `*` for any run of characters.
        uses: How often it may be used; None for any number.
        used: How often it was.
        created_at: When.
        expires_at: Its end.
        by: `Reviewer.key`s of who gave it.
        reason: In their words.
        approval_id: The approval it came of.
        revoked_at: When it was taken back, or None.
        revoked_by: Who did.
    """

    id: str
    rule_id: str
    principal: str
    kind: ActionKind
    pattern: str
    uses: int | None
    used: int = 0
    created_at: datetime
    expires_at: datetime
    by: str
    reason: str
    approval_id: str
    revoked_at: datetime | None = None
    revoked_by: str = ""

    def open(self, now: datetime) -> bool:
        """Whether it still lets anything pass."""
        left = self.uses is None or self.used < self.uses
        return self.revoked_at is None and now < self.expires_at and left


class KillScope(StrEnum):
    """What a kill ends."""

    SESSION = "session"
    PRINCIPAL = "principal"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Whatever runs in this scope was ended, and what is new is refused until it is lifted.

    Attributes:
        id: `ki_` and 16 letters.
        scope: What.
        target: The session's name, or `Principal.key`, subject or human; "" for all.
        by: `Reviewer.key`.
        reason: In their words.
        at: When.
        lifted_at: When that ended, or None.
        lifted_by: Who ended it.
    """

    id: str
    scope: KillScope
    target: str
    by: str
    reason: str
    at: datetime
    lifted_at: datetime | None = None
    lifted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change in the store, in order; what a follower reads, and what is put on record.

    Attributes:
        seq: Ascending; gaps are harmless.
        subject: `approval`, `grant` or `kill`.
        id: Of it.
        state: An approval's state after the change, or a word: `voted`, `waiting`, `gone`,
            `granted`, `used`, `revoked`, `killed`, `lifted`, `revealed`, `reviewed`.
        by: Who.
        reason: In their words.
        at: When.
        detail: What else the record says.
    """

    seq: int
    subject: str
    id: str
    state: str
    by: str
    reason: str
    at: datetime
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(slots=True, eq=False)
class ApprovalError(ClientError):
    """Something that is not possible with an approval, a grant or a kill.

    Codes: `approval-unknown` (404), `approval-state` (409: it is not pending, or used),
    `approval-not-yours` (403: the requester's own), `approval-twice` (409: this human has voted),
    `approval-group` (403: not in `from`), `approval-role` (403), `approval-reason` (400: words are
    needed), `grant-too-wide` (403), `grant-unknown` (404), `kill-unknown` (404),
    `approvals-unavailable` (503: the store cannot be used).
    """

    status: int = 409
