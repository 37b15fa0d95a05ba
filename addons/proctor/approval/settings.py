"""`roles`, `approvals` and `notifications` in proctor.yaml."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from proctor.approval.model import Role
from proctor.fields import (
    AT_LEAST_ONE,
    Name,
    Seconds,
    SecretSource,
    Settings,
    absolute,
    problem,
)

type Group = Annotated[str, Field(min_length=1, max_length=512)]

SQLITE = "sqlite:///"


class RoleSettings(Settings):
    """The groups whose members have a role."""

    groups: Annotated[tuple[Group, ...], AT_LEAST_ONE]


class RolesSettings(Settings):
    """Who may do what to proctor itself; a role that nobody has is not there.

    Attributes:
        reviewer: Decides held actions, in the groups that a rule names, and sees them.
        auditor: Sees everything, decides nothing.
        admin: Kills, lifts, revokes, and sees everything.
        break_glass: May approve alone what a rule wants others for, with a reason, an alert, and a
            review afterwards.
        reveal: May see, on record, a value that was taken out of a held action.
    """

    reviewer: RoleSettings | None = None
    auditor: RoleSettings | None = None
    admin: RoleSettings | None = None
    break_glass: RoleSettings | None = None
    reveal: RoleSettings | None = None

    def of(self, groups: tuple[str, ...]) -> frozenset[Role]:
        """The roles of somebody in these groups."""
        return frozenset(
            role
            for role in Role
            if (named := getattr(self, role.value)) and not set(groups).isdisjoint(named.groups)
        )


def _store(value: object, info: ValidationInfo) -> object:
    if isinstance(value, Path):
        return value
    text = value if isinstance(value, str) else ""
    if text.startswith(("postgresql://", "postgres://")):
        raise problem(
            "not-available",
            "A PostgreSQL store of approvals is not available in this version",
            expected="sqlite:///FILE",
        )
    if not text.startswith(SQLITE) or len(text) == len(SQLITE):
        raise ValueError("sqlite:///FILE")
    return absolute(text.removeprefix(SQLITE), info)


class ApprovalSettings(Settings):
    """Where what is held is kept.

    Attributes:
        store: `sqlite:///FILE`, shared by all gateways on this machine.
        keep: How long what is settled stays in the store, seconds; the record keeps it for good.
    """

    store: Annotated[Path, BeforeValidator(_store)] = Field(
        default="sqlite:///recordings/approvals.db", validate_default=True
    )
    keep: Seconds = 2592000.0


class NotifierSettings(Settings):
    """Somebody to be told.

    Attributes:
        name: As the log and `proctor doctor` call it.
        kind: `slack`, `teams`, `jira`, or `webhook` for plain JSON (Standard Webhooks).
        url: Where to; for Jira the site, such as https://jira.internal. It may hold a secret, as
            Slack's and Teams' do, so it comes from outside this file.
        secret: What messages are signed with; for Slack the app's signing secret, by which buttons
            are believed; for Jira the API token.
        user: For Jira, whose token that is; left out where it is a personal access token.
        project: For Jira, the project's key.
        issue_type: For Jira, such as Task.
        done: For Jira, the name of the transition that closes a ticket.
        users: For Slack, whose button counts: Slack's user id → `sub` at `console.issuer`. They
            must have signed in to the console lately, too.
        on: What it is told of; `canary` is that a value of `proctor canary` was seen.
        groups: Only what these groups may decide; empty for everything. Kills and canaries are told
            in any case.
    """

    name: Name
    kind: Literal["slack", "teams", "jira", "webhook"]
    url: SecretSource
    secret: SecretSource | None = None
    user: str | None = Field(default=None, min_length=1, max_length=320)
    project: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]{0,49}$")
    issue_type: str = Field(default="Task", min_length=1, max_length=100)
    done: str = Field(default="Done", min_length=1, max_length=100)
    users: dict[str, str] = Field(default={})
    on: Annotated[
        tuple[Literal["pending", "settled", "break_glass", "kill", "grant", "canary"], ...],
        AT_LEAST_ONE,
    ] = ("pending", "settled", "break_glass", "kill", "grant", "canary")
    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in {"webhook", "jira"} and self.secret is None:
            raise problem(
                "missing-key", f"A {self.kind} notification needs a `secret`", key="secret"
            )
        if self.kind == "jira" and self.project is None:
            raise problem("missing-key", "A jira notification needs a `project`", key="project")
        if self.users and (self.kind != "slack" or self.secret is None):
            raise problem(
                "wrong-value", "`users` is for Slack, and needs its signing `secret`", key="users"
            )
        return self
