"""The one pass that says where to look."""

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.compiled import keep
from proctor.redaction.model import RedactionError
from proctor.redaction.prefilter import Prefilter, Trigger, _compiled, compiles, means_the_same

AT = Trigger(expression="@", before=3, after=2)
TEXTS = st.text(alphabet="ab@é\u20ac\U0001f600\ud800\0 \n", max_size=60)


def test_windows_lie_around_hits_and_merge_where_they_touch() -> None:
    prefilter = Prefilter({"at": [AT], "b": [Trigger(expression="b", before=1)]})
    assert prefilter.scan("0123456789@0123456789") == {"at": [(8, 13)]}
    assert prefilter.scan("aaaaaa@@aaaaaa") == {"at": [(4, 10)]}
    assert prefilter.scan("@aaaaaaaaaa@") == {"at": [(0, 3), (9, 12)]}
    assert prefilter.scan("ab") == {"b": [(1, 2)]}
    assert prefilter.scan("") == {}


def test_none_before_means_the_whole_text() -> None:
    prefilter = Prefilter({"all": [Trigger(expression="x", before=None)]})
    assert prefilter.scan("aaaxaaaxa") == {"all": [(0, 9)]}


@given(text=TEXTS)
def test_offsets_are_of_characters_whatever_the_text(text: str) -> None:
    prefilter = Prefilter({"at": [Trigger(expression="@", before=1)]})
    seen = {
        position for window in prefilter.scan(text).get("at", []) for position in range(*window)
    }
    assert seen == {position for position, character in enumerate(text) if character == "@"}


@given(text=TEXTS)
def test_bytes_of_letters_beyond_ascii_never_shift_what_follows(text: str) -> None:
    # [^a] matches single bytes of a longer character: their offsets lie inside it.
    prefilter = Prefilter(
        {"at": [Trigger(expression="@", before=1)], "any": [Trigger(expression="[^a]", before=0)]}
    )
    windows = prefilter.scan(text)
    for start, end in windows.get("at", []):
        assert set(text[start:end]) == {"@"}
    assert all(0 <= start <= end <= len(text) for one in windows.values() for start, end in one)


def test_what_means_something_else_beyond_ascii_always_hits_there() -> None:
    prefilter = Prefilter({"word": [Trigger(expression=r"\bx\b", before=None, only_ascii=True)]})
    assert prefilter.scan("nothing") == {}
    assert prefilter.scan("é") == {"word": [(0, 1)]}


def test_a_flood_of_hits_is_refused() -> None:
    prefilter = Prefilter({"a": [AT], "b": [Trigger(expression="[@]", before=1)]})
    assert prefilter.scan("@" * 30_000)
    with pytest.raises(RedactionError) as caught:
        prefilter.scan("@" * 70_000)
    assert caught.value.code == "redaction-hits"


def test_threads_have_scratch_space_of_their_own() -> None:
    prefilter = Prefilter({"at": [AT]})
    failed: list[BaseException] = []

    def scan() -> None:
        try:
            for _ in range(50):
                assert prefilter.scan("a@b " * 500)
        except BaseException as error:  # noqa: BLE001 - the test reports it
            failed.append(error)

    threads = [threading.Thread(target=scan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize(
    "expression",
    [
        r"\bEMP-[0-9]{6}\b",
        r"(?:^|(?<=\W))(a|b)(?=\s)",
        r"[A-Z]{2}\d{2,4}[^\]x-]+?",
        r"(?i)abc|(?P<x>d)\.",
        r"[+\-.]{1,}\x41$",
    ],
)
def test_expressions_that_all_engines_read_alike(expression: str) -> None:
    re.compile(expression)
    assert means_the_same(expression)
    assert compiles(Trigger(expression=expression, before=None))


@pytest.mark.parametrize(
    "expression",
    [
        r"(?:falcon){e<=1}",  # fuzzy in `regex`
        r"\mfalcon\M",  # a word's edges in `regex`
        r"[[a-z]--[aeiou]]",
        r"[a-z--q]",
        r"\p{L}+",
        r"(a)\1",
        r"(?x) a b",
        r"(?>ab)",
        r"\Qa.b\E",
        r"a{,3}",
        r"\N{BULLET}",
        r"[\Wa&&b]",
    ],
)
def test_expressions_that_engines_may_read_differently_gate_nothing(expression: str) -> None:
    assert not means_the_same(expression)


def test_what_hyperscan_refuses_does_not_compile() -> None:
    assert not compiles(Trigger(expression="a*", before=None))
    assert not compiles(Trigger(expression="\ud800", before=None))


def test_what_was_compiled_is_kept(tmp_path: Path) -> None:
    triggers = {"kept": [Trigger(expression="kept[0-9]{3}", before=8)]}
    first = Prefilter(triggers, tmp_path)
    (path,) = tmp_path.iterdir()
    made = path.read_bytes()
    _compiled.cache_clear()
    assert Prefilter(triggers, tmp_path).scan("a kept123") == first.scan("a kept123") != {}
    assert path.read_bytes() == made
    # Other triggers are another file; what cannot be loaded is made anew.
    Prefilter({"kept": [Trigger(expression="kept[0-9]{3}", before=8, caseless=True)]}, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    keep(path, b"compiled for no machine")
    _compiled.cache_clear()
    assert Prefilter(triggers, tmp_path).scan("a kept123") == first.scan("a kept123")
    assert path.read_bytes() == made
