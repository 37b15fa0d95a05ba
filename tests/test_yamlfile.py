"""YAML files as plain data that remembers its lines."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor import yamlfile
from proctor.errors import ConfigurationError
from proctor.yamlfile import parse, read

GOOD = b"""\
# a comment
one: 1
list:
  - name: a
    on: sql.statement
  - {name: b, at: 2024-01-01}
block: |
  two
  lines
yes: no
"""


def test_data_is_plain_and_of_yaml_1_2() -> None:
    assert parse(GOOD, name="f").data == {
        "one": 1,
        "list": [{"name": "a", "on": "sql.statement"}, {"name": "b", "at": "2024-01-01"}],
        "block": "two\nlines\n",
        "yes": "no",
    }


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ((), 1),
        (("one",), 2),
        (("list",), 3),
        (("list", 0), 4),
        (("list", 0, "on"), 5),
        (("list", 1, "at"), 6),
        (("list", 1, "nowhere", "deeper"), 6),
        (("block",), 7),
        (("nowhere",), 1),
    ],
)
def test_lines(keys: tuple[str | int, ...], line: int) -> None:
    document = parse(GOOD, name="f")
    assert document.line(*keys) == line
    assert document.where(*keys) == f"f:{line}"


def test_an_empty_file_is_none() -> None:
    assert parse(b"# nothing\n", name="f").data is None


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"a: 1\nb: 2\na: 3", 3, "'a' stands twice, first in line 1"),
        (b"x:\n  a: {b: 1, b: 1}", 2, "stands twice"),
        (b"a: &x 1\nb: *x", 1, "Anchors and aliases"),
        (b"a: &x 1", 1, "Anchors"),
        (b"a: !!python/name:os.system", 1, "tag"),
        (b"a:\n  !x {b: 1}", 2, "tag"),
        (b"%YAML 1.1\n---\na: 1", 2, "directive"),
        (b"---\na: 1\n---\nb: 1", 3, "More than one document"),
        (b"[" * 40, 1, "deep"),
        (b"- " * 40 + b"a", 1, "deep"),
        (b"a: \x01", 1, "Not YAML"),
        (b"a: 1\nb: \xff", 2, "UTF-8"),
        (b"1: 2", 1, "A key must be a word"),
        (b"? [a]\n: b", 1, "A key must be a word"),
        (b"a: 1\nb: " + b"9" * 5000, 2, "Not a number"),
        (b"a: .inf", 1, "finite"),
        (b"a: .nan", 1, "finite"),
        (b'a: "\\ud800"', 1, "surrogate"),
        (b"a: 1\n\tb: 1", 2, "Not YAML"),
        (b"a: [1", 1, "Not YAML"),
    ],
)
def test_refused(raw: bytes, line: int, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(raw, name="f")
    assert caught.value.code == "yaml-invalid"
    assert caught.value.where == f"f:{line}"
    assert words in str(caught.value)


def test_an_error_does_not_repeat_what_the_file_holds() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(b"key: [sk-ant-secret\nother: 1", name="f")
    assert "sk-ant" not in str(caught.value)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(yamlfile, "MAX_BYTES", 10)
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: 1234567")
    assert read(file).data == {"a": 1234567}
    file.write_bytes(b"a: 12345678")
    with pytest.raises(ConfigurationError, match="too large"):
        read(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path / "none.yaml")
    assert caught.value.code == "file-unreadable"
    assert str(tmp_path / "none.yaml") in str(caught.value)


@pytest.mark.parametrize("cut", range(len(GOOD) + 1))
def test_cut_anywhere_it_is_read_or_refused(cut: int) -> None:
    with contextlib.suppress(ConfigurationError):
        parse(GOOD[:cut], name="f")


@given(st.binary(max_size=60) | st.text("ab:-[]{}&*!|>#%'\"\n \t?,1.", max_size=40).map(str.encode))
def test_anything_is_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ConfigurationError):
        parse(raw, name="f")
