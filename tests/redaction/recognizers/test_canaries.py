"""Canaries among the recognizers."""

import base64
import dataclasses
from pathlib import Path

import pytest

from proctor.canary.file import NAME, write
from proctor.redaction.model import CANARY, RedactionError
from proctor.redaction.recognizers.canaries import CanaryRecognizer
from tests.canary.test_file import VALUE, canary


def test_a_canary_is_found_as_soon_as_there_is_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / NAME
    recognizer = CanaryRecognizer(path, bytes(32))
    text = f"a {VALUE} b {base64.b64encode(VALUE.encode()).decode()} c"
    before = recognizer.loaded
    assert recognizer.analyze(text, []) == []
    write(path, [canary()])
    assert recognizer.loaded != before
    found = recognizer.analyze(text, [])
    assert [each.entity_type for each in found] == [CANARY] * len(found)
    assert text[found[0].start : found[0].end] == VALUE
    assert len(found) == 2
    assert found[0].recognition_metadata["detector"] == f"proctor:canary/{canary().id}"
    write(path, [])
    assert recognizer.loaded
    assert recognizer.analyze(text, []) == []


def test_a_file_that_broke_stops_everything(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / NAME
    write(path, [dataclasses.replace(canary(), note="x")])
    recognizer = CanaryRecognizer(path, bytes(32))
    path.write_text("{")
    with pytest.raises(RedactionError):
        _ = recognizer.loaded
