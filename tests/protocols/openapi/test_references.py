"""References: to places in the same file, or an error."""

import pytest

from proctor.errors import ConfigurationError
from proctor.protocols.openapi.references import follow, resolve
from tests.protocols.openapi.described import source

DATA = source(
    {
        "a/b": {"c~d": [10, {"e f": 1}]},
        "one": {"$ref": "#/two"},
        "two": {"$ref": "#/three"},
        "three": {"x": 1},
        "loop": {"$ref": "#/loop"},
        "word": "x",
    }
)


@pytest.mark.parametrize(
    ("reference", "pointer", "value"),
    [
        ("#", (), DATA.data),
        ("#/word", ("word",), "x"),
        ("#/a~1b/c~0d/0", ("a/b", "c~d", 0), 10),
        ("#/a~1b/c%7E0d/1/e%20f", ("a/b", "c~d", 1, "e f"), 1),
    ],
)
def test_places(reference: str, pointer: object, value: object) -> None:
    assert resolve(DATA, reference, ()) == (pointer, value)


@pytest.mark.parametrize(
    "reference",
    [
        "other.yaml",
        "other.yaml#/a",
        "https://example.org/api.json#/a",
        "file:///etc/passwd",
        "//example.org/x",
        "#anchor",
        "",
        1,
        None,
        "#/nowhere",
        "#/word/x",
        "#/a~1b/c~0d/2",
        "#/a~1b/c~0d/-1",
        "#/a~1b/c~0d/" + "9" * 5000,
    ],
)
def test_elsewhere_and_nowhere(reference: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(DATA, reference, ("one",))
    assert caught.value.code == "openapi-reference"
    assert caught.value.where == "api.json:10"


def test_following() -> None:
    assert follow(DATA, DATA.data["one"], ("one",)) == ({"x": 1}, ("three",))
    wrong: list[object] = [DATA.data["loop"], {"$ref": "#/word"}, [], "x"]
    for node in wrong:
        with pytest.raises(ConfigurationError) as caught:
            follow(DATA, node, ("loop",))
        assert caught.value.code == "openapi-invalid"
