"""Pieces are looked at once, and what must not pass is taken out of them each time."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from proctor.redaction import redactor as module
from proctor.redaction.model import (
    API_KEY,
    CONFIGURED_FIELD,
    Budget,
    Direction,
    Method,
    RedactionError,
    Spot,
)
from proctor.redaction.redactor import Found, Look, Outcome, Piece, Redactor
from proctor.redaction.structure.jsondoc import read_json
from tests.redaction.finder import Finder

MAIL = "jane@acme.test"
RAW = b'{"a": "to jane@acme.test", "b": ["KEY-0F0F", 1.0], "jane@acme.test": true}'


class Words:
    """Operators that write the method."""

    def __init__(self) -> None:
        self.made = 0
        self.known = True

    def replace(self, spot: Spot, method: Any, *, spelled: str) -> str:
        self.made += 1
        return f"{method}:{spot.type}"

    def again(self, tokens: Sequence[str]) -> bool:
        return self.known


class Counting(Finder):
    def __init__(self) -> None:
        self.looks = 0

    def examine(self, leaves: Any, budget: Budget) -> dict[int, tuple[Spot, ...]]:
        self.looks += 1
        return super().examine(leaves, budget)


def ample() -> Budget:
    return Budget(60.0, 100_000, time.monotonic)


def made(**how: Any) -> tuple[Redactor, Counting]:
    finder = Counting()
    return Redactor(finder, digest=lambda kind, value: f"{kind}/{len(value)}", **how), finder


def piece(raw: bytes = RAW, digest: bytes = b"d", **more: Any) -> Piece:
    return Piece(raw, partial(read_json, prefix="p"), digest, **more)


def methods(**how: Method) -> Callable[[Found], Method | None]:
    return lambda found: how.get(found.type)


ALL = methods(EMAIL_ADDRESS=Method.SURROGATE, API_KEY=Method.MASK)


def out(redactor: Redactor, look: Look, how: Any = ALL, words: Any = None, **more: Any) -> Outcome:
    scope = more.pop("scope", ("s",))
    return redactor.take_out(look, 0, how, words or Words(), scope=scope, budget=ample(), **more)


def test_what_was_found_is_taken_out_and_all_else_stays() -> None:
    redactor, _ = made()
    outcome = out(redactor, redactor.look([piece()], ample()))
    assert outcome.sent == (
        b'{"a": "to surrogate:EMAIL_ADDRESS", "b": ["mask:API_KEY", 1.0],'
        b' "surrogate:EMAIL_ADDRESS": true}'
    )
    assert outcome.record is outcome.sent
    assert outcome.tokens == ("surrogate:EMAIL_ADDRESS",)


def test_a_piece_is_read_once_for_whoever_asks_soon() -> None:
    read: list[bytes] = []

    def reads(raw: bytes) -> Any:
        read.append(raw)
        return read_json(raw, prefix="p")

    redactor, _ = made()
    plain = Piece(b'{"a": "nothing"}', reads, b"plain")
    look = redactor.look([plain, piece()], ample(), keep=True)
    assert [leaf.text for leaf in look.document(0).leaves] == ["a", "nothing"]
    assert look.document(1) is look.opened[1].document
    assert len(read) == 1
    look.read.clear()
    assert [leaf.text for leaf in look.document(0).leaves] == ["a", "nothing"]
    assert len(read) == 2
    known = redactor.look([plain], ample(), keep=True)
    assert not known.read  # seen before, it was not read at all
    assert not redactor.look([plain._replace(digest=b"")], ample()).read


def test_a_piece_is_looked_at_once_and_changed_once() -> None:
    redactor, finder = made()
    words = Words()
    first = out(redactor, redactor.look([piece()], ample()), words=words)
    assert (finder.looks, words.made) == (1, 3)
    assert redactor.unseen([piece(), piece(digest=b"other")]) == len(RAW)
    again = redactor.look([piece()], ample())
    assert out(redactor, again, words=words) is first
    assert (finder.looks, words.made) == (1, 3)
    assert again.sights[0].found == redactor.look([piece()], ample()).sights[0].found


def test_a_vault_that_forgot_gets_its_values_again() -> None:
    redactor, finder = made()
    words = Words()
    first = out(redactor, redactor.look([piece()], ample()), words=words)
    words.known = False
    second = out(redactor, redactor.look([piece()], ample()), words=words)
    assert second == first
    assert second is not first
    assert (finder.looks, words.made) == (2, 6)


def test_another_scope_is_another_outcome() -> None:
    redactor, _ = made()
    words = Words()
    for scope in [("a",), ("b",), None, None, ("a",)]:
        out(redactor, redactor.look([piece()], ample()), words=words, scope=scope)
    assert words.made == 3 * 4


def test_what_passes_is_masked_in_the_record_and_never_kept() -> None:
    redactor, _ = made()
    words = Words()
    how = methods(EMAIL_ADDRESS=Method.DETECT, API_KEY=Method.MASK)
    for _ in range(2):
        outcome = out(redactor, redactor.look([piece()], ample()), how, words)
        assert outcome.sent == RAW.replace(b"KEY-0F0F", b"mask:API_KEY")
        assert MAIL.encode() not in outcome.record
    assert words.made == 6  # nothing of it is remembered
    assert MAIL not in repr(redactor.__dict__)


def test_what_is_signed_stays() -> None:
    redactor, _ = made()
    signed = piece(signed=lambda _raw: frozenset({("a",)}))
    outcome = out(redactor, redactor.look([signed], ample()))
    assert outcome.sent.startswith(b'{"a": "to jane@acme.test", "b": ["mask')
    assert outcome.record.startswith(b'{"a": "to mask:EMAIL_ADDRESS"')
    [found, *_] = redactor.findings(
        redactor.look([signed], ample()), ALL, Direction.REQUEST, history=False
    )
    assert found.action == "pass"


def test_what_nobody_asks_for_or_was_allowed_stays() -> None:
    redactor, _ = made(allowed=lambda detector, *_place: detector == "proctor:mail")
    look = redactor.look([piece()], ample())
    assert out(redactor, look).sent == RAW.replace(b"KEY-0F0F", b"mask:API_KEY")
    assert out(redactor, look, methods()).sent is RAW
    told = redactor.findings(look, ALL, Direction.REQUEST, history=False)
    assert [finding.type for finding in told] == [API_KEY]


def test_findings_tell_what_is_new_and_not_what_it_was() -> None:
    redactor, _ = made()
    pieces = [piece(history=True), piece(b'{"x": "KEY-AAAA KEY-AAAA"}', b"2")]
    look = redactor.look(pieces, ample())
    new = redactor.findings(look, ALL, Direction.REQUEST, history=False)
    assert [(f.type, f.location, f.action, f.digest) for f in new] == [
        (API_KEY, "p.x", "mask", "API_KEY/8")
    ]
    every = redactor.findings(look, ALL, Direction.REQUEST, history=True)
    assert len(every) == 4
    assert "jane" not in repr(every)
    assert "KEY-" not in repr(look)


def test_configured_fields_are_secret_whatever_is_in_them() -> None:
    redactor, _ = made(configured=lambda path: path[:1] == ("b",) or path == ("n",))
    raw = b'{"a": "x", "b": ["KEY-0F0F", 12345], "n": "<CONFIGURED_FIELD>"}'
    look = redactor.look([piece(raw)], ample())
    outcome = out(redactor, look, methods(CONFIGURED_FIELD=Method.MASK))
    assert outcome.sent.startswith(b'{"a": "x", "b": ["mask:CONFIGURED_FIELD", ')
    assert b"12345" not in outcome.sent
    assert outcome.sent.endswith(b'"n": "<CONFIGURED_FIELD>"}')  # its own word is no value
    assert {found.type for found in look.sights[0].found} == {CONFIGURED_FIELD}


def test_a_detector_that_fails_is_not_remembered_as_nothing() -> None:
    redactor, _ = made()
    broken = piece(b'{"a": "BROKEN"}')
    for _ in range(2):
        with pytest.raises(RedactionError):
            redactor.look([broken], ample())
    assert redactor.unseen([broken]) == len(broken.raw)


def test_another_version_of_the_detector_looks_at_everything_again() -> None:
    redactor, finder = made()
    for _ in range(2):
        out(redactor, redactor.look([piece()], ample()))
    assert finder.looks == 1

    finder.version = "2"

    out(redactor, redactor.look([piece()], ample()))
    assert finder.looks == 2
    assert redactor.unseen([piece()]) == 0


def test_what_was_seen_with_an_old_version_is_not_remembered() -> None:
    redactor, finder = made()

    def changes(raw: bytes) -> Any:
        finder.version = "2"
        redactor.look([piece(digest=b"other")], ample())
        return piece().read(raw)

    redactor.look([piece()._replace(read=changes)], ample())

    assert redactor.unseen([piece()]) == len(RAW)


def test_without_a_digest_nothing_is_remembered() -> None:
    redactor, finder = made()
    for _ in range(2):
        out(redactor, redactor.look([piece(digest=b"")], ample()))
    assert finder.looks == 2


def test_what_is_remembered_is_bounded_by_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SIGHTS", 50)
    monkeypatch.setattr(module, "_BODIES", 4 * len(RAW))
    redactor, _ = made()
    for number in range(40):
        out(redactor, redactor.look([piece(digest=b"%d" % number)], ample()))
    # A piece with three findings weighs four.
    assert len(redactor._sights) == 12
    assert redactor._weight == 48
    assert sum(len(kept.record) for kept in redactor._bodies.values()) <= 4 * len(RAW)
    out(redactor, redactor.look([piece(digest=b"39")], ample()))
    assert redactor._weight == 48


def test_skipped_bytes_are_counted_by_reason() -> None:
    spared = {("a",): "image", ("b", 0): "image"}
    read = partial(read_json, exempt=spared)
    redactor, _ = made()
    look = redactor.look([Piece(RAW, read, b""), Piece(RAW, read, b"")], ample())
    assert look.skipped.keys() == {"image"}
    assert look.looked > 0
