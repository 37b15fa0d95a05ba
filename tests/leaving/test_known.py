"""Secrets as digests, and where they stand."""

from hashlib import sha256

import pytest

from proctor.leaving.cores import core
from proctor.leaving.known import CAME, MOST, Known, Secret
from proctor.leaving.shingles import Shingles

VALUE = "9fKq2Lw8ZxTvR4mN7bQc"


def other(number: int) -> str:
    return sha256(b"%d" % number).hexdigest()[:16]


def learned(value: str = VALUE) -> tuple[Known, Secret]:
    known, part = Known(Shingles()), core(value)
    assert part is not None
    return known, known.learn("d", "API_KEY", part, "a tool's result")


def test_it_is_found_whole_and_from_a_third_on() -> None:
    known, secret = learned()
    text = f"see {VALUE} there"
    [match] = known.find(text)
    assert text[match.start : match.end] == VALUE
    assert (match.secret, match.how, match.enough) == (secret, "", True)
    [part] = known.find(f"see {VALUE[5:13]} there")
    assert part.enough
    assert (part.first, part.last) == (5, 13)
    assert not list(known.find(VALUE[:7]))


def test_a_small_part_of_a_long_one_is_told_but_not_enough() -> None:
    known, _ = learned(VALUE + "Hs3Wd6Yt1Pj5Gk0Ea8Ru")
    [match] = known.find(VALUE[:9])
    assert not match.enough


@pytest.mark.parametrize("text", ["postgres", "the prod database", "postgres prod", "1234 prod"])
def test_words_that_are_in_a_password_mean_nothing(text: str) -> None:
    known, _ = learned("postgres-prod-1234")
    assert not any(match.enough for match in known.find(f"select from {text} now"))
    assert any(match.enough for match in known.find("x postgres-prod-1234 y"))


def test_nothing_of_it_is_kept() -> None:
    known, secret = learned()
    assert VALUE not in repr(secret)
    assert VALUE[:8] not in repr(vars(known))


def test_there_are_not_more_than_may_be() -> None:
    known, _ = learned()
    for number in range(MOST + 20):
        part = core(other(number))
        assert part is not None
        known.learn(f"n{number}", "API_KEY", part, "x")
    assert len(known) <= MOST
    assert known.get(f"n{MOST + 19}")
    assert not known.get("d")
    assert not any(match.enough for match in known.find(VALUE))
    assert any(match.enough for match in known.find(other(MOST + 19)))


def test_what_answers_bring_crowds_out_nothing_else() -> None:
    known, secret = learned()
    for number in range(CAME * 3):
        part = core(other(number))
        assert part is not None
        known.learn(f"n{number}", "API_KEY", part, "an answer", came=True)
    assert CAME // 2 < len(known) <= CAME + 1
    assert known.get("d") is secret
    assert any(match.enough for match in known.find(VALUE))
    assert not known.get("n0")
    assert not list(known.find(other(0)))
    assert known.get(f"n{CAME * 3 - 1}")
