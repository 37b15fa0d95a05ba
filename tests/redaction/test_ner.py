"""The process that finds names, with a program that stands in for it."""

import ast
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.model import RedactionError
from proctor.redaction.ner import MOST, NerWorker, find_model

FAKE = Path(__file__).with_name("fakener.py")
TEXT = "Jane Roe is in Berlin"
FOUND = [(0, 8, "PERSON"), (15, 21, "GPE")]


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def worker(model: str = "", *, hangs: float = 30.0) -> NerWorker:
    return NerWorker(model, program=FAKE, hangs=hangs)


@pytest.fixture(scope="module")
def shared() -> Iterator[NerWorker]:
    found = worker()
    found.ready()
    yield found
    found.close()


@pytest.fixture
def own() -> Iterator[NerWorker]:
    found = worker()
    found.ready()
    yield found
    found.close()


def pid(found: NerWorker) -> int:
    label = found.find(["SURROUNDINGS"], soon())[0][0][2]
    return int(label.rpartition(" ")[2].rstrip(")"))


def test_names(shared: NerWorker) -> None:
    assert shared.find([TEXT, "", "nobody"], soon()) == [FOUND, [], []]
    assert shared.find([], soon()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Roe\n\r\u2028\x00\x1e\x85",
        "Roe" + "😀" * MOST,
        "Roe" + "\ud800" + "\\" * MOST,
        'Roe"]]\n[[',
        "Roe " + "(" * MOST,
        "Roe " + "x" * 500_000,
    ],
    ids=["lines", "astral", "half", "json", "signs", "long"],
)
def test_any_text_comes_there_whole(shared: NerWorker, text: str) -> None:
    found = shared.find([text, TEXT], soon())
    assert found[0][0] == (0, 3, "PERSON")
    assert len(found[0]) == text.count("Roe")
    assert found[1] == FOUND


def test_nothing_shows_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "made-up")
    one = worker()
    try:
        arguments, names, child = ast.literal_eval(one.find(["SURROUNDINGS"], soon())[0][0][2])
        assert len(arguments) == 1
        assert arguments[0].isdigit()
        assert {name for name in names if not name.startswith("LC_")} <= {
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "__CF_USER_TEXT_ENCODING",  # macOS adds it
        }
        assert "Roe" not in " ".join(psutil.Process(child).cmdline())
    finally:
        one.close()


def test_the_budget_is_kept_and_others_go_on(own: NerWorker) -> None:
    with pytest.raises(RedactionError) as caught:
        own.find(["SLOW"], soon(0.05))
    assert caught.value.code == "redaction-budget"
    assert caught.value.status == 503
    assert own.find([TEXT], soon()) == [FOUND]


def test_no_time_is_no_answer(own: NerWorker) -> None:
    child = pid(own)
    with pytest.raises(RedactionError, match="too long"):
        own.find(["HANG"], soon(-1.0))
    assert pid(own) == child


def test_what_nobody_waits_for_is_not_asked(own: NerWorker) -> None:
    with pytest.raises(RedactionError):
        own.find(["SLOW"], soon(0.01))
    for _ in range(20):
        with pytest.raises(RedactionError):
            own.find(["SLOW"], soon(0.001))
    ((_, _, asked),) = own.find(["ASKED"], soon())[0]
    assert 1 <= int(asked) < 10


@pytest.mark.parametrize("text", ["CRASH", "LIE", "FLOOD"])
def test_it_is_started_again(own: NerWorker, text: str) -> None:
    child = pid(own)
    with pytest.raises(RedactionError) as caught:
        own.find([f"{text} password of Jane Roe"], soon())
    assert caught.value.code == "redaction-detector"
    assert "Roe" not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None
    assert own.find([TEXT], soon()) == [FOUND]
    assert pid(own) != child
    assert not psutil.pid_exists(child)


def test_it_is_started_again_when_it_was_killed(own: NerWorker) -> None:
    child = psutil.Process(pid(own))
    child.kill()
    psutil.wait_procs([child], timeout=30)
    assert own.find([TEXT], soon()) == [FOUND]


def test_it_is_started_again_when_it_hangs() -> None:
    own = worker(hangs=0.2)
    try:
        own.ready()
        with pytest.raises(RedactionError) as caught:
            own.find(["HANG"], soon())
        assert caught.value.code == "redaction-detector"
        assert own.find([TEXT], soon()) == [FOUND]
    finally:
        own.close()


def test_many_ask_at_once(shared: NerWorker) -> None:
    texts = [f"{'x' * number}{TEXT}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda text: shared.find([text], soon()), texts))
    for number, answer in enumerate(answers):
        assert [(a - number, b - number, label) for a, b, label in answer[0]] == FOUND


def test_closing_ends_the_process_even_while_it_works() -> None:
    own = worker()
    child = pid(own)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(own.find, ["HANG"], soon())
        with pytest.raises(RedactionError):
            own.find(["x"], soon(0.1))
        own.close()
        with pytest.raises(RedactionError, match="died"):
            asked.result(30)
    assert not psutil.pid_exists(child)
    with pytest.raises(RedactionError, match="died"):
        own.find([TEXT], soon())
    own.close()


def test_closing_before_it_is_ready() -> None:
    own = worker("never")
    own.close()
    with pytest.raises(RedactionError):
        own.find([TEXT], soon(0.1))


def test_a_model_that_cannot_be_loaded() -> None:
    own = worker("broken")
    with pytest.raises(ConfigurationError) as caught:
        own.ready("proctor.yaml:9")
    assert caught.value.code == "ner-model"
    assert caught.value.where == "proctor.yaml:9"


def package(folder: Path, meta: str) -> None:
    (folder / "madeup_model" / "inner").mkdir(parents=True)
    (folder / "madeup_model" / "__init__.py").write_text("raise RuntimeError")
    (folder / "madeup_model" / "inner" / "config.cfg").write_text("")
    (folder / "madeup_model" / "inner" / "meta.json").write_text(meta)


def test_a_model_is_found_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path, json.dumps({"lang": "en", "name": "web", "version": "1.2"}))
    monkeypatch.syspath_prepend(tmp_path)
    model = find_model("madeup_model")
    assert model.folder == tmp_path / "madeup_model" / "inner"
    assert model.version.startswith("madeup_model en_web 1.2 spacy 3.")
    assert "madeup_model" not in sys.modules


@pytest.mark.parametrize("meta", ["", "[]", '{"lang": "en"}', "[" * 100_000])
def test_a_package_without_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meta: str
) -> None:
    package(tmp_path, meta)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="holds no spaCy model"):
        find_model("madeup_model")


def test_a_model_that_is_not_installed_says_what_to_run() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_model("no_such_model_here", "proctor.yaml:7")
    assert caught.value.code == "ner-model"
    assert "make setup-ner" in str(caught.value)
    assert str(caught.value).startswith("proctor.yaml:7: ")
    with pytest.raises(ConfigurationError, match="holds no spaCy model"):
        find_model("sys")
