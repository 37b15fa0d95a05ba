"""What a value in proctor.yaml may be."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from proctor import fields
from proctor.fields import Settings, nearest, problem

BASE = Path("/etc/proctor")


def check(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value, context={"base": BASE})


@pytest.mark.parametrize(
    ("kind", "value", "result"),
    [
        (fields.FilePath, "rules/", BASE / "rules"),
        (fields.FilePath, "/srv/rules", Path("/srv/rules")),
        (fields.FilePath, Path("as/it/is"), Path("as/it/is")),
        (fields.Name, "claude-1", "claude-1"),
        (fields.HeaderName, "X-Api-Key", "x-api-key"),
        (fields.Command, "op read 'op://a b/c'", ("op", "read", "op://a b/c")),
        (fields.Command, ("./get", "a"), ("/etc/proctor/get", "a")),
        (fields.Command, ["/bin/get"], ("/bin/get",)),
        (fields.SecureUrl, "https://idp.internal/realms/corp", "https://idp.internal/realms/corp"),
        (fields.SecureUrl, "http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
        (fields.IssuerName, "local", "local"),
        (fields.Seconds, "4m", 240.0),
        (fields.Bytes, "1KiB", 1024),
        (fields.Scheme, "Bearer", "Bearer"),
        (fields.Variable, "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY"),
    ],
)
def test_taken(kind: Any, value: object, result: object) -> None:
    assert check(kind, value) == result


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (fields.FilePath, ["", "~/x", "a\0b", 3, None, ["a"]]),
        (fields.Name, ["", "A", "a b", "-a", "a" * 64, "a\n", 1]),
        (fields.HeaderName, ["", "a b", "a:", "Host", "content-length", "x\r\ny", 1]),
        (fields.Command, ["", "'open", [], [""], ["a", 1], ["a\0"], 3, ["a"] * 65]),
        (fields.SecureUrl, ["http://idp", "https://u:p@idp", "https://idp?x", "https://idp/#", ""]),
        (fields.SecureUrl, ["https://", "https://idp/a b", "https://idp/\n", "idp", 1, "local"]),
        (fields.IssuerName, ["Local", "localhost", ""]),
        (fields.ListenAddress, ["8080", 8080, None]),
        (fields.UpstreamOrigin, ["x", 1, "https://x/y"]),
        (fields.ProxyOrigin, ["socks5://proxy", "http://u:p@proxy", "proxy:3128"]),
        (fields.Seconds, ["x", None, True, []]),
        (fields.Bytes, ["x", None, True, 1.5]),
        (fields.Scheme, ["Bearer x", ""]),
        (fields.Variable, ["1A", "A-B", ""]),
    ],
)
def test_refused(kind: Any, values: list[object]) -> None:
    for value in values:
        with pytest.raises(ValidationError):
            check(kind, value)


class Example(Settings):
    not_built: ClassVar = {"later": None, "kind": frozenset({"newer"})}

    kind: str = "old"
    count: int = 0


@pytest.mark.parametrize(
    ("data", "code", "key"),
    [
        ({"later": {}}, "not-available", "later"),
        ({"kind": "newer"}, "not-available", "kind"),
        ({"cuont": 1}, "unknown-key", "cuont"),
    ],
)
def test_keys(data: dict[str, Any], code: str, key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate(data)
    (error,) = caught.value.errors()
    assert error["type"] == code
    assert error["ctx"]["key"] == key


def test_settings_are_frozen_and_strict() -> None:
    example = Example(kind="x")
    with pytest.raises(ValidationError):
        example.kind = "y"
    with pytest.raises(ValidationError):
        Example.model_validate({"count": "1"})
    with pytest.raises(ValidationError):
        Example.model_validate(["x"])


@pytest.mark.parametrize(
    ("word", "text"),
    [("cuont", "Did you mean 'count'?"), ("zzz", "Known here: count, kind.")],
)
def test_nearest(word: str, text: str) -> None:
    assert nearest(word, ["kind", "count"]) == text
    assert nearest(word, []) == ""


def test_a_problem_may_hold_braces() -> None:
    assert problem("x", "one of {env: NAME}").message() == "one of {env: NAME}"


@given(st.text(max_size=40))
def test_a_command_line_is_read_or_refused(text: str) -> None:
    try:
        words = check(fields.Command, text)
    except ValidationError:
        return
    assert words
    assert all(isinstance(word, str) for word in words)
