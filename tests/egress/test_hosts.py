"""One spelling for every host."""

# ruff: noqa: RUF001 - letters that look alike are the test
import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.egress.hosts import HostPattern, is_address, parse_authority, parse_host
from proctor.errors import ClientError


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("api.internal", "api.internal"),
        ("API.Internal", "api.internal"),
        ("api.internal.", "api.internal"),
        ("localhost.", "localhost"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("r3---sn-4g5e.example.org", "r3---sn-4g5e.example.org"),
        ("-a-.example", "-a-.example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
        ("7f000001", "7f000001"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("0x7f.example", "0x7f.example"),
        # RFC 5890 and UTS 46: one name, however it is written
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("XN--Bcher-KVA.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("ⓛocalhost", "localhost"),
        ("ＬＯＣＡＬＨＯＳＴ", "localhost"),
        ("local\u00adhost", "localhost"),
        ("local\u200bhost", "localhost"),
        ("api。internal", "api.internal"),
        ("api．internal｡", "api.internal"),
        ("Kelvin.example", "kelvin.example"),
    ],
)
def test_names(text: str, host: str) -> None:
    assert parse_host(text) == host
    assert not is_address(host)


@pytest.mark.parametrize(
    "text",
    [
        *("169.254.169.254", "169.254.169.254.", "2852039166", "2852039166."),
        *("0xA9FEA9FE", "0xa9fea9fe", "0Xa9fea9fe", "0x000000a9fea9fe", "0xA9.0xFE.0xA9.0xFE"),
        *("0251.0376.0251.0376", "025177524776", "0000251.0000376.00251.0376"),
        *("0xa9.254.0251.254", "0xa9.0376.43518", "169.254.43518", "169.16689662"),
        *("１６９．２５４．１６９．２５４", "①⑥⑨.②⑤④.①⑥⑨.②⑤④", "２８５２０３９１６６"),
        *("169。254｡169．254", "𝟏𝟔𝟗.𝟐𝟓𝟒.𝟏𝟔𝟗.𝟐𝟓𝟒", "0𝐱a9fea9fe"),
        *("::ffff:169.254.169.254", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
        *("[0:0:0:0:0:FFFF:A9FE:A9FE]", "::FFFF:A9FE:A9FE"),
    ],
)
def test_the_metadata_address(text: str) -> None:
    assert parse_host(text) == "169.254.169.254"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0", "0.0.0.0"),  # noqa: S104 - parsed, not bound
        ("0x", "0.0.0.0"),  # noqa: S104 - parsed, not bound
        ("0x.0x.0", "0.0.0.0"),  # noqa: S104 - parsed, not bound
        ("010.0.0.1", "8.0.0.1"),
        ("4294967295", "255.255.255.255"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[0000:0:0::0001]", "::1"),
        ("[::127.0.0.1]", "::7f00:1"),
        ("[2001:DB8:0:0:1:0:0:1]", "2001:db8::1:0:0:1"),
        ("[64:ff9b::169.254.169.254]", "64:ff9b::a9fe:a9fe"),
    ],
)  # fmt: skip
def test_addresses(text: str, host: str) -> None:
    assert parse_host(text) == host
    assert is_address(host)


@pytest.mark.parametrize(
    "text",
    [
        # neither a name nor an IPv4 address (WHATWG URL, 3.5: "ends in a number")
        *("4294967296", "256.0.0.1", "1.2.3.256", "1.2.65536", "1.16777216", "1.2.3.4.5"),
        *("08", "1.2.3.08", "0x7g.1", "example.1", "example.0x", "1..2", "1.2.3.4..", ".1"),
        *("0x" + "f" * 60, "1" * 63, "127.0.0.1.0x", "１.２.３.２５６"),
        # IPv6
        *("[::1", "::1]", "[]", "[127.0.0.1]", "[localhost]", "[v1.x]", "[::1]x", "[[::1]]", ":::"),
        *("fe80::1%eth0", "[fe80::1%25eth0]", "[::ffff:0251.1.1.1]", "[::1.2.3]", "1:2", "［::1］"),
        # characters
        *("a b", " a", "a ", "a\t", "a\n", "a\0", "a\x7f", "a/b", "a\\b", "a?b", "a#b", "a%41"),
        *("%", "a@b", "alice:secret@b", "a:80", "a,b", "a!b", "*", "*.a.b", "a<b", "http://a"),
        *("a\u2024b", "℀.example", "a％2eb", "a：80", "⒈.2", "a\ud800", "a\udc80", "☃.net"),
        *("a\u202eb", "\u0301a"),
        # labels
        *("", ".", "..", "a..b", ".a", "a..", "。", "a。。b", "\u00ad", "a" * 64, "é" * 63),
        *(".".join(["a" * 63] * 4), "a." * 127 + "a", "a" * 5000, "é" * 1025),
        *("xn--", "xn--a", "xn--é", "xn---bbk"),
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(ClientError) as caught:
        parse_host(text)
    assert caught.value.code == "host-unreadable"
    assert caught.value.status == 400
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    with pytest.raises(ValueError, match=r"^a host such as") as wrong:
        HostPattern.parse(text if not text.startswith("*.") else "*" + text)
    assert not isinstance(wrong.value, UnicodeError)


def test_nothing_of_the_text_is_told() -> None:
    for text in ("alice:hunter2@b", "hunter2\n", "xn--hunter2-", "hunter2:hunter2:1", "☃hunter2"):
        for read in (lambda: parse_host(text), lambda: parse_authority(text, 80)):  # noqa: B023
            with pytest.raises(ClientError) as caught:
                read()
            assert "hunter2" not in str(caught.value)
            assert "hunter2" not in repr(caught.value)


@given(st.ip_addresses(v=4), st.data())
def test_every_spelling_of_an_ipv4_address(
    address: ipaddress.IPv4Address, data: st.DataObject
) -> None:
    octets = list(address.packed)
    parts = data.draw(st.integers(1, 4))
    numbers = [*octets[: parts - 1], int.from_bytes(octets[parts - 1 :])]
    spelled = [
        data.draw(st.sampled_from((f"{n}", f"0x{n:x}", f"0X{n:08X}", f"0{n:o}", f"000{n:o}")))
        for n in numbers
    ]
    text = ".".join(spelled) + data.draw(st.sampled_from(("", ".")))
    assert parse_host(text) == str(address)
    wide = text.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789abcdefxABCDEFX."})
    assert parse_host(wide) == str(address)
    assert parse_host(f"[::ffff:{address}]") == str(address)


@given(st.ip_addresses(v=6))
def test_every_spelling_of_an_ipv6_address(address: ipaddress.IPv6Address) -> None:
    canonical = str(address.ipv4_mapped or address)
    for text in (str(address), address.exploded, str(address).upper(), f"[{address.exploded}]"):
        assert parse_host(text) == canonical


@given(st.one_of(st.text(), st.text("019a.xX-:[]%@ßé。１\u00ad", max_size=12)))
def test_any_text(text: str) -> None:
    with contextlib.suppress(ClientError):
        host = parse_host(text)
        assert parse_host(host) == host
        assert host.isascii()
        assert host == host.lower()
        assert is_address(host) == (_address(host) is not None)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("text", "default", "found"),
    [
        ("api.internal:443", None, ("api.internal", 443)),
        ("API.internal.:8443", 443, ("api.internal", 8443)),
        ("api.internal", 443, ("api.internal", 443)),
        ("[::1]:80", None, ("::1", 80)),
        ("[::1]", 80, ("::1", 80)),
        ("0x7f.1:65535", None, ("127.0.0.1", 65535)),
        ("127.0.0.1", 80, ("127.0.0.1", 80)),
    ],
)
def test_authority(text: str, default: int | None, found: tuple[str, int]) -> None:
    assert parse_authority(text, default) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:080",
            "a:+80",
            "a:-1",
            "a:8_0",
            "a:8 ",
            "a: 8",
        ),
        *("a:٨", "a:80:80", "a:99999999", "::1", "::1:80", "2001:db8::1:443", "[::1]:", "[::1]80"),
        *("[::1]]:80", "a]:80", "a@b:80", "alice:x@b:80", "a/:80", "a:80/", "a:80#", "http://a:80"),
        *("a:80\r\nHost: b", "a,b:80", "a b:80", "a：80:80", "[a]:80", "[::1%1]:80"),
    ],
)
def test_no_authority(text: str) -> None:
    for default in (None, 443):
        with pytest.raises(ClientError) as caught:
            parse_authority(text, default)
        assert caught.value.code == "host-unreadable"


@pytest.mark.parametrize("text", ["a", "127.0.0.1", "[::1]"])
def test_connect_names_its_port(text: str) -> None:
    with pytest.raises(ClientError, match="no port"):
        parse_authority(text, None)


@given(st.one_of(st.text(), st.text("0189a.:[]@x", max_size=12)))
def test_any_authority(text: str) -> None:
    with contextlib.suppress(ClientError):
        host, port = parse_authority(text, 443)
        assert parse_host(host) == host
        assert 1 <= port <= 65535
        written = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        assert parse_authority(written, None) == (host, port)


@pytest.mark.parametrize(
    ("pattern", "host", "yes"),
    [
        ("api.internal", "api.internal", True),
        ("API.internal.", "api.internal", True),
        ("api.internal", "x.api.internal", False),
        ("api.internal", "api-internal", False),
        ("*.example.org", "a.example.org", True),
        ("*.example.org", "a.b.example.org", True),
        ("*.Example.org.", "a.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "badexample.org", False),
        ("*.example.org", "a.example.org.evil.example", False),
        ("*.bücher.example", "a.xn--bcher-kva.example", True),
        ("0x7f.1", "127.0.0.1", True),
        ("[::1]", "::1", True),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("localhost", "localhost", True),
    ],
)
def test_pattern(pattern: str, host: str, *, yes: bool) -> None:
    assert HostPattern.parse(pattern).matches(host) is yes


@pytest.mark.parametrize(
    "text",
    [
        *("*", "*.", "*.com", "*.internal", "*.localhost", "*.*.example.org", "a.*.example.org"),
        *("*example.org", "a*.example.org", "*.1.1.1", "*.127.1", "*.0x7f", "*.::1", "*.[::1]"),
        *("*..example.org", "example.org:443", "https://example.org", "**.example.org", ""),
    ],
)
def test_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match=r"^a (host such as|wildcard over)"):
        HostPattern.parse(text)


def test_the_closer_pattern_is_more_specific() -> None:
    texts = ["*.example.org", "*.api.example.org", "a.io", "x.api.example.org"]
    ranks = [HostPattern.parse(text).specificity for text in texts]
    assert ranks[0] < ranks[1] < ranks[2]
    assert ranks[1] < ranks[3]
    assert HostPattern.parse("a.io").exact
    assert not HostPattern.parse("*.a.io").exact
    assert str(HostPattern.parse("*.A.io.")) == "*.a.io"
    assert str(HostPattern.parse("A.io")) == "a.io"
