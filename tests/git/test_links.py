"""Where objects of LFS are, by who was told."""

import pytest

from proctor.git import links
from proctor.git.links import Links
from proctor.protocols.git.lfs import Link


def link(href: str) -> Link:
    return Link(method="GET", action="download", href=href, oid="a" * 64, size=1)


def test_only_who_was_told_and_how() -> None:
    known = Links()
    known.told("alice", "host/app", link("https://HOST/a%20b/%2e?x=%2F"))
    assert known.of("alice", "GET", "https://host:443/a b/.?x=%2F") is not None
    assert known.of("bob", "GET", "https://host/a b/.?x=%2F") is None
    assert known.of("alice", "PUT", "https://host/a b/.?x=%2F") is None
    assert known.of("alice", "GET", "http://host/a b/.?x=%2F") is None
    assert known.of("alice", "GET", "https://host/a b/.?x=/") is None


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST", 2)
    known = Links()
    for number in range(3):
        known.told("alice", "r", link(f"https://h/{number}"))
    assert known.of("alice", "GET", "https://h/0") is None
    assert known.of("alice", "GET", "https://h/2") is not None
