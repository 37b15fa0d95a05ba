"""Values that pass."""

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.allow import AllowList


def test_values_and_expressions_are_matched_as_a_whole() -> None:
    allow = AllowList.parse(["jane@corp.io", r"/.*@example\.(com|org)/", "/"])

    assert allow.allows("jane@corp.io")
    assert allow.allows("roe@example.org")
    assert allow.allows("/")
    assert not allow.allows("xjane@corp.io")
    assert not allow.allows("roe@example.organic")
    assert not allow.allows("")


def test_nothing_is_allowed_by_default() -> None:
    assert not AllowList().allows("")


def test_the_version_tells_lists_apart() -> None:
    lists = [[], ["a"], ["b"], ["/a/"], ["a", "b"]]

    assert len({AllowList.parse(entries).version for entries in lists}) == len(lists)
    assert AllowList.parse(["b", "a"]).version == AllowList.parse(["a", "b"]).version


def test_an_expression_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AllowList.parse(["/(/"])

    assert caught.value.code == "redaction-allow"
    assert "/(/" in str(caught.value)
