"""Names in locations."""

import pytest

from proctor.redaction.structure.names import like_value, shown


@pytest.mark.parametrize(
    "name",
    ["a", "user_id", "customers[]".rstrip("[]"), "größe", "soap:Body", "$ref", "x-api-key",
     "sha256", "web_search_20250", "aVeryLongNameThatSomeoneCalledAField"],
)  # fmt: skip
def test_names_are_shown(name: str) -> None:
    assert shown(name) == name
    assert not like_value(name)


@pytest.mark.parametrize(
    "name",
    ["jane@acme.io", "jane roe", "", "078-05-1120", "a" * 41, "x\ny", "AKIA" + "ABCDEFGHIJKL2345",
     "1.2.3.4.5.6", "a\u202eb", "<EMAIL_ADDRESS>"],
)  # fmt: skip
def test_what_looks_like_a_value_is_not(name: str) -> None:
    assert shown(name) == "*"


def test_a_heading_may_have_blanks() -> None:
    assert not like_value("First Name")
    assert like_value("078 05 1120")
