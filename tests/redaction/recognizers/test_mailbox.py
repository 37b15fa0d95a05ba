"""E-mail addresses, out of prose and code."""

import pytest
import tldextract.tldextract
from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.recognizers.mailbox import Mailboxes
from tests.redaction.recognizers.support import found


@pytest.mark.parametrize(
    "address",
    [
        "jane.roe@acme.io",
        "jane+tag@acme.co.uk",
        "JANE@ACME.COM",
        "j@acme.io",
        "jane_roe-2@mail.acme-corp.de",
        "o'brien@acme.io",
        "jane@corp.internal",
        "jürgen@müller.de",
        "jane@xn--mller-kva.de",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "mail {}.",
        "<{}>",
        "email='{}'",
        "EMAIL={}",
        "?to={}&x=1",
        "to/{}",
        "mailto:{}",
        "{},bob",
        "f'{}'",
        "é€ {} é",
        "{}.bak",
        "{}_old",
        "--{}",
        "{}\0",
    ],
)
def test_the_address_and_nothing_else(address: str, frame: str) -> None:
    assert found(Mailboxes(), frame.format(address)) == [address]


@pytest.mark.parametrize(
    "text",
    [
        "jane@example.com",
        "jane@sub.example.org",
        "x@host.test",
        "root@localhost",
        "noreply@acme.io",
        "no-reply+7@acme.io",
        "git@github.com:acme/falcon.git",
        "jane@example.com.bak",
        "a @ b.io",
        "@acme.io",
        "x@1.2.3",
        "left@right.transpose",
        "-+.@acme.io",
    ],
)
def test_nobodys_address_is_none(text: str) -> None:
    assert found(Mailboxes(), text) == []


def test_the_end_of_a_name_that_is_too_long_is_found() -> None:
    assert found(Mailboxes(), "a" * 300 + "@acme.io") == ["a" * 64 + "@acme.io"]


def test_the_suffix_list_is_never_fetched() -> None:
    # Trap: tldextract's own extractor asks the network on its first use.
    assert tldextract.tldextract.TLD_EXTRACTOR.suffix_list_urls == ()


@given(st.text(alphabet="ab@.-+'o é\0c", max_size=80))
def test_gating_changes_nothing(text: str) -> None:
    for address in found(Mailboxes(), f"{text} jane@acme.io {text}".replace("c", ".com ")):
        assert address.count("@") == 1
