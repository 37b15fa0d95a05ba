"""Which part of smart HTTP a request is for."""

import pytest

from proctor.protocols.git.routes import Asked, GitRoute, content_type, routed


@pytest.mark.parametrize(
    ("method", "target", "route", "repository"),
    [
        ("GET", "/a/b.git/info/refs?service=git-upload-pack", GitRoute.FETCH_REFS, "a/b"),
        ("GET", "/a/info/refs?service=git-receive-pack", GitRoute.PUSH_REFS, "a"),
        ("POST", "/a/b.git/git-upload-pack", GitRoute.FETCH, "a/b"),
        ("POST", "/a%20b.git/git-receive-pack", GitRoute.PUSH, "a b"),
        ("POST", "/a/b.git/info/lfs/objects/batch", GitRoute.LFS, "a/b"),
        ("GET", "/a/b/info/lfs", GitRoute.LFS, "a/b"),
        ("GET", "/a/info/refs", GitRoute.OTHER, "a"),
        ("GET", "/a/info/refs?service=git-upload-pack&x", GitRoute.OTHER, "a"),
        (
            "GET",
            "/a/info/refs?service=git-upload-pack&service=git-receive-pack",
            GitRoute.OTHER,
            "a",
        ),
        ("GET", "/a/info/refs?service=git%2Dreceive-pack", GitRoute.OTHER, "a"),
        ("HEAD", "/a/info/refs?service=git-upload-pack", GitRoute.OTHER, ""),
        ("GET", "/a/git-upload-pack", GitRoute.OTHER, ""),
        ("POST", "/a/git-receive-pack?x=1", GitRoute.OTHER, ""),
        ("GET", "/a/objects/info/packs", GitRoute.OTHER, ""),
        ("GET", "/a/HEAD", GitRoute.OTHER, ""),
        ("POST", "/git-receive-pack", GitRoute.PUSH, ""),
    ],
)
def test_routes(method: str, target: str, route: GitRoute, repository: str) -> None:
    path, _, query = target.partition("?")
    assert routed(method, path, query) == Asked(route, repository)


def test_types() -> None:
    assert content_type("git-upload-pack", "result") == "application/x-git-upload-pack-result"
