"""Configured fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.redaction.fields import Fields
from proctor.redaction.structure.body import read_body


@pytest.mark.parametrize(
    ("pattern", "path", "selects"),
    [
        ("$.a", ("a",), True),
        ("$.a", ("a", "b", 0), True),  # what is in a field is part of it
        ("$.a", ("b", "a"), False),
        ("$.a", (), False),
        ("$..password", ("password",), True),
        ("$..password", ("users", 3, "password"), True),
        ("$..password", ("password_hint",), False),
        ("$..a..b", ("x", "a", 1, "b"), True),
        ("$..a..b", ("b", "a"), False),
        ("$..a.b", ("a", "a", "b"), True),
        ("$..a.b", ("a", "x", "b"), False),
        ("$.customers[*].iban", ("customers", 0, "iban"), True),
        ("$.customers[*].iban", ("customers", "iban"), False),
        ("$[0]", (0,), True),
        ("$[0]", ("0",), False),
        ("$['a b']", ("a b",), True),
        ('$["a\'\\"b"]', ("a'\"b",), True),
        ("$..['api-key']", ("x", "api-key"), True),
        ("$.*.b", ("a", "b"), True),
        ("$.*.b", (1, "b"), True),
        ("$..*", ("a",), True),
        ("$..[1]", ("a", 1), True),
        ("$[ 'a' ]", ("a",), True),
        ("$.größe", ("größe",), True),
        ("$.A", ("a",), False),
    ],
)
def test_what_a_pattern_selects(pattern: str, path: tuple[str | int, ...], selects: bool) -> None:  # noqa: FBT001 - a column of the table
    assert Fields([pattern]).matches(path) is selects


@pytest.mark.parametrize(
    "pattern",
    ["", "a", "$", "$.", "$..", "$.a.", "$a", "$.[0]", "$...a", "$[-1]", "$[0:2]", "$[?@.a]",
     "$['a'", "$['a','b']", "$.a-b", "$.0a", "$[01]", "$['a\nb']", "$ .a", "$.a ",
     "$" + ".a" * 300],
)  # fmt: skip
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Fields(["$.fine", pattern])
    assert caught.value.code == "field-pattern-invalid"
    assert repr(pattern[:20])[1:-1] in caught.value.got


def test_several_and_none() -> None:
    assert Fields(["$.a", "$.b"]).matches(("b",))
    assert not Fields([])
    assert not Fields([]).matches(("a",))


@pytest.mark.parametrize(
    ("content_type", "body", "pattern"),
    [
        ("application/json", b'{"a":[{"pin":"x"}]}', "$..pin"),
        ("application/json", b'{"a":"{\\"pin\\":{\\"b\\":\\"x\\"}}"}', "$.a.pin"),
        ("text/csv", b"pin,y\nx,1\n", "$[*].pin"),
        ("application/x-www-form-urlencoded", b"pin=x", "$.pin"),
        ("text/xml", b"<a><pin>x</pin></a>", "$.a.pin"),
        ("text/xml", b"<a pin='x'/>", "$..pin"),
    ],
)
def test_in_bodies(content_type: str, body: bytes, pattern: str) -> None:
    layout = read_body(body, content_type)
    fields = Fields([pattern])
    chosen = [
        leaf.text
        for leaf, path in zip(layout.leaves, layout.paths, strict=True)
        if fields.matches(path)
    ]
    assert chosen == ["x"]


@given(st.lists(st.sampled_from(["..a", ".a", "[*]", "..*", "..['b']"]), min_size=1, max_size=12))
def test_long_patterns_and_paths_cost_little(segments: list[str]) -> None:
    fields = Fields(["$" + "".join(segments)])
    assert isinstance(fields.matches(("a",) * 5000 + ("c",)), bool)


@given(st.text(alphabet="$.[]*'\"a0\\ ", max_size=20))
def test_any_pattern_is_read_or_refused(pattern: str) -> None:
    try:
        fields = Fields([pattern])
    except ConfigurationError:
        return
    assert fields
    assert not fields.matches(())
