"""What looks like personal data and is nobody's."""

import pytest

from proctor.redaction.recognizers import harmless


def ask(keep: object, text: str) -> bool:
    """Whether what stands between the brackets counts."""
    start, end = text.index("⟦"), text.index("⟧") - 1
    assert callable(keep)
    return bool(keep(text.replace("⟦", "").replace("⟧", ""), start, end))


@pytest.mark.parametrize(
    "text",
    [
        "⟦10.1.2.3⟧", "host:⟦10.1.2.3⟧:80", "http://⟦8.8.4.4⟧/x", "hosts/⟦10.1.2.3⟧/up",
        'if ip == "⟦10.1.2.3⟧"', "at ⟦10.1.2.3⟧. Then", "⟦10.1.2.3⟧.nip.io", "ip-⟦10.1.2.3⟧",
        "⟦10.1.2.3/24⟧", "⟦10.1.2.3/32⟧", "..⟦10.1.2.3⟧", "⟦2606:4700::1111⟧",
        "⟦fe80::1c2:3ff:fe44:5566⟧", "⟦::ffff:10.1.2.3⟧", "⟦64:ff9b::10.1.2.3⟧", "⟦fd00::1⟧",
    ],
)  # fmt: skip
def test_addresses_of_hosts(text: str) -> None:
    assert ask(harmless.ip, text)


@pytest.mark.parametrize(
    "text",
    [
        "⟦127.0.0.1⟧", "⟦0.0.0.0⟧", "⟦255.255.255.0⟧", "⟦255.255.255.255⟧", "⟦169.254.169.254⟧",
        "⟦192.0.2.7⟧", "⟦198.51.100.7⟧", "⟦203.0.113.7⟧", "⟦224.0.0.251⟧", "⟦10.0.0.0/8⟧",
        "⟦4.0.0.0⟧", "1.3.6.⟦1.4.1.311⟧", "⟦1.3.6.1⟧.4.1", "version ⟦1.2.3.4⟧",
        '"version": "⟦1.2.3.4⟧"', "acme==⟦1.2.3.4⟧", "Acme/⟦1.2.3.4⟧", "⟦1.2.3.4⟧.tar.gz",
        "section ⟦8.1.2.2⟧", "RFC 4291 ⟦2.5.5.2⟧", "⟦010.1.2.3⟧", "⟦::1⟧", "⟦2001:db8::1⟧",
        "⟦fe80::/10⟧", "⟦::ffff:127.0.0.1⟧", "x[⟦1::2⟧]", "⟦ff02::1⟧", "⟦999.1.1.1⟧",
    ],
)  # fmt: skip
def test_addresses_of_no_host(text: str) -> None:
    assert not ask(harmless.ip, text)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("eth0 ⟦3c:22:fb:12:34:56⟧ up", True),
        ("⟦3c22.fb12.3456⟧", True),
        ("mac=⟦3c-22-fb-12-34-56⟧,", True),
        ("⟦3c:22:fb:12:34:56⟧:78:9a", False),
        ("78:9a:⟦3c:22:fb:12:34:56⟧", False),
        ("⟦00:00:5e:00:53:07⟧", False),
        ("⟦00:00:00:00:00:00⟧", False),
        ("⟦4111.1111.1111⟧.1111", False),
    ],
)
def test_mac_addresses(text: str, counts: bool) -> None:  # noqa: FBT001 - one of two answers
    assert ask(harmless.mac, text) is counts


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("SSN: ⟦219-09-9999⟧.", True),
        ("7,⟦219-09-9999⟧,x", True),
        ("SSN-⟦219-09-9999⟧", True),
        ("1 ⟦219-09-9999⟧ 2", True),
        ("ssn ⟦219 09 9999⟧", True),
        ("12 ⟦219 09 9999⟧", False),
        ("⟦219 09 9999⟧ 12", False),
        ("44-⟦219-09-9999⟧", False),
        ("⟦219-09-9999⟧-11", False),
        ("+⟦219-09-9999⟧", False),
    ],
)
def test_social_security_numbers(text: str, counts: bool) -> None:  # noqa: FBT001 - the same
    assert ask(harmless.ssn, text) is counts


@pytest.mark.parametrize(
    ("text", "counts"),
    [("⟦jane@acme.io⟧", True), ("⟦jane@acme.example⟧", False), ("⟦do-not-reply@acme.io⟧", False)],
)
def test_mailboxes(text: str, counts: bool) -> None:  # noqa: FBT001 - the same
    assert ask(harmless.email, text) is counts
