"""What a reviewer sees of a statement that waits."""

from typing import TYPE_CHECKING

from proctor.approval.cards import seal, sql_card
from proctor.approval.grants import suggest
from proctor.approval.holder import Held
from proctor.approval.model import Part
from proctor.model import Finding
from proctor.postgres.house import House
from proctor.postgres.statements import Judged
from proctor.protocols.postgres.messages import Bind
from proctor.provenance.cards import with_origins
from proctor.record import Ruling

if TYPE_CHECKING:
    from proctor.postgres.judge import Judge


async def held_statement(  # noqa: PLR0913 - what is held
    house: House,
    judge: "Judge",
    judged: Judged,
    at: int,
    ruling: Ruling,
    *,
    parameters: bytes,
    findings: tuple[Finding, ...],
    bind: Bind | None,
    flow_id: str,
) -> Held:
    """A statement as it is held.

    Args:
        house: What stands behind the connection.
        judge: Knows whose it is.
        judged: The text it stands in.
        at: Which of its statements.
        ruling: What the rules said.
        parameters: As they may be shown.
        findings: What was found in them.
        bind: Them as they are; None for none.
        flow_id: Of the connection.
    """
    action = ruling.actions[at]
    evidence = await house.evidence(judge.principal, judged, at, bind) if house.evidence else ()
    new = judge.weighing.look(judged.statements[at])
    if new is not None and new.words:
        evidence = (Part(name="new", kind="text", text=new.words), *evidence)
    card, values = sql_card(
        action=action,
        sql=judged.kept.decode(judged.context.encoding, "backslashreplace"),
        real=judged.text.decode(judged.context.encoding, "backslashreplace"),
        parameters=parameters.decode("utf-8", "backslashreplace"),
        evidence=evidence,
        findings=(*judged.findings, *findings),
    )
    card = with_origins(card, judge.weighing.origins(action), house.now())
    shape, pattern = suggest(action, hidden=bool(card.hidden))
    return Held(
        principal=judge.principal,
        session=judge.session,
        action=action,
        digest=ruling.digests[at],
        decision=ruling.decisions[at],
        findings=(*judged.findings, *findings),
        card=card,
        sealed=seal(values, house.sealing),
        shape=shape,
        pattern=pattern,
        flow_id=flow_id,
    )
