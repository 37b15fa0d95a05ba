"""What becomes of a pin, sighting by sighting and decision by decision."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.mcp.model import (
    MAX_EARLIER,
    MAX_NAME,
    Pin,
    PinChange,
    Sighting,
    Standing,
    accepted,
    is_name,
    rejected,
    sighted,
)
from proctor.protocols.mcp.suspicion import Sign

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BOB = "https://idp.example#bob"


def seen(digest: str, score: float = 0.0, *, kept: bool = True) -> Sighting:
    return Sighting(
        server="jira",
        tool="search",
        digest=digest,
        text=json.dumps({"digest": digest}) if kept else "",
        signs=(Sign(name="s", place="p", explanation="e", score=score),) if score else (),
        at=NOW,
    )


@pytest.mark.parametrize(
    ("score", "standing"),
    [(0.0, Standing.SAME), (0.49, Standing.SAME), (0.5, Standing.SUSPICIOUS)],
)
def test_first_sight(score: float, standing: Standing) -> None:
    pin = sighted(None, seen("a", score))
    assert (pin.standing, pin.open) == (standing, standing is not Standing.SAME)
    assert pin.definition == ({} if pin.open else {"digest": "a"})
    assert sighted(pin, seen("a")) is pin


def test_earlier_ones_stay_accepted_but_not_for_ever() -> None:
    pin = sighted(None, seen("0"))
    for number in range(1, MAX_EARLIER + 3):
        pin = accepted(sighted(pin, seen(str(number))), str(number), BOB, "", NOW)
    assert (len(pin.earlier), pin.earlier[0]) == (MAX_EARLIER, str(MAX_EARLIER + 1))
    assert not sighted(pin, seen("2")).open
    assert sighted(pin, seen("1")).standing is Standing.CHANGED


def test_taking_back_leaves_nothing_accepted() -> None:
    pin = accepted(sighted(sighted(None, seen("a")), seen("b")), "b", BOB, "Fine.", NOW)
    pin = rejected(pin, BOB, "No.", LATER)
    assert (pin.by, pin.reason, pin.decided_at) == (BOB, "No.", LATER)
    for digest in ("a", "b", "c"):
        assert sighted(pin, seen(digest)).standing is Standing.SUSPICIOUS


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("see"), st.sampled_from("abc"), st.sampled_from((0.0, 0.9))),
            st.tuples(st.just("lose"), st.sampled_from("abc"), st.just(0.0)),
            st.tuples(st.just("accept"), st.sampled_from("abc"), st.just(0.0)),
            st.tuples(st.just("reject"), st.just(""), st.just(0.0)),
        ),
        max_size=12,
    )
)
def test_nothing_passes_that_was_not_accepted(steps: list[tuple[str, str, float]]) -> None:
    pin: Pin | None = None
    fine: set[str] = set()
    for what, digest, score in steps:
        if what in {"see", "lose"}:
            first = pin is None
            pin = sighted(pin, seen(digest, score, kept=what == "see"))
            if first and not score:
                fine.add(digest)
        elif pin is not None and what == "accept":
            try:
                pin = accepted(pin, digest, BOB, "", NOW)
            except ClientError as error:
                assert error.code == ("pin-outdated" if pin.kept else "pin-unkept")  # noqa: PT017 - either may be right
            else:
                assert pin.seen == digest
                fine.add(digest)
        elif pin is not None:
            pin = rejected(pin, BOB, "", NOW)
            fine.clear()
        if pin is not None:
            assert pin.open is (pin.seen not in fine)
            assert (pin.standing is Standing.SAME) is not pin.open


def test_a_repr_holds_nothing_that_a_server_or_a_person_wrote() -> None:
    pin = accepted(sighted(sighted(None, seen("a")), seen("secret")), "secret", BOB, "words", NOW)
    assert '"digest"' not in repr((pin, seen("a")))
    assert "words" not in repr(pin)
    assert "hidden" not in repr(PinChange(kind="k", server="s", tool="t", diff="hidden"))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("search", True),
        ("a/b.c-d", True),
        ("é\u202e", True),
        ("...", True),
        ("x" * MAX_NAME, True),
        ("x" * (MAX_NAME + 1), False),
        ("", False),
        ("..", False),
        ("a/../b", False),
        ("a\udfff", False),
        (None, False),
        (b"a", False),
    ],
)
def test_names(name: object, *, fits: bool) -> None:
    assert is_name(name) is fits
