"""The file of canaries."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proctor.canary.file import NAME, Canary, read, write
from proctor.canary.marks import Marker
from proctor.errors import ConfigurationError

VALUE = "k3JrT9wQx7Lm2Zc8Vb5N"


def canary(number: int = 1) -> Canary:
    return Canary(
        id=f"cn_{number:012x}",
        kind="text",
        note="an old key",
        principal="",
        place="/etc/app.env",
        created=datetime(2026, 3, 4, tzinfo=UTC),
        marks=Marker(bytes(32)).marks(VALUE),
    )


def test_what_is_written_is_read_and_holds_no_value(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / NAME
    assert read(path) == ()
    write(path, [canary(), canary(2)])
    assert read(path) == (canary(), canary(2))
    assert path.stat().st_mode & 0o777 == 0o600
    assert VALUE[:8].lower() not in path.read_text().lower()
    assert "marks" not in canary().as_json()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"canaries": [{"id": "x"}]}', '{"canaries": 3}'])
def test_what_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / NAME
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert caught.value.code == "canaries-file"


def test_what_others_can_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    path = tmp_path / NAME
    write(path, [canary()])
    path.chmod(0o644)
    with pytest.raises(ConfigurationError):
        read(path)
