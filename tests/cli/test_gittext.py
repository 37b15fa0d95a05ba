"""A push, told."""

import json
from typing import Any

import pytest

from proctor.cli.gittext import push_lines, said_lines

A, B = "a" * 40, "b" * 40
SAID: dict[str, Any] = {
    "refs": [{"ref": "refs/heads/main", "old": A, "new": B, "change": "forced"}],
    "options": ["ci.skip"],
    "commits": [{"id": B, "author": "a@b.c", "subject": "Words"}] * 20,
    "commits_in_all": 300,
    "paths": [{"path": "a/b", "bytes": 3}],
    "paths_in_all": 1,
    "unknown": True,
    "incomplete": ["a tree"],
}


def test_a_push() -> None:
    lines = list(push_lines(json.dumps(SAID)))
    assert lines[:2] == [
        ("push", "forced refs/heads/main aaaaaaaaaaaa..bbbbbbbbbbbb"),
        ("option", "ci.skip"),
    ]
    assert lines[2:14] == [("commit", "bbbbbbbbbbbb Words <a@b.c>")] * 12
    assert lines[14:] == [
        ("commit", "… 288 more"),
        ("path", "a/b"),
        ("unknown", "not all of it could be told; a tree"),
    ]


@pytest.mark.parametrize("body", ["", "0000", "{}", "[]", '{"refs": 3}'])
def test_what_is_none(body: str) -> None:
    assert list(push_lines(body)) == []


def test_what_the_server_said() -> None:
    words = "Counting: 1\rCounting: 2\n\nunpack ok\n"
    assert list(said_lines(json.dumps({"said": words}))) == [
        ("remote", "Counting: 1"),
        ("remote", "Counting: 2"),
        ("remote", "unpack ok"),
    ]
    many = list(said_lines(json.dumps({"said": "\n".join(map(str, range(30)))})))
    assert many[0] == ("remote", "… 18 more")
    assert many[-1] == ("remote", "29")
    for none in ("", "[]", "{}", "x"):
        assert list(said_lines(none)) == []
