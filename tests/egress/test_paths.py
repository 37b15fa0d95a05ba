"""Paths of destinations, however an upstream reads them."""

# ruff: noqa: RUF001 - letters that look alike are the test
import posixpath
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.egress.paths import PathPattern, ambiguous, choose, normalized


@pytest.mark.parametrize(
    "path",
    [
        *("/..", "/.", "/a/..", "/a/../b", "/a/./b", "/./a", "/../a", "/...", "/a/.../b"),
        *("/%2e%2e", "/%2E%2e/a", "/.%2e/a", "/%2e./a", "/a/%2e/b", "/%2e"),
        *("/%252e%252e/a", "/%25%32%65%25%32%65/a", "/%25252e%25252e/a", "/.%252e/a"),
        *("/..%2fa", "/a%2f..%2fb", "/a%2F%2E%2E%2Fb", "/..%252fa", "/a%2f.%2fb", "/%2f..%2f"),
        *("/..%5ca", "/a%5c..%5cb", "/%5c..", "/..%255ca", "/a%5c%2e%2e"),
        *("/a\\b", "/..\\a", "\\a", "/\\..\\a", "/\\a"),
        *("/..;/a", "/..;x=1/a", "/.;/a", "/..%3b/a", "/%2e%2e;/a", "/..;a=b;c/d", "/..%253b/a"),
        *("/..%3fa", "/..%23a", "/%2e%2e%3f"),
        *("/..%20/a", "/%20../a", "/.. /a", "/a/.%20"),
        *("/a%00", "/..%00/a", "/a%0a", "/a%0d%0ab", "/a%7f", "/a%2500", "/a%1f", "/a%09"),
        *("/a\0", "/a\n", "/a\r\n", "/a\x7f", "/a b", "/a\t"),
        # RFC 3629, 3: overlong forms, surrogates, and other bytes that are no UTF-8
        *("/%c0%ae%c0%ae/a", "/%c0%2e", "/%e0%80%ae", "/%f0%80%80%ae", "/%c0%af", "/%c1%9c"),
        *("/%fc%80%80%80%80%ae", "/%ed%a0%80", "/%e9", "/%ff", "/%25c0%25ae", "/%e2%80"),
        *("/．．/a", "/%EF%BC%8E%EF%BC%8E/a", "/%EF%BC%8E%2E%EF%BC%8Fa", "/%E2%80%A5/a"),
        *("/%u002e%u002e/a", "/%", "/%2", "/%zz", "/a%", "/a%2x"),
        *("", "a", "*", "a/b", "http://a/b", "/a?b", "/a#b", "/é", "/a\udc80"),
        *("/a%25252525252e", "/" + "a" * 16384),
    ],
)
def test_ambiguous(path: str) -> None:
    assert ambiguous(path)
    assert not PathPattern.parse("/**").matches(path)
    assert choose(path, [PathPattern.parse("/")], lambda item: item) is None


@pytest.mark.parametrize(
    "path",
    [
        *("/", "//", "/a", "/a/", "/a//b", "/a/b.c", "/.well-known/x", "/..a", "/a..", "/a../b"),
        *("/a..b/c", "/a...b", "/.git/config", "/a.", "/~alice", "/@scope/name", "/@scope%2Fname"),
        *("/a%2fb", "/a;v=1/b", "/a;b", "/a%20b", "/%E3%81%82", "/caf%C3%A9", "/a%25b", "/100%25"),
        *("/a%252Fb", "/a%5Cb", "/%7Balice%7D", "/a:b@c,d=e+f!$&'()*", "/%F0%9F%98%80", "/a%3Fb"),
        *("/a|b", '/a"b', "/[a]", "/%EF%BC%8Fa", "/;..", "/a;.."),
    ],
)
def test_not_ambiguous(path: str) -> None:
    assert not ambiguous(path)
    assert PathPattern.parse("/**").matches(path)


@given(st.text("/.%25eEfFcC3bB\\;aé", max_size=12).map(lambda text: "/" + text))
def test_what_climbs_is_ambiguous(path: str) -> None:
    """Whoever decodes, cuts and resolves, in any usual order, ends where the path says."""
    if ambiguous(path):
        return
    text = path
    for _ in range(4):
        for reading in (text, text.replace("\\", "/"), re.sub(r";[^/]*", "", text)):
            parts = reading.split("/")
            assert not {".", ".."} & set(parts)
            merged = posixpath.normpath(reading).lstrip("/")
            assert merged == re.sub("/+", "/", reading).strip("/") or not merged.strip(".")
        text = unquote(text, errors="strict")


@given(st.text("/a%2Ff5cC4b1;*.Z~", max_size=10).filter(lambda text: not ambiguous("/" + text)))
def test_normalized_is_stable_and_says_the_same(text: str) -> None:
    once = normalized(text)
    assert normalized(once) == once
    assert unquote(once) == unquote(text)
    assert once.count("/") == text.count("/")
    assert once.count(";") == text.count(";")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/a/b", "/a/b"),
        ("/%61/%41%5f%7e", "/a/A_~"),
        ("/%40scope%2fname", "/@scope%2Fname"),
        ("/a%3bb%3Bc", "/a%3Bb%3Bc"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/%2561", "/%2561"),
        ("/%2a", "/*"),
    ],
)
def test_normalized(path: str, plain: str) -> None:
    assert normalized(path) == plain


@pytest.mark.parametrize(
    ("pattern", "path", "yes"),
    [
        # beneath, and itself
        *(("/v1/**", path, True) for path in ("/v1", "/v1/", "/v1/a", "/v1/a/b", "/v1//a")),
        ("/v1/**", "/%761/a", True),
        *(("/v1/**", path, False) for path in ("/", "/v", "/v12", "/v1a/b", "/V1/a", "//v1/a")),
        ("/v1/**", "/a/v1", False),
        *(("/v1/**", path, True) for path in ("/v1/a%2Fb", "/v1/a;b", "/v1/a%252Fb", "/v1/%5Ca")),
        *(("/v1/**", path, False) for path in ("/v1%2Fa", "/v1;a/b", "/v1%252Fa", "/v1%5Ca")),
        ("/v1/**", "/;/v1/a", False),
        # one segment
        *(("/v1/*", path, True) for path in ("/v1/a", "/v1/a.b", "/v1/%20", "/v1/*")),
        *(("/v1/*", path, False) for path in ("/v1", "/v1/", "/v1/a/b", "/v1/a/", "/v1//a")),
        ("/v1/*", "/v1//", False),
        *(("/v1/*", path, False) for path in ("/v1/a%2Fb", "/v1/a%5cb", "/v1/a%252fb", "/v1/;a")),
        *(("/v1/*", path, True) for path in ("/v1/a;b", "/v1/a%3Bb", "/v1/a%25b")),
        ("/v1/*/items", "/v1/a/items", True),
        ("/v1/*/items", "/v1/a/items/b", False),
        ("/v1/*/items", "/v1/a/b/items", False),
        ("/v1/*/items", "/v1/a%2Fitems", False),
        ("/v1/*/items/**", "/v1/a/items", True),
        ("/v1/*/items/**", "/v1/a/items/b/c", True),
        ("/v1/*/items/**", "/v1/a%2Fx/items/c", False),
        # within segments
        ("/files/*.json", "/files/a.json", True),
        ("/files/*.json", "/files/%61%2Ejson", True),
        ("/files/*.json", "/files/a.json;v=1", False),
        ("/files/*.json", "/files/a.json/b", False),
        ("/files/*.json", "/files/.json", True),
        ("/files/a*b*c", "/files/abc", True),
        ("/files/a*b*c", "/files/axbxbxc", True),
        ("/files/a*b*c", "/files/acb", False),
        ("/files/ab*ba", "/files/aba", False),
        ("/files/ab*ba", "/files/abba", True),
        # without wildcards: itself and beneath
        *(("/jira", path, True) for path in ("/jira", "/jira/", "/jira/x", "/%6aira")),
        ("/jira", "/jira/x%2Fy", True),
        *(("/jira", path, False) for path in ("/jirax", "/jira.x", "/jira%2Fx", "//jira")),
        *(("/jira", path, False) for path in ("/x/jira", "/")),
        *(("/jira", path, False) for path in ("/jira%20", "/jira%25", "/JIRA")),
        ("/caf%c3%a9", "/caf%C3%A9/x", True),
        ("/%40scope", "/@scope", True),
        *((root, path, True) for root in ("/", "/**") for path in ("/", "/a", "//a", "/a%2Fb;c")),
    ],
)  # fmt: skip
def test_matches(pattern: str, path: str, *, yes: bool) -> None:
    assert PathPattern.parse(pattern).matches(path) is yes


@pytest.mark.parametrize(
    "text",
    [
        *("", "v1", "v1/**", "*", "**", "/v1/", "/v1/**/", "/v1**", "/**/v1", "/a/**/b", "/a/***"),
        *(
            "//",
            "//**",
            "/a//b",
            "/../a",
            "/a/./b",
            "/a/%2e%2e",
            "/a%2Fb",
            "/a;b",
            "/a%3Bb",
            "/a\\b",
        ),
        *("/a%5cb", "/a%25b", "/a?b", "/a#b", "/a b", "/é", "/a%", "/a\n", "/" + "a" * 1024),
    ],
)
def test_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a path such as /v1/\*\*"):
        PathPattern.parse(text)


@pytest.mark.parametrize(
    ("pattern", "prefix", "path", "rest"),
    [
        ("/", "", "/a/b", "/a/b"),
        ("/**", "", "/", "/"),
        ("/jira", "/jira", "/jira", ""),
        ("/jira", "/jira", "/jira/", "/"),
        ("/jira", "/jira", "/jira/a%2fb/%63", "/a%2fb/%63"),
        ("/jira", "/jira", "/%6A%69ra/a", "/a"),
        ("/v1/**", "/v1", "/v1/a//b", "/a//b"),
        ("/a/b/*/c", "/a/b", "/a/b/x/c", "/x/c"),
        ("/a/b*/c", "/a", "/a/bx/c", "/bx/c"),
    ],
)
def test_prefix_and_rest(pattern: str, prefix: str, path: str, rest: str) -> None:
    parsed = PathPattern.parse(pattern)
    assert parsed.matches(path)
    assert parsed.prefix == prefix
    assert parsed.rest(path) == rest


def test_the_closer_pattern_is_more_specific() -> None:
    closer_and_closer = ["/**", "/*/**", "/*", "/v*/**", "/v1*", "/v1/**", "/v1/*/**", "/v1/*"]
    closer_and_closer += ["/v1/a*", "/v1/ab*", "/v1/abc", "/v1/abc/d"]
    ranks = [PathPattern.parse(text).specificity for text in closer_and_closer]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)
    assert PathPattern.parse("/").specificity == PathPattern.parse("/**").specificity


def _chosen(path: str, *texts: str) -> str | None:
    found = choose(path, [PathPattern.parse(text) for text in texts], lambda item: item)
    return found.text if found else None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/mcp", "/mcp"),
        ("/mcp/x", "/mcp"),
        ("/%6dcp", "/mcp"),
        ("/mcp/x%2Fy", "/mcp"),
        ("/mcpx", "/**"),
        ("/other", "/**"),
        ("/other%2Fmcp", "/**"),
        # One reading leads to /mcp, another to /**.
        ("/mcp%2Fx", None),
        ("/mcp%252Fx", None),
        ("/%256dcp", None),
        ("/%25%36%44cp", None),
        ("/mcp%5Cx", None),
        ("//mcp", None),
        ("/mcp;x", None),
        ("/mcp;x/y", None),
        ("/mcp%3Bx", None),
        ("/;//mcp", None),
        ("/%2Fmcp", None),
        ("/a/../mcp", None),
    ],
)
def test_choose(path: str, text: str | None) -> None:
    assert _chosen(path, "/**", "/mcp") == text
    assert _chosen(path, "/mcp", "/**") == text


def test_choose_takes_the_closest_or_nothing() -> None:
    assert _chosen("/v1/a", "/v1/**", "/v1/*", "/v1/a*") == "/v1/a*"
    assert _chosen("/v1/a/b", "/v1/**", "/v1/*", "/v1/a*") == "/v1/**"
    assert _chosen("/v2", "/v1/**") is None
    assert _chosen("/v2") is None
    # A middle reading alone, with double slashes merged, leads elsewhere.
    assert _chosen("/v1//;/secret", "/v1/**", "/v1/*/secret") is None


@given(st.text("/ab%2F5Cc;", max_size=14).map(lambda text: "/" + text))
def test_choose_agrees_with_every_upstream(path: str) -> None:
    """Whatever an upstream does to a path, it belongs to the pattern chosen for it."""
    patterns = [PathPattern.parse(text) for text in ("/a", "/a/b", "/b/*", "/**")]
    found = choose(path, patterns, lambda item: item)
    if found is None:
        return
    for decoded in (path, unquote(path), unquote(unquote(path))):
        for slashed in (decoded, decoded.replace("\\", "/")):
            for stripped in (slashed, re.sub(r";[^/]*", "", slashed)):
                for merged in (stripped, re.sub("/+", "/", stripped)):
                    routed = quote(merged, safe="/;%")
                    holding = [item for item in patterns if item.holds(routed)]
                    assert max(holding, key=lambda item: item.specificity) == found


@given(st.lists(st.sampled_from(["a", "b", "*", "a*", "*b"]), min_size=1, max_size=4), st.data())
def test_asterisks_are_what_a_regular_expression_says(
    segments: list[str], data: st.DataObject
) -> None:
    text = "/" + "/".join(segments)
    path = "/" + data.draw(st.text("ab/", max_size=8).filter(lambda path: "//" not in path))
    expression = "/".join(
        "[^/]+" if segment == "*" else segment.replace("*", "[^/]*") for segment in segments
    )
    beneath = "" if "*" in text else "(?:/.*)?"
    expected = re.fullmatch(f"/{expression}{beneath}", path) is not None
    assert PathPattern.parse(text).matches(path) is (expected and not path.startswith("//"))


def test_long_paths_are_quick() -> None:
    pattern = PathPattern.parse("/" + "*a" * 100 + "b")
    assert not pattern.matches("/" + "a" * 16000)
    assert not pattern.matches("/%61;" + "%2561" * 3200)
    assert ambiguous("/" + "%2525252e" * 1800 + "x")
    assert not ambiguous("/" + "a.;/" * 4000)
