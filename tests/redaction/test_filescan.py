"""Findings in files stand where a person finds them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.redaction import filescan
from proctor.redaction.filescan import FileScanner, Hit
from proctor.redaction.model import RedactionError
from proctor.redaction.settings import RedactionSettings
from tests.redaction.finder import Finder


def scanned(name: str, body: str | bytes, **asked: Any) -> tuple[Hit, ...]:
    raw = body.encode() if isinstance(body, str) else body
    return FileScanner(Finder(), RedactionSettings(**asked)).scan(name, raw).hits


def places(name: str, body: str | bytes, **asked: Any) -> list[tuple[int, int, int, int, str]]:
    return [
        (hit.line, hit.column, hit.end_line, hit.end_column, hit.value)
        for hit in scanned(name, body, **asked)
    ]


MAIL = "jane@example.org"


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("a.txt", f"{MAIL} x", [(1, 1, 1, 17, MAIL)]),
        ("a.txt", f"é€\n\t{MAIL}, {MAIL}", [(2, 2, 2, 18, MAIL), (2, 20, 2, 36, MAIL)]),
        ("a.env", "A=1\r\nKEY-0F\n0F\n", [(2, 1, 3, 3, "KEY-0F\n0F")]),
        ("a.json", '{"a": 1,\n "b": ["x", "' + MAIL + '"]}', [(2, 14, 2, 30, MAIL)]),
        ("a.json", '{"' + MAIL + '": 1}', [(1, 3, 1, 19, MAIL)]),
        # Written out in six characters each: the place is that of the escape.
        ("a.json", '["é \\u006aane\\u0040example.org"]', [(1, 5, 1, 31, MAIL)]),
        ("a.json", '["\\n\\n ' + MAIL + '"]', [(1, 8, 1, 24, MAIL)]),
        # JSON in JSON.
        ("a.json", json.dumps({"x": json.dumps({"y": MAIL})}), [(1, 18, 1, 34, MAIL)]),
        ("a.jsonl", '{"a": 1}\n{"a": "' + MAIL + '"}\n', [(2, 8, 2, 24, MAIL)]),
        ("a.csv", f'n,m\n"a, ""b""",{MAIL}\n', [(2, 12, 2, 28, MAIL)]),
        ("a.csv", f'n,m\n"a ""{MAIL}""",x\n', [(2, 6, 2, 22, MAIL)]),
        ("a.form", "a=1&b=jane%40example.org", [(1, 7, 1, 25, MAIL)]),
        ("a.xml", "<a b='1'>\n<c>jane&#64;example.org</c></a>", [(2, 4, 2, 24, MAIL)]),
        ("a.txt", f"\ufeffx {MAIL}".encode("utf-16-le"), [(1, 4, 1, 20, MAIL)]),
    ],
)
def test_places(
    name: str, body: str | bytes, expected: list[tuple[int, int, int, int, str]]
) -> None:
    assert places(name, body) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.text(max_size=6) | st.just(MAIL) | st.integers(0, 99),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_what_stands_at_a_place_is_what_was_found(
    value: object,
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    hits = scanned("a.json", text.encode("utf-8", "surrogatepass"))
    assert len(hits) >= text.count(MAIL)
    for hit in hits:
        assert lines[hit.line - 1][hit.column - 1 : hit.end_column - 1] == hit.value


@pytest.mark.parametrize("exact", [0, 10**9])
def test_many_places_are_right_at_bounded_cost(monkeypatch: pytest.MonkeyPatch, exact: int) -> None:
    monkeypatch.setattr(filescan, "_EXACT", exact)
    text = "".join(f"{chr(233)} {chr(97 + n % 26) * 3}@example.org\n" for n in range(40))
    body = json.dumps({"a": text, "b": json.dumps([text])})
    hits = scanned("a.json", body)
    assert len(hits) == 80
    for hit in hits:
        assert body[hit.column - 1 : hit.end_column - 1] == hit.value


def test_other_findings_of_the_line_are_masked() -> None:
    first, second, third = scanned("a.txt", "see\nbob@x.org to KEY-0F0F and a@b.org.\nbye")
    assert (first.before, first.after) == ("", " to <API_KEY> and <EMAIL_ADDRESS>.")
    assert (second.before, second.after) == ("<EMAIL_ADDRESS> to ", " and <EMAIL_ADDRESS>.")
    assert (third.before, third.after) == ("<EMAIL_ADDRESS> to <API_KEY> and ", ".")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["KEY-0F0F", "a@b.org", " ", "x" * 45, "\n", "-"]), max_size=12))
def test_what_stands_around_holds_no_finding(parts: list[str]) -> None:
    for hit in scanned("a.txt", " ".join(parts)):
        around = f"{hit.before}|{hit.after}"
        assert "\n" not in around
        assert "0F0F" not in around
        assert "a@b" not in around
        assert len(around) < 400


def test_what_is_off_is_not_shown() -> None:
    text = "bob@x.org KEY-0F0F"
    assert [hit.type for hit in scanned("a", text)] == ["EMAIL_ADDRESS", "API_KEY"]
    assert [hit.type for hit in scanned("a", text, profile="secrets")] == ["API_KEY"]
    assert scanned("a", text, profile="none") == ()


def test_configured_fields() -> None:
    body = '{"users": [{"pin": "1234", "x": "y"}, {"pin": 5678}]}'
    hits = scanned("a.json", body, fields=("$..pin",))
    assert [(hit.type, hit.column, hit.value) for hit in hits] == [
        ("CONFIGURED_FIELD", 21, "1234"),
        ("CONFIGURED_FIELD", 47, "5678"),
    ]
    assert hits[0].detector == "proctor:fields"


def test_binary_is_left_out_and_said() -> None:
    found = FileScanner(Finder(), RedactionSettings()).scan(
        "a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 9
    )
    assert found.hits == ()
    assert sum(skipped.size for skipped in found.skipped) == 17


def test_what_fails_is_no_answer() -> None:
    with pytest.raises(RedactionError):
        scanned("a.txt", "BROKEN")


def test_values_are_in_no_repr() -> None:
    (hit,) = scanned("a.txt", f"to {MAIL}")
    assert "jane" not in repr(hit)
