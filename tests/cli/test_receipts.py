"""Parts of a receipt that the golden files of test_show.py do not have."""

from dataclasses import replace

import pytest

from proctor.cli.receipts import failed, summary
from proctor.model import Finding
from proctor.record import Receipt
from tests.cli.test_transcript import EXCHANGE

FINDING = Finding(type="X", location="a", direction="request", score=1.0)


def test_nobody_looked() -> None:
    assert summary(EXCHANGE) == ""
    assert not failed(EXCHANGE)


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ([], "nothing found"),
        (["mask"], "1 finding masked"),
        (["detect", "mask", "mask"], "2 findings masked, 1 finding reported only"),
        (["block", "hash"], "1 finding blocked, 1 finding hashed"),
        (["", "redact"], "1 finding noted, 1 finding treated by redact"),
        (["pass"], "1 finding left alone, since signed"),
    ],
)
def test_what_was_done(actions: list[str], words: str) -> None:
    found = tuple(replace(FINDING, action=action) for action in actions)
    receipts = {"request": Receipt(looked=7, seconds=0.004)}
    exchange = replace(EXCHANGE, findings=found, receipts=receipts)
    assert summary(exchange) == f"looked at 7 B, {words}, 4 ms"


def test_both_directions_are_one() -> None:
    receipts = {
        "request": Receipt(looked=7, skipped=(("image", 5), ("signed", 2)), seconds=0.001),
        "response": Receipt(looked=3, skipped=(("image", 5),), failure="redaction-hits"),
    }
    exchange = replace(EXCHANGE, receipts=receipts)
    assert summary(exchange) == (
        "looked at 10 B, nothing found, 10 B not looked at (image), 2 B not looked at (signed),"
        " 1 ms, stopped by redaction-hits"
    )
    assert failed(exchange)
