"""Pushes taken from the record, whose body is what a push did: see `git.pushing`."""

from typing import Any, Final

import orjson

from proctor.model import GitFields

REPLACED: Final = frozenset({"git.authors", "git.paths", "git.refs"})
"""Fields that may hold something else than rules saw, where something was taken out."""

_FLAGS: Final = {"forced": "forced", "deleted": "delete"}


def push_of(body: bytes | None) -> tuple[GitFields, frozenset[str]] | None:
    """What a push did, and the fields of which not all is on record; None: that is not known.

    Args:
        body: As the record holds it.
    """
    try:
        return _push(orjson.loads(body or b""))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _push(said: dict[str, Any]) -> tuple[GitFields, frozenset[str]]:
    refs, commits, paths = said["refs"], said["commits"], said["paths"]
    changes = {each["change"] for each in refs}
    mails = {each[who] for each in commits for who in ("author", "committer") if each[who]}
    fields = GitFields(
        repository=str(said["repository"]),
        service="push",
        refs=tuple(str(each["ref"]) for each in refs),
        old=tuple(str(each["old"]) for each in refs),
        new=tuple(str(each["new"]) for each in refs),
        authors=tuple(sorted(map(str, mails))),
        paths=tuple(str(each["path"]) for each in paths),
        commits=int(said["commits_in_all"]),
        bytes=int(said["pack"]["bytes"]),
        unknown=bool(said["unknown"]),
        **{name: word in changes for name, word in _FLAGS.items()},
    )
    cut = {"git.authors"} if fields.commits > len(commits) else set[str]()
    return fields, frozenset(cut)
