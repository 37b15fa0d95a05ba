"""`audit.checkpoints` and `audit.anchors`: what is taken, and what is refused."""

import pytest
from pydantic import ValidationError

from proctor.evidence.settings import AnchorSettings, CheckpointSettings

KEY = "witness.example/w1+773a6c12+BMhTrQ8M0rYZrqks7sT9VqJNZJnVhM55JX5Fz9gTm2Cn"


def test_checkpoints_have_a_pace_from_the_start() -> None:
    every = CheckpointSettings().every
    assert (every.records, every.seconds, every.idle) == (1000, 10.0, 60.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [("records", 0), ("records", 2_000_000), ("seconds", 0.01), ("idle", 0.5), ("idle", 1e9)],
)
def test_a_pace_that_would_do_harm_is_refused(key: str, value: float) -> None:
    with pytest.raises(ValidationError):
        CheckpointSettings.model_validate({key: value})


def test_a_witness_and_a_folder() -> None:
    witness = AnchorSettings(witness="https://witness.example:7380", key=KEY)
    assert witness.name == "https://witness.example:7380"
    folder = AnchorSettings.model_validate({"folder": "/mnt/worm"})
    assert folder.name == "/mnt/worm"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "wrong-value"),
        ({"witness": "https://w.example", "key": KEY, "folder": "/mnt"}, "wrong-value"),
        ({"folder": "/mnt", "key": KEY}, "wrong-value"),
        ({"folder": "/mnt", "ca": "ca.pem"}, "wrong-value"),
        ({"witness": "https://w.example"}, "missing-key"),
        ({"witness": "https://w.example", "key": "w"}, "cosigner-malformed"),
        ({"witness": "http://w.example", "key": KEY}, "value_error"),
        ({"witness": "https://user@w.example", "key": KEY}, "value_error"),
    ],
)
def test_what_is_refused(given: dict[str, str], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AnchorSettings.model_validate(given)
    assert caught.value.errors()[0]["type"] == code
