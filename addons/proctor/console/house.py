"""What the console's pages and its API stand on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from proctor.approval.desk import Desk
from proctor.approval.settings import RolesSettings
from proctor.budgets.settings import BudgetSettings
from proctor.evidence.upkeep import Upkeep
from proctor.mcp.pins import Pins
from proctor.policy.engine import Policy
from proctor.replay.sending import Replayer
from proctor.settings import ConsoleSettings, IssuerSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The parts of one gateway that people look at.

    Attributes:
        desk: Approvals, grants and kills.
        policy: The rules in force now.
        record: The folder of the record.
        settings: `console` in proctor.yaml.
        issuer: The settings of `console.issuer`; None where nobody can sign in with one.
        roles: Who may do what.
        state: The folder proctor keeps its own things in.
        address: Where people reach the console, such as `http://127.0.0.1:9090`.
        clock: The time, UTC.
        dev: `proctor run --dev`: local issuers may decide, and every page says so.
        lacking: What keeps the gateway from taking traffic.
        pins: The tools of MCP servers; None where no listener speaks MCP.
        upkeep: Who looks after the record; None where nobody does.
        replayer: Sends recorded sessions again; None where nothing can be.
        rules: The folder of the rules in force; None where there is none.
        budgets: How much may be used.
    """

    desk: Desk
    policy: Callable[[], Policy]
    record: Path
    settings: ConsoleSettings
    issuer: IssuerSettings | None
    roles: RolesSettings
    state: Path
    address: str
    clock: Callable[[], datetime]
    dev: bool
    lacking: Callable[[], Sequence[str]]
    pins: Pins | None = None
    upkeep: Upkeep | None = None
    replayer: Replayer | None = None
    rules: Path | None = None
    budgets: Sequence[BudgetSettings] = ()
