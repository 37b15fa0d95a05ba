"""What `redaction:` may say."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from proctor.errors import ConfigurationError
from proctor.redaction.model import Direction, Method
from proctor.redaction.settings import Choices, RedactionSettings, check_entities

KNOWN = frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "PHONE_NUMBER"})
MASKING = {"operator": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": True}


def read(base: Path | None = None, /, **data: Any) -> RedactionSettings:
    return RedactionSettings.model_validate(data, context={"base": base or Path("/base")})


def mistake(**data: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        read(**data)
    return dict(caught.value.errors()[0])


def test_defaults() -> None:
    settings = read()
    assert settings.profile == "default"
    assert settings.headers == ("from", "referer")
    assert (settings.thinking, settings.media, settings.ner) == ("pass", "pass", None)
    assert (settings.budget, settings.max_hits, settings.max_size) == (2.0, 10_000, 32 * 2**20)
    assert settings.restore is None
    assert settings.vault.retention == 30 * 86400


def test_all_of_it(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        profile="strict",
        entities={
            "EMAIL_ADDRESS": {"request": "surrogate", "response": "mask"},
            "PHONE_NUMBER": "off",
            "CREDIT_CARD": MASKING,
            "US_SSN": {"request": {"operator": "redact"}},
        },
        listeners={"claude": {"profile": "none", "entities": {"US_SSN": "block"}}},
        fields=("$..password", "$.customers[*].iban"),
        deny={"PROJECT": ("Falcon", "Heron")},
        allow=("info@example.com", {"regex": r"test-\d+"}),
        recognizers="ours.yaml",
        known_values=("known/secrets.env",),
        headers=("X-User",),
        thinking="refuse",
        media="refuse",
        ner={"model": "en_core_web_sm", "budget": "300ms"},
        budget="500ms",
        max_hits=5,
        max_size="1MiB",
        restore=("EMAIL_ADDRESS",),
        vault={"retention": "7d", "max_entries": 10_000},
    )
    mail = settings.entities["EMAIL_ADDRESS"]
    assert mail == Choices(Method.SURROGATE, Method.MASK)
    assert mail.of(Direction.REQUEST) is Method.SURROGATE
    assert mail.of(Direction.RESPONSE) is Method.MASK
    assert settings.entities["PHONE_NUMBER"] == Choices("off", "off")
    assert settings.entities["US_SSN"].response is None
    assert settings.allow == ("info@example.com", re.compile(r"test-\d+"))
    assert settings.recognizers == tmp_path / "ours.yaml"
    assert settings.known_values == (tmp_path / "known/secrets.env",)
    assert settings.headers == ("x-user",)
    assert settings.ner is not None
    assert settings.ner.budget == 0.3
    assert (settings.budget, settings.max_size) == (0.5, 2**20)
    assert settings.vault.retention == 7 * 86400
    assert RedactionSettings.model_validate(settings) is settings


@pytest.mark.parametrize(
    ("data", "place", "text"),
    [
        ({"profile": "lax"}, ("profile",), "default"),
        ({"entities": {"email": "mask"}}, ("entities", "email", "[key]"), "EMAIL_ADDRESS"),
        ({"entities": {"EMAIL_ADDRESS": "remove"}}, ("entities", "EMAIL_ADDRESS"), "surrogate"),
        ({"entities": {"EMAIL_ADDRESS": None}}, ("entities", "EMAIL_ADDRESS"), "surrogate"),
        ({"entities": {"EMAIL_ADDRESS": True}}, ("entities", "EMAIL_ADDRESS"), "surrogate"),
        ({"entities": {"EMAIL_ADDRESS": {}}}, ("entities", "EMAIL_ADDRESS"), "request"),
        ({"entities": {"US_SSN": {"answer": "mask"}}}, ("entities", "US_SSN"), "request"),
        ({"entities": {"US_SSN": {"request": "x"}}}, ("entities", "US_SSN"), "surrogate"),
        ({"entities": {"US_SSN": {"operator": "mask"}}}, ("entities", "US_SSN"), "masking_char"),
        ({"entities": {"US_SSN": {"operator": "encrypt"}}}, ("entities", "US_SSN"), "redact"),
        ({"listeners": {"Claude": {}}}, ("listeners", "Claude", "[key]"), "lower-case"),
        ({"fields": ("password",)}, ("fields", 0), "$..password"),
        ({"deny": {"PROJECT": ("",)}}, ("deny", "PROJECT", 0), ""),
        ({"deny": {"project": ("a",)}}, ("deny", "project", "[key]"), "EMAIL_ADDRESS"),
        ({"allow": ("",)}, ("allow", 0), "regex"),
        ({"allow": (5,)}, ("allow", 0), "regex"),
        ({"allow": ({"regex": "("},)}, ("allow", 0), "regular expression"),
        ({"allow": ({"regex": "a", "flags": "i"},)}, ("allow", 0), "regex"),
        ({"headers": ("not a header",)}, ("headers", 0), "header"),
        ({"thinking": "mask"}, ("thinking",), "pass"),
        ({"ner": {"model": "../en"}}, ("ner", "model"), "en_core_web_sm"),
        ({"budget": 0}, ("budget",), "30s"),
        ({"max_hits": 0}, ("max_hits",), ""),
        ({"vault": {"max_entries": 5}}, ("vault", "max_entries"), ""),
        ({"restore": ("email",)}, ("restore", 0), "EMAIL_ADDRESS"),
    ],
)
def test_mistakes_name_their_place(
    data: dict[str, Any], place: tuple[str | int, ...], text: str
) -> None:
    found = mistake(**data)
    assert found["loc"][: len(place)] == place
    assert text in found["msg"]


def test_unknown_keys_are_errors() -> None:
    assert mistake(entity={})["type"] == "unknown-key"
    assert mistake(listeners={"claude": {"fields": ()}})["type"] == "unknown-key"


@pytest.mark.parametrize(
    ("data", "where", "hint"),
    [
        ({"entities": {"EMAIL_ADRESS": "mask"}}, "redaction.entities.EMAIL_ADRESS", "'EMAIL_ADDR"),
        ({"entities": {"EMAIL": "mask"}}, "redaction.entities.EMAIL", "Known here: EMAIL_ADDRESS."),
        ({"entities": {"SSN": "mask"}}, "redaction.entities.SSN", "'US_SSN'"),
        ({"entities": {"PERSON": "mask"}}, "redaction.entities.PERSON", "redaction.ner"),
        (
            {"listeners": {"claude": {"entities": {"US_SN": "mask"}}}},
            "redaction.listeners.claude.entities.US_SN",
            "'US_SSN'",
        ),
        ({"restore": ("PHONE",)}, "redaction.restore.PHONE", "PHONE_NUMBER"),
    ],
)
def test_types_that_nothing_finds_are_errors(data: dict[str, Any], where: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_entities(read(**data), KNOWN)
    assert (caught.value.code, caught.value.where) == ("unknown-name", where)
    assert hint in caught.value.hint


def test_types_of_deny_lists_and_secrets_are_known() -> None:
    check_entities(
        read(
            deny={"PROJECT": ("Falcon",)},
            entities={"PROJECT": "hash", "API_KEY": "block", "EMAIL_ADDRESS": "off"},
            restore=("PROJECT", "PASSWORD"),
        ),
        KNOWN,
    )


def test_the_place_is_the_callers_to_name() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_entities(read(entities={"X": "mask"}), KNOWN, lambda *path: f"f:{len(path)}")
    assert caught.value.where == "f:3"
