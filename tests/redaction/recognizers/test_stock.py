"""The default set, and Presidio's others by name."""

import random
import sys

import pytest
from presidio_analyzer.predefined_recognizers import (
    CryptoRecognizer,
    IpRecognizer,
    MacAddressRecognizer,
    UsSsnRecognizer,
)

from proctor.redaction.prefilter import Trigger
from proctor.redaction.recognizers.gated import Patterns
from proctor.redaction.recognizers.stock import (
    DEFAULT_ENTITIES,
    stock_classes,
    stock_entities,
    stock_recognizers,
)
from tests.redaction.recognizers.support import found

WORDS = (
    "the order of", "x = 1.5", "é€ 東京", "219-09-9999", "219 09 9999", "ssn 219099999",
    "10.20.30.40", "10.20.30.40:80", "1.2.3.4.5", "2606:4700:4700::1111", "fe80::1",
    "::ffff:10.1.2.3", "3c:22:fb:12:34:56", "3c22.fb12.3456", "12:34:56", "tin 912-70-1234",
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "0123456789abcdef0123456789abcdef", "2024-01-15", "\n", "{'a': [1, 2]}", "- - -",
)  # fmt: skip

NEWER = pytest.mark.skipif(
    sys.version_info < (3, 13),
    reason="Python 3.12 has an older Presidio (requirements/), whose pattern does not find it",
)


def mixed(seed: int, size: int) -> str:
    """Ordinary words and numbers of all kinds, in any order."""
    picked = random.Random(seed)  # noqa: S311 - not for keys
    return "".join(
        picked.choice(WORDS) + picked.choice((" ", ", ", "\n", ";")) for _ in range(size)
    )


@pytest.mark.parametrize("entity", sorted(DEFAULT_ENTITIES))
def test_gating_changes_nothing_that_the_defaults_find(entity: str) -> None:
    for one in stock_recognizers(frozenset({entity})):
        for seed in range(3):
            found(one, mixed(seed, 400))


@pytest.mark.parametrize(
    ("inner", "triggers"),
    [
        (UsSsnRecognizer(), ("[0-9]{3}",)),
        (MacAddressRecognizer(), ("[0-9A-Fa-f]{2}[:-]", r"[0-9A-Fa-f]{4}\.")),
        (IpRecognizer(), (r"[0-9]\.[0-9]", "::", "[0-9A-Fa-f]:")),
        (CryptoRecognizer(), ("(?:bc1|[13])[a-zA-Z0-9]{25}",)),
    ],
)
def test_windows_find_what_presidios_own_run_finds(
    inner: object, triggers: tuple[str, ...]
) -> None:
    assert isinstance(
        inner, UsSsnRecognizer | MacAddressRecognizer | IpRecognizer | CryptoRecognizer
    )
    ours = Patterns(
        inner,
        detector="presidio:x",
        triggers=[
            Trigger(expression=one, before=128, after=128, caseless=True) for one in triggers
        ],
    )
    text = mixed(5, 600)
    theirs = sorted((one.start, one.end, one.score) for one in inner.analyze(text, []))
    unique = {(start, end) for start, end, _ in theirs}
    assert unique <= {(one.start, one.end) for one in ours.analyze(text, [])}
    assert len(theirs) > 20
    found(ours, text)


@pytest.mark.parametrize(
    ("entity", "text", "values"),
    [
        pytest.param(
            "US_SSN", "id 219-09-9999, 987-65-4321.", ["219-09-9999", "987-65-4321"], marks=NEWER
        ),
        ("US_SSN", "SSN: 219099999", ["219099999"]),
        ("US_SSN", "order 219099999", []),
        ("US_SSN", "000-12-3456 666-12-3456 219-00-9999", []),
        ("US_ITIN", "ITIN 912-70-1234", ["912-70-1234"]),
        ("US_ITIN", "taxpayer id: 912701234", ["912701234"]),
        ("US_ITIN", "912-70-1234", []),
        ("MAC_ADDRESS", "3c:22:fb:12:34:56", ["3c:22:fb:12:34:56"]),
        pytest.param(
            "IP_ADDRESS", "10.20.30.40 and fd12::1", ["10.20.30.40", "fd12::1"], marks=NEWER
        ),
        ("IP_ADDRESS", "10.20.30.40 and 9.9.9.9", ["10.20.30.40", "9.9.9.9"]),
        ("IP_ADDRESS", "x 212.158.216.248:443", ["212.158.216.248"]),
        ("IP_ADDRESS", "127.0.0.1 ::1 1.2.3", []),
        ("CRYPTO", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"]),
        ("CRYPTO", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", []),
    ],
)
def test_what_the_defaults_find(entity: str, text: str, values: list[str]) -> None:
    results = [
        (one.start, text[one.start : one.end])
        for recognizer in stock_recognizers(frozenset({entity}))
        for one in recognizer.analyze(text, [])
    ]
    assert sorted({value for _, value in results}) == sorted(values)


def test_every_other_recognizer_of_presidios_can_be_made_and_has_triggers() -> None:
    others = stock_entities() - DEFAULT_ENTITIES
    assert {"URL", "UK_NHS", "US_PASSPORT"} <= others
    made = list(stock_recognizers(others))
    assert len({one.name for one in made}) == len(made) >= len(others)
    assert all(one.supported_language == "en" for one in made)
    assert sum(bool(one.triggers) for one in made) > len(made) * 0.8


def test_an_entity_by_name_runs_presidios_recognizer() -> None:
    (one,) = stock_recognizers(frozenset({"UK_NHS"}))
    assert found(one, "nhs 401-023-2137") == ["401-023-2137"]
    assert "NhsRecognizer" in stock_classes()
