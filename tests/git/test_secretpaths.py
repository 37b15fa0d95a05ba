"""Patterns as in a .gitignore, and what is remembered."""

from pathlib import Path

import pytest

from proctor.git import secretpaths
from proctor.git.secretpaths import Places, SecretPaths


@pytest.mark.parametrize(
    ("patterns", "path", "secret"),
    [
        (["**/.env"], b".env", True),
        (["**/.env"], b"a/b/.env", True),
        (["**/.env"], b"a/b/.env.example", False),
        (["secrets/**"], b"secrets/a/b", True),
        (["secrets/**"], b"x/secrets/a", False),
        (["secrets/"], b"x/secrets/a", True),
        (["/config/prod.env"], b"config/prod.env", True),
        (["/config/prod.env"], b"x/config/prod.env", False),
        (["*.pem", "!public.pem"], b"a.pem", True),
        (["*.pem", "!public.pem"], b"public.pem", False),
        (["*.pem"], b"A.PEM", True),
        (["*.pem"], b"\xff\n.pem", True),
        (["secrets/**"], b"secrets/\n/\xff", True),
        ([], b"a", False),
    ],
)
def test_match(patterns: list[str], path: bytes, secret: bool) -> None:  # noqa: FBT001
    found = SecretPaths(patterns)
    assert found.match(path) is secret
    assert bool(found) is bool(patterns)


def test_places_are_kept_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secretpaths, "MOST", 3)
    places = Places(tmp_path / "places.db")
    places.add("one", [(bytes([number]), b"p") for number in range(5)])
    places.add("one", [(b"\x04", b"q")])
    assert places.of("one", [b"\x00", b"\x03", b"\x04"]) == {b"\x03": [b"p"], b"\x04": [b"p", b"q"]}
    assert places.of("two", [b"\x04"]) == {}
