"""Known values in every form."""

import base64
import html
import json
import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.errors import ConfigurationError
from proctor.redaction.model import KNOWN_VALUE, RedactionError
from proctor.redaction.recognizers.known import KnownValues, KnownValuesRecognizer

VALUE = 'p@ss/"wörd"+<1> & more'


def known(tmp_path: Path, *lines: str) -> KnownValues:
    path = tmp_path / "known.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return KnownValues([path])


def covered(values: KnownValues, text: str) -> str:
    kept = list(text)
    for start, end in values.find(text):
        kept[start:end] = ["\0"] * (end - start)
    return "".join(kept).replace("\0", "")


FORMS = {
    "plain": VALUE,
    "json": json.dumps(VALUE)[1:-1],
    "json as it is": json.dumps(VALUE, ensure_ascii=False)[1:-1],
    "json with slashes": json.dumps(VALUE)[1:-1].replace("/", "\\/"),
    "json in json": json.dumps(json.dumps(VALUE)[1:-1])[1:-1],
    "percent": urllib.parse.quote(VALUE, safe=""),
    "percent, small": re.sub(
        "%..", lambda match: match.group().lower(), urllib.parse.quote(VALUE, safe="")
    ),
    "form": urllib.parse.quote_plus(VALUE),
    "html": html.escape(VALUE),
    "html without quotes": html.escape(VALUE, quote=False),
    "hex": VALUE.encode().hex(),
    "HEX": VALUE.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_found_whole(tmp_path: Path, form: str) -> None:
    values = known(tmp_path, VALUE)
    assert covered(values, f"<<{FORMS[form]}>>") == "<<>>"


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
@pytest.mark.parametrize("after", [b"", b"x", b"xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_a_whole_that_holds_the_value(
    tmp_path: Path, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    value = "known-value-of-ours-\xfb\xff"
    text = encode(before + value.encode() + after).decode()

    left = covered(known(tmp_path, value), text)

    # What is left are characters of what stands around it, and padding.
    assert len(left) <= len(base64.b64encode(before)) + len(base64.b64encode(after))
    assert len(text) - len(left) >= len(value.encode()) * 8 // 6


@settings(max_examples=60, deadline=None)
@given(
    value=st.text(
        st.characters(min_codepoint=33, exclude_categories=("Cs", "Z", "C")),
        min_size=6,
        max_size=40,
    ),
    around=st.text(max_size=20),
)
def test_a_value_is_found_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, value: str, around: str
) -> None:
    values = known(tmp_path_factory.mktemp("known"), f"K={value}")

    text = f"{around} {value} {around}"

    spans = list(values.find(text))
    start = len(around) + 1
    assert any(
        a <= start and b >= start + len(value.strip("\"'")) for a, b in spans
    ) or value.startswith(("#", '"', "'"))


def test_lines_names_and_comments(tmp_path: Path) -> None:
    values = known(
        tmp_path, "# ours", "", 'export TOKEN="quoted value"', "PORT=5432", "abc=def/ghi=="
    )

    assert covered(values, "[quoted value]") == "[]"
    assert covered(values, "[abc=def/ghi==]") == "[]"
    assert covered(values, "[def/ghi==]") == "[]"
    assert covered(values, "5432 PORT=5432") == "5432 PORT=5432"


def test_a_short_value_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        known(tmp_path, "long enough", "zq9")

    assert caught.value.code == "known-values-short"
    assert caught.value.where.endswith("known.txt:2")
    assert "zq9" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\xfd", b"a" * (4 * 2**20 + 1)], ids=["no-text", "too-long"]
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "known.txt"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        KnownValues([path])

    assert caught.value.code == "known-values-file"
    assert caught.value.__cause__ is None


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        KnownValues([tmp_path / "none"])


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    values = known(tmp_path, "first-value")
    before = values.version
    path = tmp_path / "known.txt"

    path.write_text("second-value\n", encoding="utf-8")
    os.utime(path, ns=(1, 1))

    assert covered(values, "first-value second-value") == "first-value "
    assert values.version != before


def test_a_file_that_went_away_fails_closed(tmp_path: Path) -> None:
    values = known(tmp_path, "first-value")
    (tmp_path / "known.txt").unlink()

    with pytest.raises(RedactionError) as caught:
        list(values.find("anything"))

    assert caught.value.code == "redaction-detector"
    assert caught.value.__cause__ is None


def test_overlapping_values_are_both_covered(tmp_path: Path) -> None:
    values = known(tmp_path, "alpha-beta", "beta-gamma")

    assert covered(values, "(alpha-beta-gamma)") == "()"


def test_halves_of_characters_do_no_harm(tmp_path: Path) -> None:
    assert covered(known(tmp_path, "first-value"), "\ud800first-value\udfff") == "\ud800\udfff"


def test_nothing_tells_a_value(tmp_path: Path) -> None:
    values = known(tmp_path, "first-value")

    assert "first" not in repr(values)
    assert "first" not in values.version


def test_as_a_recognizer(tmp_path: Path) -> None:
    recognizer = KnownValuesRecognizer(known(tmp_path, "first-value"))

    (result,) = recognizer.analyze("the first-value", [], None)

    assert (result.start, result.end, result.entity_type) == (4, 15, KNOWN_VALUE)
    assert result.recognition_metadata["detector"] == "proctor:known-value"
    assert recognizer.analyze("the first-value", ["PASSWORD"], None) == []


def test_the_recognizer_tells_the_version_of_what_is_loaded(tmp_path: Path) -> None:
    one = KnownValuesRecognizer(known(tmp_path, "first-value"))
    before = one.loaded
    assert one.loaded == before

    (tmp_path / "known.txt").write_text("another, longer value")

    assert one.loaded != before
