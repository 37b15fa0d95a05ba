"""Nobody waits for what is made ready beside the start."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proctor.arriving import warming


@pytest.mark.parametrize("named", [True, False])
def test_it_is_made_ready_beside_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, named: bool
) -> None:
    started, go, done = threading.Event(), threading.Event(), threading.Event()
    given: list[Path | None] = []

    def warm(cache: Path | None) -> None:
        given.append(cache)
        started.set()
        go.wait(30)
        done.set()

    monkeypatch.setattr(warming, "warm", warm)
    cache = tmp_path / "named" if named else None
    config: Any = SimpleNamespace(redaction=SimpleNamespace(cache=cache), state=tmp_path / "state")
    warming.warm_beside(config)
    assert started.wait(30)
    assert not done.is_set()
    go.set()
    assert done.wait(30)
    assert given == [cache or tmp_path / "state" / "compiled"]
