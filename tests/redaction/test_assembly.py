"""All of redaction put together, as a gateway has it."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from proctor.errors import ConfigurationError
from proctor.redaction.assembly import VAULT, Screens, load_detector, open_screens
from proctor.redaction.compiled import COMPILED
from proctor.redaction.detector import TextDetector
from proctor.redaction.exceptions import Allowance, Exceptions
from proctor.redaction.keys import derive, load_keys
from proctor.redaction.model import RedactionError
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.surrogates import digest
from proctor.redaction.vault import Vault
from tests.redaction.test_screen import body, cut, looked, sent, user
from tests.support.installation import CACHE
from tests.support.screened import KEY, MAIL, TwoPatterns

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def settings(**data: Any) -> RedactionSettings:
    return RedactionSettings.model_validate(data, context={"base": Path("/base")})


class House:
    """Screens whose clock and exceptions a test sets."""

    def __init__(self, state: Path, **data: Any) -> None:
        state.mkdir(mode=0o700)
        self.now = NOW
        self.exceptions = Exceptions()
        self.keys = load_keys(state)
        self.vault = Vault(state / VAULT, self.keys, clock=self.seconds)
        self.screens = Screens(
            settings(**data),
            TextDetector(TwoPatterns()),
            self.keys,
            self.vault,
            listeners=("claude", "api", "off"),
            exceptions=lambda: self.exceptions,
            clock=self.seconds,
        )

    def seconds(self) -> float:
        return self.now.timestamp()

    def allow(self, value: str, kind: str, days: int) -> None:
        item = Allowance(
            detector="test:patterns",
            digest=digest(self.keys.digest, kind, value),
            reason="r",
            by="alice",
            created=self.now,
            expires=self.now + timedelta(days=days),
        )
        self.exceptions = Exceptions([item])


def test_a_listener_without_redaction_has_no_screen(tmp_path: Path) -> None:
    house = House(tmp_path / "s", listeners={"off": {"profile": "none"}})
    assert house.screens.on("off") is None
    assert house.screens.on("claude")
    assert house.screens.on("unheard-of") is None
    house.screens.close()


def test_listeners_differ_and_share_what_was_seen(tmp_path: Path) -> None:
    house = House(tmp_path / "s", listeners={"api": {"entities": {"EMAIL_ADDRESS": "mask"}}})
    claude, api = house.screens.on("claude"), house.screens.on("api")
    assert claude
    assert api
    data = body(user(MAIL))
    for _ in range(2):
        assert b"EMAIL_ADDRESS_" in sent(claude, data)
        assert b"<EMAIL_ADDRESS>" in sent(api, data)
    assert claude.parts.redactor is api.parts.redactor
    house.screens.close()


def test_an_exception_holds_from_its_making_to_its_end(tmp_path: Path) -> None:
    house = House(tmp_path / "s")
    claude = house.screens.on("claude")
    assert claude
    data = body(user(f"{KEY} and {MAIL}"))
    before = sent(claude, data)
    assert KEY.encode() not in before
    house.allow(KEY, "API_KEY", days=1)
    for _ in range(2):
        out = sent(claude, data)
        assert KEY.encode() in out
        assert MAIL.encode() not in out
    assert [f.type for f in claude.findings(looked(claude, cut(data)), {})] == ["EMAIL_ADDRESS"]
    house.now += timedelta(days=2)
    assert sent(claude, data) == before
    house.exceptions = Exceptions()
    assert sent(claude, data) == before
    house.screens.close()


def test_what_no_session_needs_is_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path / "s")
    claude = house.screens.on("claude")
    assert claude
    sent(claude, body(user(MAIL)))
    house.now += timedelta(days=60)
    house.screens.expire()
    assert MAIL.encode() not in (tmp_path / "s" / VAULT).read_bytes()
    house.screens.close()


def test_once_closed_nothing_gets_through(tmp_path: Path) -> None:
    house = House(tmp_path / "s")
    claude = house.screens.on("claude")
    assert claude
    house.screens.close()
    with pytest.raises(RedactionError):
        sent(claude, body(user(MAIL)))


def test_nothing_is_opened_where_no_listener_has_redaction(tmp_path: Path) -> None:
    state = tmp_path / "state"
    opened = partial(open_screens, state=state, listeners=["claude"], exceptions=Exceptions)
    assert opened(settings(profile="none"), derive(bytes(32))) is None
    assert not state.exists()


def test_a_gateway_s_redaction_is_put_together(tmp_path: Path) -> None:
    """With the real detector: Presidio, Hyperscan, Betterleaks and Kingfisher."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    made = open_screens(
        settings(cache=str(CACHE), fields=("$..pin",)),
        load_keys(state),
        state=state,
        listeners=["claude"],
        exceptions=Exceptions,
    )
    assert made
    claude = made.on("claude")
    assert claude
    address = "jane.roe@" + "corp-mail.io"
    out = sent(claude, body(user(f"write to {address}"), pin="9-8-7"))
    assert address.encode() not in out
    assert b'"pin": "<CONFIGURED_FIELD>"' in out
    made.close()
    assert {path.name for path in state.iterdir()} >= {VAULT, "redaction.key"}
    assert not (state / COMPILED).exists()


def test_what_ones_own_recognizers_lists_and_files_find_is_taken_out(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    own = tmp_path / "own.yaml"
    own.write_text(
        "recognizers:\n  - name: Badges\n    supported_entity: BADGE\n    patterns:\n"
        "      - {name: badge, regex: 'BDG-[0-9]{6}', score: 0.9}\n"
    )
    known = tmp_path / "known.txt"
    known.write_text("copper window river\n")
    made = open_screens(
        settings(
            cache=str(CACHE),
            recognizers=str(own),
            known_values=(str(known),),
            deny={"PROJECT": ("Blue Falcon",)},
        ),
        load_keys(state),
        state=state,
        listeners=["claude"],
        exceptions=Exceptions,
    )
    assert made
    claude = made.on("claude")
    assert claude
    out = sent(claude, body(user("BDG-123456 is on blue falcon: copper window river")))
    made.close()
    assert b"BADGE_" in out
    assert b"PROJECT_" in out
    assert b"<KNOWN_VALUE>" in out
    for value in (b"BDG-123456", b"blue falcon", b"copper"):
        assert value not in out


def test_names_that_mean_nothing_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_detector(settings(entities={"EMAIL_ADRESS": "mask"}), cache=tmp_path / "c")
    assert caught.value.code == "unknown-name"
