"""Texts redacted while they come."""

import base64
import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.redaction.holdback import KEY_CAP, Phrases
from proctor.redaction.model import PASSWORD, Budget, RedactionError, Spot
from proctor.redaction.stream import HELD_TOO_LONG, TextStream
from tests.redaction.planted import (
    CARD,
    KEY,
    KINDS,
    MAIL,
    NAMED,
    PHRASE,
    TOKEN,
    VALUES,
    SmallDetector,
    budget,
    made,
    redacted,
)

ALL = "\n".join(KINDS.values())


def stream(**options: object) -> TextStream:
    return TextStream(SmallDetector(), budget_for=budget, **options)  # type: ignore[arg-type]  # any of them


def fed(text: str, cuts: Iterable[int] = (), under: TextStream | None = None) -> str:
    under = under or stream()
    at = [0, *cuts, len(text)]
    out = "".join(under.feed(text[a:b]) for a, b in pairwise(at))
    out += under.finish()
    assert under.late == 0
    assert under.looked == len(text)
    return out


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_cut_anywhere_nothing_leaks_and_nothing_changes(text: str) -> None:
    whole = redacted(text)
    assert whole != text
    assert fed(text) == whole
    for step in (1, 2, 3, 4, 7, 50):
        assert fed(text, range(step, len(text), step)) == whole
    for cut in range(len(text)):
        assert fed(text, [cut]) == whole


@pytest.mark.parametrize("text", KINDS.values(), ids=KINDS)
def test_nothing_of_a_value_is_let_go_before_its_end(text: str) -> None:
    whole = redacted(text)
    for end in range(len(text)):
        under = stream()
        assert whole.startswith("".join(under.feed(text[i]) for i in range(end)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=8),
    st.sampled_from(["\n", " and\n", "\n\nAs said. "]),
    st.lists(st.integers(0, 4000), max_size=30),
)
def test_several_values_at_any_cuts(kinds: list[str], between: str, cuts: list[int]) -> None:
    text = between.join(KINDS[kind] for kind in kinds)
    out = fed(text, sorted(min(cut, len(text)) for cut in cuts))
    assert out == fed(text, range(1, len(text)))
    assert not [value for value in VALUES if value in out]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_what_holds_nothing_stays_as_it_is(text: str, cuts: list[int]) -> None:
    if redacted(text) == text:
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        assert fed(text, sorted(min(cut, len(text)) for cut in cuts)) == joined


def test_spots_stand_where_they_are_in_the_whole_text() -> None:
    text = "words " * 200 + ALL
    for step in (1, 100, len(text)):
        under = stream()
        fed(text, range(step, len(text), step), under)
        for spot in under.spots:
            assert text[spot.start : spot.end] == spot.value
        assert len(under.spots) == len(KINDS)


def test_ordinary_text_is_held_for_a_few_characters() -> None:
    text = "The model reads each file, and says in plain words what it does (as of 2026). " * 40
    under, held = stream(), []
    for at in range(0, len(text), 4):
        under.feed(text[at : at + 4])
        held.append(under.held)
    held.sort()
    assert held[len(held) * 95 // 100] <= 24
    assert stream().feed("Hello there") == "Hello "  # the first word is not made to wait


def test_a_look_is_not_taken_for_every_piece() -> None:
    detector = SmallDetector()
    under = TextStream(detector, budget_for=budget)
    for _ in range(1000):
        under.feed("it is ")
    assert detector.scans <= 500  # every other piece
    assert detector.scanned < detector.scans * 300


@pytest.mark.parametrize("step", [1, 4, 1000])
def test_a_token_without_end_is_taken_out_up_to_its_end(step: int) -> None:
    text = f"so {made(9000)} it is"
    under = stream(cap=4096)
    out = fed(text, range(step, len(text), step), under)
    assert out == "so <SECRET> it is"
    assert [spot.detector for spot in under.spots] == [HELD_TOO_LONG]
    assert text[under.spots[0].end :] or step > 1
    after = fed(f"{text} and {MAIL} too", range(step, 9100, step), stream(cap=4096))
    assert after == "so <SECRET> it is and <EMAIL_ADDRESS> too"


def test_a_token_that_never_ends_holds_no_more_than_its_cap() -> None:
    under = stream(cap=4096)
    out = "".join(under.feed(made(1) * 40) for _ in range(2000))
    assert out == "<SECRET>"
    assert under.held == 0
    assert under.finish() == ""


def test_long_lines_without_white_space_pass() -> None:
    text = "[" + ",".join(f'{{"id":{i},"kind":"text"}}' for i in range(400)) + "]"
    assert fed(text, range(4, len(text), 4)) == text
    text = "\u4e2d\u6587" * 3000
    assert fed(text, range(4, len(text), 4)) == text


def test_a_private_key_without_end_stays_swallowed() -> None:
    text = f"Here:\n{KEY[:-20]}\nmore and more"
    for step in (1, 7, 10_000):
        assert fed(text, range(step, len(text), step)) == "Here:\n<PRIVATE_KEY>"


def test_a_private_key_that_is_too_long_is_taken_out_up_to_its_end() -> None:
    start, end = KEY.split("\n")[0], KEY.split("\n")[-1]
    body = "\n".join([made(64)] * 1500)
    assert len(body) > KEY_CAP
    text = f"Here:\n{start}\n{body}\n{end}\nThen {MAIL} wrote"
    for step in (11, 500):
        out = fed(text, range(step, len(text), step))
        assert out == "Here:\n<PRIVATE_KEY>\nThen <EMAIL_ADDRESS> wrote"
    under = stream()
    assert "".join(under.feed(f"{start}\n{body}"[i : i + 50]) for i in range(0, 97000, 50)) == (
        "<PRIVATE_KEY>"
    )
    assert under.held < 200


def test_a_mark_that_is_only_spoken_of_does_not_end_the_text() -> None:
    start = KEY.split("\n")[0]
    text = f"Such a file begins with `{start}` and its end is marked likewise. " + "It is so. " * 80
    assert fed(text, range(4, len(text), 4)) == text


def test_a_wrapped_encoding_without_end_is_bounded() -> None:
    line = base64.b64encode(made(45).encode()).decode() + "\n"
    under = stream()
    for _ in range(KEY_CAP // len(line) * 2):
        under.feed(line)
        assert under.held <= KEY_CAP + 100


def test_digits_without_end_are_looked_at_and_pass() -> None:
    text = "12 " * 20_000
    under = stream()
    for at in range(0, len(text), 50):
        under.feed(text[at : at + 50])
        assert under.held < 200


def test_halves_of_a_letter_in_two_pieces_become_one() -> None:
    under = stream()
    out = under.feed("so \ud83d") + under.feed("\ude00 it is") + under.finish()
    assert out == "so \U0001f600 it is"
    lone = stream()
    assert lone.feed("so \ud83d it ") + lone.finish() == "so \ud83d it "


def test_a_secret_that_comes_again_is_taken_out_again() -> None:
    text = f'password = "{PHRASE}"\nSo type {PHRASE} there, or {PHRASE}.'
    for step in (1, 4, 1000):
        assert PHRASE.split()[-1] not in fed(text, range(step, len(text), step))
    repeats: dict[str, Spot] = {}
    fed(f"DB_PASSWORD={NAMED}\n", under=stream(repeats=repeats))
    text = f"Now {NAMED} it is"
    other = stream(repeats=repeats)
    assert fed(text, range(1, len(text)), other) == "Now <PASSWORD> it is"


def test_a_secret_that_comes_too_often_is_an_error() -> None:
    under = TextStream(SmallDetector(), budget_for=lambda: Budget(1.0, 100, lambda: 0.0))
    with pytest.raises(RedactionError) as error:
        under.feed(f"DB_PASSWORD={NAMED}\n" + f"{NAMED} " * 200)
    assert error.value.code == "redaction-hits"


def test_a_key_without_end_takes_what_reaches_into_it() -> None:
    class Wide(SmallDetector):
        def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
            at = text.find("wide")
            return (Spot(at, at + 20, "WIDE", "test", 1.0, ""),) if at >= 0 else ()

    under = TextStream(Wide(), budget_for=budget)
    assert fed(f"It is wide\n{KEY[:-20]}", under=under) == "It is <PRIVATE_KEY>"


def test_known_phrases_are_held_until_they_are_whole() -> None:
    class Named(SmallDetector):
        def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
            at = text.find("Blue Falcon Nine")
            return (Spot(at, at + 16, "PROJECT", "test", 1.0, ""),) if at >= 0 else ()

    text = "As to Blue Falcon Nine and Blue Falcon and more"
    for cut in range(len(text)):
        under = TextStream(Named(), budget_for=budget, phrases=Phrases(["Blue Falcon Nine"]))
        assert fed(text, [cut], under) == "As to <PROJECT> and Blue Falcon and more"


def test_what_begins_in_text_let_go_is_taken_out_as_far_as_it_can() -> None:
    class Late(SmallDetector):
        def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
            at = text.find("one two")
            return (Spot(at, at + 7, "PAIR", "test", 1.0, ""),) if at >= 0 else ()

    under = TextStream(Late(), budget_for=budget)
    out = under.feed("so one and one as all the words so one ") + under.feed("two, then ")
    assert under.late == 0
    assert "one" in out
    out += under.finish()
    assert under.late == 1
    assert "two" not in out


def test_an_error_of_the_detector_is_an_error() -> None:
    class Broken(SmallDetector):
        def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
            raise RedactionError("redaction-detector", "it broke")

    with pytest.raises(RedactionError):
        TextStream(Broken(), budget_for=budget).feed("some words of it")
    late = TextStream(SmallDetector(), budget_for=lambda: Budget(-1.0, 1, lambda: 0.0))
    with pytest.raises(RedactionError) as error:
        late.feed("some words of it")
    assert error.value.code == "redaction-budget"


def test_what_takes_a_place_is_made_by_the_caller() -> None:
    under = TextStream(SmallDetector(), lambda spot: f"[{spot.value[-4:]}]", budget_for=budget)
    assert fed(f"paid with {CARD}, fine", [15], under) == "paid with [1111], fine"
    pieces = stream().pieces(f"a {TOKEN} is good\nfor you all")
    assert [p if isinstance(p, str) else p.text for p in pieces][:2] == ["a ", TOKEN]
    assert TOKEN not in repr([p.spot for p in pieces if not isinstance(p, str)])


ROWS = [(made(3), made(12)) for _ in range(40)]
TABLES = {
    "csv": "user,password\n" + "".join(f"{user},{value}\n" for user, value in ROWS),
    "markdown": "| user | password |\n|---|---|\n"
    + "".join(f"| {user} | {value} |\n" for user, value in ROWS),
    "codes": "Recovery codes:\n" + "".join(f"{value}\n" for _, value in ROWS),
}


class TableDetector(SmallDetector):
    """Finds values only under their heading, in whole rows."""

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        spots: list[Spot] = []
        for heading in re.finditer(r"(?m)^(?:.*password.*|Recovery codes:)\n", text):
            at = heading.end()
            for line in text[at:].splitlines(keepends=True):
                value = re.match(r"(?:\w+,|\| \w+ \| )?(\w{12})(?: \|)?\n", line)
                if value:
                    start, end = at + value.start(1), at + value.end(1)
                    spots.append(Spot(start, end, PASSWORD, "test:table", 0.9, text[start:end]))
                elif "---" not in line:
                    break
                at += len(line)
        return tuple(spots)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("size", [1, 4, 7, 300])
def test_rows_far_below_their_heading(kind: str, size: int) -> None:
    text = f"Here:\n{TABLES[kind]}\nThat, or this, is all: nothing_waits here"
    under = TextStream(TableDetector(), budget_for=budget)
    cuts = list(range(size, len(text), size))
    out = fed(text, cuts, under)
    assert [value for _, value in ROWS if value in out] == []
    assert out.count("<PASSWORD>") == len(ROWS)
    assert out.endswith("\n\nThat, or this, is all: nothing_waits here")


class WholeSentences:
    """Knows a name by the whole sentence, as a language model does."""

    version = "1"
    detectors = ("names",)

    def scan(self, text: str, budget: Budget) -> tuple[Spot, ...]:
        return tuple(
            Spot(*match.span(1), "PERSON", "names", 0.85, match[1])
            for match in re.finditer(r"(Jane Roe) is [^.]{1,200}\.", text)
        )

    def examine(self, leaves: object, budget: Budget) -> dict[int, tuple[Spot, ...]]:
        raise AssertionError


def test_names_are_looked_for_in_whole_sentences() -> None:
    text = "So it was. Jane Roe is in Berlin until Friday. Jane Roe is there again.\n\nJane left."
    wanted = text.replace("Jane Roe", "<PERSON>")
    for size in range(1, len(text) + 1):
        under = TextStream(WholeSentences(), budget_for=budget, sentences=True)
        assert fed(text, range(size, len(text), size), under) == wanted
        assert under.late == 0
