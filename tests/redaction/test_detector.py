"""The detector over an analyzer that is easy to foresee."""

import base64
import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.allow import AllowList
from proctor.redaction.detector import TextDetector
from proctor.redaction.model import API_KEY, PASSWORD, Budget, Leaf, RedactionError, Spot
from tests.redaction.reading import KEY, MAIL, PASS, SPELLINGS, Analyzer, ample

FILLER = "and some words that say nothing at all "


def detector(**options: AllowList | int) -> TextDetector:
    return TextDetector(Analyzer(), **options)  # type: ignore[arg-type]  # as given


def places(spots: tuple[Spot, ...]) -> list[tuple[int, int, str, str]]:
    return [(spot.start, spot.end, spot.type, spot.value) for spot in spots]


def test_what_stands_there_is_found() -> None:
    text = f"write to {MAIL}, use {KEY}."

    assert places(detector().scan(text, ample())) == [
        (9, 9 + len(MAIL), "EMAIL_ADDRESS", MAIL),
        (15 + len(MAIL), 15 + len(MAIL) + len(KEY), API_KEY, KEY),
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("before", ["", FILLER * 10, "größer\n", 'x = "'])
def test_what_is_encoded_is_found_whole(spelling: str, before: str) -> None:
    written = SPELLINGS[spelling](KEY).rstrip("\n")
    text = f"{before}{written}\n{FILLER}"

    spots = detector().scan(text, ample())

    covered = {at for spot in spots for at in range(spot.start, spot.end)}
    shown = range(len(before), len(before) + len(written))
    if spelling == "coloured":
        shown = shown[len("\x1b[1;31m") :]
    assert covered == set(shown)
    assert {spot.type for spot in spots} == {API_KEY}
    if spelling != "base64 in a text" and "wrapped" not in spelling:
        assert KEY in {spot.value for spot in spots}


@pytest.mark.parametrize("text", [KEY, "names", f"{FILLER * 10}{KEY}"])
def test_what_was_seen_is_known_again_however_short(text: str) -> None:
    analyzer = Analyzer()
    it = TextDetector(analyzer)
    first = it.scan(text, ample())
    asked = len(analyzer.texts)
    assert asked
    assert it.scan(text, ample()) == first
    assert len(analyzer.texts) == asked


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_name_is_context_for_what_is_encoded(spelling: str) -> None:
    written = SPELLINGS[spelling](PASS).rstrip("\n")
    text = f'password: "{written}"\n'

    spots = detector().scan(text, ample())

    covered = {at for spot in spots for at in range(spot.start, spot.end)}
    assert covered >= set(range(11, 11 + len(written)))


@given(
    spelling=st.sampled_from(list(SPELLINGS)),
    before=st.text(max_size=120),
    after=st.text(max_size=120),
)
def test_nothing_around_hides_it(spelling: str, before: str, after: str) -> None:
    written = SPELLINGS[spelling](KEY).rstrip("\n")
    text = f"{before} | {written} | {after}"
    start = len(before) + 3

    spots = detector().scan(text, ample())

    assert all(one.end <= two.start for one, two in itertools.pairwise(spots))
    covered = {at for spot in spots for at in range(spot.start, spot.end)}
    shown = range(start + (7 if spelling == "coloured" else 0), start + len(written))
    assert covered >= set(shown)


@given(st.text(max_size=200), st.sampled_from([KEY, MAIL, f'password="{PASS}"']))
def test_the_cache_answers_the_same(around: str, value: str) -> None:
    text = f"{around} {value} {around}" + " " * 100
    cached, plain = detector(), detector(cache_bytes=0)
    first = cached.scan(text, ample())

    assert cached.scan(text, ample()) == first == plain.scan(text, ample())


def test_a_text_seen_before_is_not_looked_at_again() -> None:
    analyzer = Analyzer()
    looking = TextDetector(analyzer)
    text = FILLER * 5 + SPELLINGS["base64"](KEY)

    first = looking.scan(text, ample())
    asked = len(analyzer.texts)

    assert looking.scan(text, ample()) == first
    assert len(analyzer.texts) == asked


def test_redacted_text_has_nothing_in_it() -> None:
    text = f'password = "{PASS}"\nmail: {MAIL}\n{KEY} {SPELLINGS["base64"](KEY)}'
    looking = detector()
    for word in ("<{}>", "<{}:bcdfghjklmnpqrst>", "{}_bcdfghjklmnpqrst"):
        redacted = text
        for spot in reversed(looking.scan(text, ample())):
            redacted = redacted[: spot.start] + word.format(spot.type) + redacted[spot.end :]

        assert PASS not in redacted
        assert looking.scan(redacted, ample()) == ()


def test_a_secret_is_found_wherever_its_value_stands() -> None:
    text = f'password = "{PASS}"\nlogin with {PASS} or ' + SPELLINGS["base64"](f"say {PASS}!")

    spots = detector().scan(text, ample())

    assert [spot.type for spot in spots] == [PASSWORD] * 3
    assert spots[-1].end == len(text)


def test_personal_data_is_not_searched_for_again() -> None:
    assert len(detector().scan(f"{MAIL} x{MAIL}x", ample())) == 1


def test_what_is_allowed_passes() -> None:
    allow = AllowList.parse([MAIL, "/gkp_.*/"])
    text = f"{MAIL} {SPELLINGS['percent'](MAIL)} {KEY} other@corp.io"

    assert [spot.value for spot in detector(allow=allow).scan(text, ample())] == ["other@corp.io"]


def test_the_version_depends_on_analyzer_and_allow_list() -> None:
    other = Analyzer()
    other.version = "two"

    versions = {
        detector().version,
        detector(allow=AllowList.parse(["x"])).version,
        TextDetector(other).version,
    }

    assert len(versions) == 3
    assert detector().version == detector().version
    assert detector().detectors == Analyzer.detectors


def test_leaves_are_known_by_their_names() -> None:
    leaves = [
        Leaf("true", "a", "flag"),
        Leaf(PASS, "b", "password"),
        Leaf(FILLER * 20 + MAIL, "c", "text"),
        Leaf(MAIL, "d", MAIL),
        Leaf(SPELLINGS["base64"](PASS), "e", "db_password"),
        Leaf("nothing", "f", "note"),
    ]

    found = detector().examine(leaves, ample())

    assert {index: places(spots) for index, spots in found.items()} == {
        1: [(0, len(PASS), PASSWORD, PASS)],
        2: [(len(FILLER) * 20, len(FILLER) * 20 + len(MAIL), "EMAIL_ADDRESS", MAIL)],
        3: [(0, len(MAIL), "EMAIL_ADDRESS", MAIL)],
        4: [(0, len(leaves[4].text), PASSWORD, PASS)],
    }


def test_many_leaves_are_found_each_in_its_place() -> None:
    leaves = [
        Leaf(f"user{number}@corp.io {'x' * (number % 90)}", "r", "mail") for number in range(900)
    ]

    found = detector().examine(leaves, ample())

    assert {index: [spot.value for spot in spots] for index, spots in found.items()} == {
        number: [f"user{number}@corp.io"] for number in range(900)
    }


def test_long_leaves_are_looked_at_once() -> None:
    analyzer = Analyzer()
    looking = TextDetector(analyzer)
    history = [Leaf(f"{number} {FILLER * 20}", "m", "text") for number in range(20)]
    looking.examine(history, ample())
    asked = len(analyzer.texts)

    looking.examine([*history, Leaf("a new " + FILLER * 20, "m", "text")], ample())

    assert len(analyzer.texts) == asked + 1


def test_an_exception_of_the_analyzer_is_not_nothing_found() -> None:
    class Broken(Analyzer):
        def analyze(self, text: str, budget: Budget) -> list[Spot]:
            raise RedactionError("redaction-detector", "A detector failed")

    looking = TextDetector(Broken())

    for _ in range(2):
        with pytest.raises(RedactionError):
            looking.scan(FILLER * 5, ample())
        with pytest.raises(RedactionError):
            looking.examine([Leaf(FILLER, "a")], ample())


def test_what_an_unforeseen_exception_holds_is_not_passed_on() -> None:
    class Broken(Analyzer):
        def analyze(self, text: str, budget: Budget) -> list[Spot]:
            raise ValueError(text)

    with pytest.raises(RedactionError) as caught:
        TextDetector(Broken()).scan(KEY, ample())

    assert caught.value.code == "redaction-detector"
    assert caught.value.got == "ValueError"
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None


def test_halves_of_characters_reach_no_detector() -> None:
    analyzer = Analyzer()
    text = f"\ud800 {KEY} \udfff%41 {SPELLINGS['base64'](KEY)}"

    spots = TextDetector(analyzer).scan(text, ample())

    assert [text[spot.start : spot.end] for spot in spots] == [KEY, SPELLINGS["base64"](KEY)]
    assert all(seen.encode() for seen in analyzer.texts)


def test_no_time_and_too_many_hits_are_errors() -> None:
    with pytest.raises(RedactionError) as caught:
        detector().scan(FILLER, Budget(-1.0, 10, lambda: 0.0))
    assert caught.value.code == "redaction-budget"

    text = f'password = "{PASS}" ' + f"{PASS}, " * 100
    with pytest.raises(RedactionError) as caught:
        detector().scan(text, Budget(60.0, 50, lambda: 0.0))
    assert caught.value.code == "redaction-hits"
    assert PASS not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "%25" * 100_000,
        "\\" * 300_000,
        "\\u005c" * 50_000,
        "QUJD" * 75_000,
        ("QUJDREVG" * 8 + "\n") * 5_000,
        ("QUJDREVGSElK" + "\n") * 25_000,
        "A_" * 150_000,
        "_bcdfghjklmnpqrst" * 20_000,
        "41 " * 100_000,
        "4" * 300_000,
        "&#" * 150_000,
        "&amp;" * 60_000,
        "a\u200b" * 150_000,
        "\0" * 300_000,
        "\x1b[" * 150_000,
        "a+%41" * 60_000,
        ("a+%41 " + "x" * 200) * 1_500,
        "<A" * 150_000,
        "\ud800" * 300_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_hostile_text_costs_bounded_time(text: str) -> None:
    begun = time.process_time()

    detector().scan(f"{text} {KEY}", ample())

    assert time.process_time() - begun < 3.0  # some tenths of it on an idle machine


def test_threads_share_a_detector() -> None:
    looking = detector()
    texts = [f"{FILLER * 5}{number} {SPELLINGS['base64'](KEY)} {MAIL}" for number in range(50)]
    answers: list[bool] = []

    def look() -> None:
        answers.extend(len(looking.scan(text, ample())) == 2 for text in texts)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [True] * 200


def test_another_version_of_the_analyzer_forgets_what_was_found() -> None:
    analyzer = Analyzer()
    one = TextDetector(analyzer)
    text = f"{FILLER * 3}{MAIL}"
    before, cache = one.version, one._state.cache
    assert len(one.scan(text, ample())) == 1
    assert one._state.cache is cache

    analyzer.version = "another"

    assert one.version != before
    assert one._state.cache is not cache
    assert one._state.cache.get(one._state.cache.key(text), text) is None
    assert len(one.scan(text, ample())) == 1


def test_what_reaches_over_two_windows_leaves_what_stands_between() -> None:
    class Far(Analyzer):
        def analyze(self, text: str, budget: Budget) -> list[Spot]:
            start, end = text.find("begin-it"), text.find("end-of-it")
            if min(start, end) < 0:
                return []
            return [Spot(start, end + 9, PASSWORD, "test:far", 0.9, text[start : end + 9])]

    first, last = (base64.b64encode(part).decode() for part in (b"begin-it here", b"the end-of-it"))
    text = f"{FILLER * 9}\n{first}\n{FILLER * 20}\n{last}\n{FILLER * 9}"

    spots = TextDetector(Far()).scan(text, ample())

    assert [text[spot.start : spot.end] for spot in spots] == [first, last]
