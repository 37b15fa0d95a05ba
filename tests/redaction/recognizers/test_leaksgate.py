"""The gate of Betterleaks: with it, the same is found as without it."""

import random
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import hyperscan
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.recognizers import leaksgate
from proctor.redaction.recognizers.betterleaks import BetterleaksRecognizer
from proctor.redaction.recognizers.leaksgate import Gate, Reach, load, relaxed
from tests.redaction.recognizers.kinds import nulls, positives

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TEXTS = [case.text for case in (*positives(11), *nulls(11))]
PROSE = "The old rule holds for that request, and the new one for all that follow.\n"


@cache
def gated() -> BetterleaksRecognizer:
    return BetterleaksRecognizer()


@cache
def plain() -> BetterleaksRecognizer:
    return BetterleaksRecognizer(gated=False)


def found(recognizer: BetterleaksRecognizer, text: str) -> list[tuple[int, int, str, Any]]:
    return sorted(
        (one.start, one.end, one.entity_type, one.recognition_metadata["detector"])
        for one in recognizer.analyze(text, [])
    )


def noise(seed: int, size: int, letters: str = LETTERS) -> str:
    return "".join(random.Random(seed).choices(letters, k=size))  # noqa: S311 - the same each time


AWS = (
    f"aws_access_key_id = AKIA{noise(1, 16, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')}\n"
    f"region = x\noutput = json\naws_secret_access_key = {noise(2, 40)}\n"
)
PAIRS = (
    AWS,
    f"password = \"{noise(3, 14)}\"\n\nhost = 'db.internal'\n\n\nuser = 'reader'\n",
    f"api_key: '{noise(4, 32)}'\n",
    f'token = "{noise(5, 900)}"\n',
    f"https://reader:{noise(6, 16)}@db.internal/x\n",
    f"client.login('jane', '{noise(7, 12)}')\n",
)


def test_one_secret_is_found_as_without_it() -> None:
    for text in (*TEXTS, *PAIRS):
        assert found(gated(), text) == found(plain(), text)


@pytest.mark.parametrize("filler", ["", PROSE, PROSE * 12, "größer, \u017fo groß\n" * 9])
def test_many_secrets_are_found_as_without_it(filler: str) -> None:
    for first in range(0, len(TEXTS), 12):
        text = filler + filler.join([*TEXTS[first : first + 12], *PAIRS])
        text = text[:20_000]  # one chunk, so that both see the same surroundings
        assert found(gated(), text) == found(plain(), text)


def test_there_is_something_to_find() -> None:
    assert sum(bool(found(plain(), text)) for text in [*TEXTS, *PAIRS]) > 20


def test_ordinary_text_has_no_window(tmp_path: Path) -> None:
    gate = load(tmp_path)

    assert gate is not None
    assert gate.windows(PROSE * 100) == []
    assert gate.windows("") == []
    assert gate.windows(f"{PROSE * 40}{PAIRS[2]}{PROSE * 40}") != []


def test_it_is_kept_and_made_anew_where_that_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(tmp_path) is not None
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600

    with monkeypatch.context() as context:
        context.setattr(leaksgate, "_rules", lambda: None)
        again = load(tmp_path)
        assert again is not None
        assert again.windows(PAIRS[2]) == [(0, len(PAIRS[2]))]
        kept.write_bytes(kept.read_bytes()[:-1])
        assert load(tmp_path) is None
    assert load(tmp_path) is not None


@pytest.mark.parametrize(
    "error", [OSError(), subprocess.TimeoutExpired("x", 1), subprocess.CalledProcessError(1, "x")]
)
def test_without_the_rules_everything_is_looked_at(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(subprocess, "run", fail)

    one = BetterleaksRecognizer()

    assert found(one, PAIRS[2]) == found(plain(), PAIRS[2]) != []


def test_rules_that_do_not_compile_mean_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaksgate, "_rules", lambda: [{"id": "x", "regex": "(?<=x"}])

    assert load(None) is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a{3}", "a{3}"),
        ("a{2,64}", "a{2,64}"),
        ("a{2,65}", "a{2,}"),
        ("[a-z]{40}x", "[a-z]{24,}x"),
        ("a{250,}", "a{24,}"),
        (r"a\{40,50}", r"a\{40,50}"),
    ],
)
def test_long_repeats_are_shortened(expression: str, expected: str) -> None:
    assert relaxed("x", expression) == expected


def small(expression: str, reach: Reach) -> Gate:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[expression.encode()], ids=[0], elements=1, flags=[0])
    return Gate(database, [reach])


@given(st.lists(st.text(alphabet="ab é\n\U0001f600", max_size=400), max_size=6))
def test_windows_hold_every_hit_with_what_is_around_it(parts: list[str]) -> None:
    text = "KEY".join(parts)
    windows = small("KEY", Reach(40, 20, 2, 40)).windows(text)

    assert windows == sorted(windows)
    assert all(end < start for (_, end), (start, _) in pairwise(windows))
    at = text.find("KEY")
    while at >= 0:
        end = at + 3
        (window,) = [one for one in windows if one[0] <= at < one[1]]
        assert window[0] <= max(0, end - 40)
        assert window[1] >= min(len(text), end + 20)
        at = text.find("KEY", end)
