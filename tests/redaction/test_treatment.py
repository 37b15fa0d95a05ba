"""What is done with a finding."""

from typing import Any

import pytest

from proctor.redaction.model import SECRETS, Direction, Method
from proctor.redaction.presidio import PresidioOperator, operator
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.treatment import PERSONAL, WIDER, Treatment, Treatments, name_of, passes

REQUEST, RESPONSE = Direction


def treatments(added: frozenset[str] = frozenset(), **data: Any) -> Treatments:
    return Treatments(RedactionSettings.model_validate(data), added)


def both(treatment: Treatment, entity: str) -> tuple[Any, Any]:
    return treatment.method(entity, REQUEST), treatment.method(entity, RESPONSE)


@pytest.mark.parametrize(
    ("profile", "secret", "personal", "types"),
    [
        ("default", (Method.MASK, Method.MASK), Method.SURROGATE, SECRETS | PERSONAL),
        ("strict", (Method.BLOCK, Method.MASK), Method.SURROGATE, SECRETS | WIDER),
        ("secrets", (Method.MASK, Method.MASK), None, SECRETS),
        ("none", (None, None), None, frozenset()),
    ],
)
def test_profiles(profile: str, secret: Any, personal: Any, types: frozenset[str]) -> None:
    made = treatments(profile=profile)
    treatment = made.on("claude")
    assert {both(treatment, entity) for entity in SECRETS} == {secret}
    assert {both(treatment, entity) for entity in PERSONAL} == {(personal, personal)}
    assert treatment.types == made.types == types
    for entity in ("URL", "DATE_TIME", "PERSON", "LOCATION", "UNHEARD_OF"):
        assert both(treatment, entity) == (None, None)


def test_what_is_in_the_history_blocks_nothing() -> None:
    treatment = treatments(profile="strict", entities={"US_SSN": "block"}).on("claude")
    for entity in ("API_KEY", "US_SSN"):
        assert treatment.method(entity, REQUEST) is Method.BLOCK
        assert treatment.method(entity, REQUEST, history=True) is Method.MASK
    assert treatment.method("CRYPTO", REQUEST, history=True) is Method.SURROGATE
    assert treatment.method("URL", REQUEST, history=True) is None


def test_the_nearer_word_counts() -> None:
    made = treatments(
        entities={"US_SSN": "hash", "CRYPTO": "hash", "IBAN_CODE": {"request": "hash"}},
        listeners={"claude": {"entities": {"CRYPTO": "block", "US_SSN": {"response": "mask"}}}},
    )
    claude, other = made.on("claude"), made.on("other")
    assert both(claude, "US_SSN") == (Method.HASH, Method.MASK)
    assert both(other, "US_SSN") == (Method.HASH, Method.HASH)
    assert both(claude, "CRYPTO") == (Method.BLOCK, Method.BLOCK)
    assert both(other, "CRYPTO") == (Method.HASH, Method.HASH)
    assert both(claude, "IBAN_CODE") == (Method.HASH, Method.SURROGATE)
    assert both(claude, "EMAIL_ADDRESS") == (Method.SURROGATE, Method.SURROGATE)


def test_rules_come_first_the_milder_too() -> None:
    made = treatments(
        listeners={"claude": {"entities": {"CRYPTO": "block", "PHONE_NUMBER": "off"}}}
    )
    rules = {"CRYPTO": "detect", "PHONE_NUMBER": "mask", "US_PASSPORT": "hash"}
    treatment = made.on("claude", rules)
    assert both(treatment, "CRYPTO") == (Method.DETECT, Method.DETECT)
    assert both(treatment, "PHONE_NUMBER") == (Method.MASK, Method.MASK)
    assert both(treatment, "US_PASSPORT") == (Method.HASH, Method.HASH)
    assert treatment.types >= set(rules)
    assert both(made.on("claude"), "CRYPTO") == (Method.BLOCK, Method.BLOCK)
    blocking = made.on("claude", {"API_KEY": "block"})
    assert blocking.method("API_KEY", REQUEST, history=True) is Method.MASK
    with pytest.raises(ValueError, match="unheard"):
        made.on("claude", {"CRYPTO": "unheard"})


def test_off_is_off_where_it_is_said() -> None:
    made = treatments(
        entities={"EMAIL_ADDRESS": "off", "API_KEY": {"response": "off"}},
        listeners={"claude": {"entities": {"EMAIL_ADDRESS": "mask"}}, "quiet": {"profile": "none"}},
    )
    assert both(made.on("other"), "EMAIL_ADDRESS") == (None, None)
    assert both(made.on("other"), "API_KEY") == (Method.MASK, None)
    assert "EMAIL_ADDRESS" not in made.on("other").types
    assert both(made.on("claude"), "EMAIL_ADDRESS") == (Method.MASK, Method.MASK)
    assert "EMAIL_ADDRESS" in made.types


def test_a_listeners_profile_stands_behind_the_common_entities() -> None:
    made = treatments(
        entities={"CRYPTO": "hash"}, listeners={"quiet": {"profile": "none"}}, profile="strict"
    )
    assert made.on("quiet").types == {"CRYPTO"}
    assert both(made.on("quiet"), "CRYPTO") == (Method.HASH, Method.HASH)
    assert made.on("claude").method("API_KEY", REQUEST) is Method.BLOCK


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("default", Method.SURROGATE), ("secrets", Method.SURROGATE), ("none", None)],
)
def test_what_users_add_is_looked_for(profile: str, expected: Any) -> None:
    made = treatments(
        frozenset({"BADGE", "API_KEY"}),
        profile=profile,
        deny={"PROJECT": ("Falcon",), "SECRET": ("Heron",)},
        ner={"model": "en_core_web_sm"},
    )
    for entity in ("BADGE", "PROJECT", "PERSON", "LOCATION"):
        assert both(made.on("claude"), entity) == (expected, expected)
    # A word that a deny list calls a secret is one.
    mask = None if expected is None else Method.MASK
    assert both(made.on("claude"), "SECRET") == both(made.on("claude"), "API_KEY") == (mask, mask)


def test_presidios_operators_are_choices() -> None:
    made = treatments(entities={"US_SSN": {"operator": "redact"}}).on("claude")
    assert isinstance(made.method("US_SSN", REQUEST), PresidioOperator)


def test_what_passes_and_how_the_record_calls_it() -> None:
    keep, redact = (operator({"operator": name}) for name in ("keep", "redact"))
    assert [method for method in (*Method, keep, redact) if passes(method)] == [Method.DETECT, keep]
    assert [name_of(method) for method in (Method.HASH, keep)] == ["hash", "keep"]


def test_what_is_turned_back_in_text() -> None:
    assert treatments().restored is None
    assert treatments(restore=("PERSON", "API_KEY")).restored == frozenset({"PERSON", "API_KEY"})
    assert treatments(restore=()).restored == frozenset()
