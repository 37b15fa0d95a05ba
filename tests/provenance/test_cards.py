"""What a reviewer is told."""

from datetime import timedelta

from proctor.approval.model import Card
from proctor.provenance.cards import ORIGIN, with_origins
from proctor.provenance.memory import Origin, Source
from tests.support.desks import NOW

CARD = Card(title="Bash", summary="x", parts=())


def origin(score: float) -> Origin:
    source = Source(
        name="WebFetch of a.test/b",
        flow_id="f1",
        session="s",
        at=NOW,
        score=score,
        signs=("hidden",),
    )
    return Origin(argument="input.command", kind="host", source=source)


def test_nothing_is_said_of_what_came_from_nowhere() -> None:
    assert with_origins(CARD, (), NOW) is CARD


def test_it_stands_first() -> None:
    (part,) = with_origins(CARD, (origin(0.9),), NOW + timedelta(seconds=5)).parts
    assert part.name == ORIGIN
    assert "input.command: its host came from WebFetch of a.test/b, 5 seconds before" in part.text
    assert "exchange f1" in part.text
    assert "0.90 of 1" in part.text
    assert "hidden: Words that a page would not show" in part.text
    assert "prompt injection" not in with_origins(CARD, (origin(0),), NOW).parts[0].text
