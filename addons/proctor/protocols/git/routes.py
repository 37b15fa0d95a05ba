"""Which part of smart HTTP a request is for (gitprotocol-http, and the API of Git LFS)."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from urllib.parse import unquote

UPLOAD: Final = "git-upload-pack"
RECEIVE: Final = "git-receive-pack"
_INFO: Final = "/info/refs"
_LFS: Final = re.compile(r"(?P<repository>/.+?)/info/lfs(?:/.*)?")


class GitRoute(Enum):
    """What is asked for."""

    FETCH_REFS = auto()
    """`GET …/info/refs?service=git-upload-pack`"""

    PUSH_REFS = auto()
    """`GET …/info/refs?service=git-receive-pack`"""

    FETCH = auto()
    """`POST …/git-upload-pack`"""

    PUSH = auto()
    """`POST …/git-receive-pack`"""

    LFS = auto()
    """Git LFS's own API, beneath `…/info/lfs`."""

    OTHER = auto()
    """Anything else: above all the dumb protocol, in which a server sends its files."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a request leads.

    Attributes:
        route: To what.
        repository: Its path, decoded, without the slash before and `.git` behind it.
    """

    route: GitRoute
    repository: str = ""


def routed(method: str, path: str, query: str) -> Asked:
    """What a request asks for.

    Args:
        method: As sent.
        path: Without its query.
        query: Without the `?`.
    """
    if found := _LFS.fullmatch(path):
        return Asked(GitRoute.LFS, _named(found["repository"]))
    if method == "GET" and path.endswith(_INFO):
        # As sent by git there is this one parameter; another could be read as another service.
        route = {
            f"service={UPLOAD}": GitRoute.FETCH_REFS,
            f"service={RECEIVE}": GitRoute.PUSH_REFS,
        }.get(query, GitRoute.OTHER)
        return Asked(route, _named(path.removesuffix(_INFO)))
    if method == "POST" and not query:
        for service, route in ((UPLOAD, GitRoute.FETCH), (RECEIVE, GitRoute.PUSH)):
            if path.endswith(f"/{service}"):
                return Asked(route, _named(path.removesuffix(f"/{service}")))
    return Asked(GitRoute.OTHER)


def content_type(service: str, what: str) -> str:
    """`application/x-git-receive-pack-result` and its like.

    Args:
        service: UPLOAD or RECEIVE.
        what: `advertisement`, `request` or `result`.
    """
    return f"application/x-{service}-{what}"


def _named(path: str) -> str:
    return unquote(path).strip("/").removesuffix(".git")
