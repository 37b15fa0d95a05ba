"""A push as the record has it."""

import json
from typing import Any

import pytest

from proctor.model import GitFields
from proctor.policy.gitcase import push_of

A, B = "a" * 40, "b" * 40
SAID: dict[str, Any] = {
    "repository": "git.internal/team/app",
    "refs": [
        {"ref": "refs/heads/main", "old": A, "new": B, "change": "forced"},
        {"ref": "refs/heads/x", "old": A, "new": "0" * 40, "change": "delete"},
    ],
    "options": [],
    "commits": [{"id": B, "author": "a@b.c", "committer": "", "subject": "x"}],
    "commits_in_all": 1,
    "paths": [{"path": "a/b", "bytes": 3}, {"path": "c", "bytes": -1}],
    "paths_in_all": 2,
    "pack": {"bytes": 100, "objects": 3, "names": ""},
    "unknown": False,
    "incomplete": [],
}


def test_what_a_push_did() -> None:
    fields = GitFields(
        repository="git.internal/team/app",
        service="push",
        refs=("refs/heads/main", "refs/heads/x"),
        old=(A, A),
        new=(B, "0" * 40),
        forced=True,
        deleted=True,
        authors=("a@b.c",),
        paths=("a/b", "c"),
        commits=1,
        bytes=100,
    )
    assert push_of(json.dumps(SAID).encode()) == (fields, frozenset())


def test_what_is_not_all_there() -> None:
    found = push_of(json.dumps(SAID | {"commits_in_all": 500}).encode())
    assert found is not None
    assert found[1] == {"git.authors"}
    assert found[0].commits == 500


@pytest.mark.parametrize("body", [None, b"", b"[]", b"{}", b"0000", b'{"refs": 1}', b"\xff"])
def test_what_is_no_push(body: bytes | None) -> None:
    assert push_of(body) is None
