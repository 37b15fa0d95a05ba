"""What stands behind a listener for PostgreSQL, handed to each of its connections."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from proctor.approval.model import Part
from proctor.credentials.echo import Values
from proctor.gate import Gate
from proctor.model import Principal
from proctor.novelty.baseline import Baseline
from proctor.postgres.figures import Figures
from proctor.postgres.masking.masks import Masks
from proctor.postgres.settings import PostgresListener
from proctor.postgres.statements import Context, Judged, Judgement
from proctor.protocols.postgres.messages import Bind
from proctor.redaction.screen import Screen

type Expects = Callable[[Principal, str, Judgement, Context], Awaitable[float | None]]
type Evidence = Callable[[Principal, Judged, int, Bind | None], Awaitable[tuple[Part, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """For one listener, in one process.

    Attributes:
        gate: Decides and records.
        listener: As configured.
        screen: Finds and takes out what must not be recorded; None where all may.
        masks: Of a database, as this principal's login sees it; None where nothing is masked.
        reviewers: Groups whose members may accept what no rule foresaw.
        evidence: What is known of what a statement would do, as parts of a card; None where
            nothing is tried.
        baseline: What is usual for whom; None where nothing is learned.
        expects: How many rows a statement would bring, in a database; None where nobody asks.
        known: Credentials of ours, which no client may read in an answer.
        sealing: The key for what is hidden on cards.
        limit: Bytes of the longest message that is taken.
        now: The time, UTC.
        clock: Monotonic, seconds.
        figures: What is counted.
    """

    gate: Gate
    listener: PostgresListener
    screen: Screen | None
    masks: Callable[[Principal, str], Masks | None]
    reviewers: tuple[str, ...]
    evidence: Evidence | None = None
    baseline: Baseline | None = None
    expects: Expects | None = None
    known: Callable[[], tuple[Values, ...]] = tuple
    sealing: bytes = field(repr=False)
    limit: int
    now: Callable[[], datetime]
    clock: Callable[[], float]
    figures: Figures = field(default_factory=Figures)
