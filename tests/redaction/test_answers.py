"""What is done with the texts and documents of one answer."""

import itertools
import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import RefusedError
from proctor.redaction.answers import Answer, Means, _apart
from proctor.redaction.handling import Words, whole_text
from proctor.redaction.model import Budget, Change, Direction, Method, RedactionError, Spot
from proctor.redaction.stream import HELD_TOO_LONG, Taken
from proctor.redaction.structure.jsondoc import read_json
from tests.redaction.finder import Finder

TOKEN = "EMAIL_ADDRESS_" + "b" * 16
JANE = "jane@acme.test"
KEY = "KEY-0F0F0F"
MASKED = f"<{'API_KEY'}>"
METHODS = {"EMAIL_ADDRESS": Method.SURROGATE, "API_KEY": Method.MASK, "SECRET": Method.MASK}


class Words2:
    """Operators whose surrogates all look alike, and which count what is made durable."""

    def __init__(self) -> None:
        self.open, self.kept = 0, 0

    def replace(self, spot: Spot, method: Any, *, spelled: str) -> str:
        if method is Method.SURROGATE:
            self.open += 1
            return TOKEN
        return f"<{spot.type}>"

    def commit(self) -> None:
        self.kept, self.open = self.kept + self.open, 0


class Back:
    """Turns TOKEN back, where its type may be."""

    def __init__(self, types: frozenset[str] | None) -> None:
        self.types = types

    def allows(self, entity: str) -> bool:
        return self.types is None or entity in self.types

    def changes(self, text: str) -> list[Change]:
        at, found = text.find(TOKEN), []
        while at >= 0 and self.allows("EMAIL_ADDRESS"):
            found.append(Change(at, at + len(TOKEN), JANE))
            at = text.find(TOKEN, at + len(TOKEN))
        return found

    def restore(self, text: str) -> str:
        return text.replace(TOKEN, JANE) if self.allows("EMAIL_ADDRESS") else text


def made(*, restores: bool = True, methods: Any = None, **more: Any) -> tuple[Answer, Words2]:
    words = Words2()
    taken = METHODS if methods is None else methods
    means = Means(
        detector=Finder(),
        methods=lambda found: taken.get(found.type),
        operators=words,  # type: ignore[arg-type]  # as much of it as is used
        restorer=Back if restores else None,  # type: ignore[arg-type]  # likewise
        budget=lambda: Budget(60.0, 100_000, time.monotonic),
        digest=lambda kind, value: f"{kind}/{len(value)}",
        allowed=more.pop("allowed", lambda *_found: False),
        **more,
    )
    return Answer(means), words


def both(answer: Answer, value: object, **more: Any) -> tuple[Any, Any]:
    out = answer.document(json.dumps(value).encode(), "c", exempt={}, **more)
    return json.loads(out.client), json.loads(out.record)


def test_what_a_client_would_get_back_it_keeps_and_the_record_gets_the_word() -> None:
    answer, words = made()
    client, record = both(answer, {"a": f"{JANE} {TOKEN} {KEY}"})
    assert client == {"a": f"{JANE} {JANE} <API_KEY>"}
    assert record == {"a": f"{TOKEN} {TOKEN} <API_KEY>"}
    assert (words.kept, words.open) == (1, 0)
    told = {(f.type, f.location, f.action, f.direction) for f in answer.findings.values()}
    assert told == {
        ("EMAIL_ADDRESS", "c.a", "surrogate", Direction.RESPONSE.value),
        ("API_KEY", "c.a", "mask", Direction.RESPONSE.value),
    }


def test_without_a_restorer_nothing_comes_back() -> None:
    answer, _ = made(restores=False)
    client, record = both(answer, [JANE, TOKEN])
    assert client == record == [TOKEN, TOKEN]


def test_a_tool_s_input_gets_back_what_its_rule_says() -> None:
    answer, _ = made()
    value = {"to": f"{TOKEN} {JANE}"}
    assert both(answer, value, restore=frozenset())[0] == {"to": f"{TOKEN} {TOKEN}"}
    assert both(answer, value, restore=frozenset({"EMAIL_ADDRESS"}))[0] == {"to": f"{JANE} {JANE}"}


def test_what_is_signed_reaches_the_client_as_it_is() -> None:
    answer, _ = made()
    client, record = both(answer, {"t": f"{KEY} {TOKEN}"}, signed=True)
    assert client == {"t": f"{KEY} {TOKEN}"}
    assert record == {"t": f"<API_KEY> {TOKEN}"}
    assert {f.action for f in answer.findings.values()} == {"pass"}


def test_what_is_only_reported_reaches_the_client_and_not_the_record() -> None:
    answer, _ = made(methods={"API_KEY": Method.DETECT})
    assert both(answer, [KEY, JANE]) == ([KEY, JANE], ["<API_KEY>", JANE])


def test_what_was_allowed_is_no_finding() -> None:
    answer, _ = made(allowed=lambda detector, *_place: detector == "proctor:key")
    assert both(answer, [KEY]) == ([KEY], [KEY])
    assert not answer.findings


def test_what_blocks_refuses_the_answer_without_telling_it() -> None:
    answer, _ = made(methods={"API_KEY": Method.BLOCK})
    with pytest.raises(RefusedError) as caught:
        both(answer, {KEY: 1})
    assert KEY not in str(caught.value)
    assert [f.action for f in answer.findings.values()] == ["block"]


def test_configured_fields_of_an_answer_are_secret_too() -> None:
    answer, _ = made(
        methods={"CONFIGURED_FIELD": Method.MASK}, configured=lambda path: path[-1:] == ("pin",)
    )
    client, record = both(answer, {"pin": 1234, "in": {"pin": "abc"}, "pins": "ok"})
    assert client == record
    assert record["in"] == {"pin": "<CONFIGURED_FIELD>"}
    assert "1234" not in json.dumps(record)
    assert record["pins"] == "ok"


def test_what_was_held_too_long_is_masked_whatever_is_said() -> None:
    answer, _ = made(methods={})
    spot = Spot(0, 3, "SECRET", HELD_TOO_LONG, 1.0, "")
    text = answer.swap(Taken(spot, "abc"), "content[0]", signed=False)
    assert (text.client, text.record) == ("<SECRET>", "<SECRET>")


def test_texts_are_counted_and_not_kept() -> None:
    answer, _ = made()
    for _ in range(300):
        out = whole_text(answer, f"to {JANE}, {TOKEN}", "line")
        assert (out.client, out.record) == (f"to {JANE}, {JANE}", f"to {TOKEN}, {TOKEN}")
    assert answer.looked == 300 * len(f"to {JANE}, {TOKEN}")
    assert len(answer.findings) == 1
    assert not any(isinstance(held, list) for held in vars(answer).values())


def test_a_detector_that_fails_is_an_error() -> None:
    answer, _ = made()
    with pytest.raises(RedactionError):
        both(answer, "BROKEN")
    with pytest.raises(RedactionError):
        whole_text(answer, "BROKEN ", "x")


def test_a_name_that_is_a_value_is_in_no_location() -> None:
    answer, _ = made()
    both(answer, {KEY: {"x": JANE}})
    assert KEY not in repr(answer.findings)


@given(st.data())
def test_cut_anywhere_a_text_comes_out_the_same(data: st.DataObject) -> None:
    text = f"see {KEY} or {JANE} and {TOKEN}, {TOKEN} {KEY}"
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    answer, _ = made()
    words = Words(answer, "t")
    outs = [*(words.feed(piece) for piece in pieces), words.finish()]
    assert "".join(out.record for out in outs) == (
        f"see <API_KEY> or {TOKEN} and {TOKEN}, {TOKEN} <API_KEY>"
    )
    assert "".join(out.client for out in outs) == (
        f"see <API_KEY> or {JANE} and {JANE}, {JANE} <API_KEY>"
    )


def apart(spans: Sequence[tuple[int, int]]) -> list[Change]:
    """The spans that do not overlap those before them, in order."""
    out: list[Change] = []
    for start, size in sorted(spans):
        if not out or start >= out[-1].end:
            out.append(Change(start, start + size, "x"))
    return out


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=12).map(apart)


@given(spans, spans)
def test_changes_and_what_comes_back_never_overlap(old: list[Change], new: list[Change]) -> None:
    got = _apart(old, new)
    assert all(a.end <= b.start for a, b in itertools.pairwise(got))
    assert all(change in got for change in old)
    for change in new:
        free = all(change.end <= o.start or o.end <= change.start for o in old)
        assert (change in got) == (free or change in old)


def test_many_changes_and_many_that_come_back_cost_their_sum() -> None:
    old = [Change(20 * i, 20 * i + 5, "x") for i in range(20_000)]
    new = [Change(20 * i + 10, 20 * i + 15, "y") for i in range(20_000)]
    start = time.process_time()
    assert len(_apart(old, new)) == 40_000
    assert time.process_time() - start < 1


def test_a_document_of_bytes_that_need_no_change_is_the_same() -> None:
    answer, _ = made()
    raw = b'{ "a":1.50,\n"b" : "\\u0041" }'
    out = answer.body(read_json(raw))
    assert (out.client, out.record) == (raw, raw)
