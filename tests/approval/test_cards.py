"""What a reviewer sees, and what stays hidden."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.cards import (
    MAX_TEXT,
    UNKNOWN,
    http_card,
    seal,
    sql_card,
    tool_card,
    unseal,
    unseen,
    ws_card,
)
from proctor.approval.model import Part
from proctor.errors import InternalError
from proctor.model import Action, ActionKind, Finding, WsFields

KEY = bytes(range(32))
MASK = "<API_KEY>"
SURROGATE = "EMAIL_ADDRESS_bdvkqzmwtrxnhlpc"

plain = st.text(alphabet="abc /=\n\"'", max_size=12)
value = st.text(alphabet="XYZ@.0", min_size=1, max_size=20)


def test_nothing_is_hidden_where_both_are_the_same() -> None:
    assert unseen("input", f"rm {MASK}", f"rm {MASK}").spans == ()


@given(st.lists(st.tuples(plain, st.sampled_from([MASK, SURROGATE]), value), max_size=5), plain)
def test_every_hidden_span_is_told(pieces: list[tuple[str, str, str]], end: str) -> None:
    shown = "".join(text + placeholder for text, placeholder, _ in pieces) + end
    real = "".join(text + hidden for text, _, hidden in pieces) + end
    found = unseen("input", shown, real)
    if pieces and any(text == "" for text, _, _ in pieces[1:]):
        return  # two with nothing between them cannot be told apart: told as one, below
    assert [span.type for span in found.spans] == [
        "API_KEY" if placeholder == MASK else "EMAIL_ADDRESS" for _, placeholder, _ in pieces
    ]
    assert [span.length for span in found.spans] == [len(hidden) for _, _, hidden in pieces]
    assert list(found.values.values()) == [hidden for _, _, hidden in pieces]


def test_what_does_not_fit_counts_as_unseen_altogether() -> None:
    found = unseen("body", f"{MASK}{MASK}", "secretsecret")
    assert [(span.type, span.length) for span in found.spans] == [(UNKNOWN, 12)]
    assert unseen("body", "a", "b").spans[0].type == UNKNOWN


def test_a_placeholder_that_really_is_there_is_seen() -> None:
    found = unseen("input", f"{MASK} {SURROGATE}", f"{MASK} jane@acme.test")
    assert [(span.type, span.shown) for span in found.spans] == [("EMAIL_ADDRESS", SURROGATE)]


def test_a_tool_card_shows_the_command_first() -> None:
    card, values = tool_card(
        name="Bash",
        record=json.dumps({"command": f"mail {SURROGATE}", "description": "Write a letter"}),
        real=json.dumps({"command": "mail jane@acme.test", "description": "Write a letter"}),
        prompt="Write to Jane",
        findings=[
            Finding(
                type="EMAIL_ADDRESS", location="content[1].input", direction="response", score=1.0
            )
        ],
        tool_use_id="toolu_1",
    )
    assert (card.title, card.summary) == ("Bash", f"mail {SURROGATE}")
    assert [(part.name, part.kind) for part in card.parts] == [
        ("command", "command"),
        ("input", "json"),
    ]
    assert "jane" not in repr(card)
    assert [(span.type, span.length) for span in card.hidden] == [("EMAIL_ADDRESS", 14)]
    assert list(values.values()) == ["jane@acme.test"]
    assert card.findings == (("EMAIL_ADDRESS", "content[1].input"),)


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("<system-reminder>\nBe brief.\n</system-reminder>\n\nTidy up.", "Tidy up."),
        (
            "<system-reminder>By: Claude <noreply@anthropic.com>\n</system-reminder>Tidy <b>.",
            "Tidy <b>.",
        ),
        ("<system-reminder>all there is</system-reminder>", None),
        ("<system-reminder>not closed. Tidy up.", None),
        ("x" * 5000, "x" * 2000),
    ],
)
def test_a_card_says_what_the_human_asked(prompt: str, asked: str | None) -> None:
    card, _ = tool_card(
        name="x", record="{}", real="{}", prompt=prompt, findings=(), tool_use_id=""
    )
    assert card.prompt == (prompt if asked is None else asked)


@pytest.mark.parametrize("record", ["", "{", "[]", '"text"', "\ud800"])
def test_a_tool_card_of_what_is_no_object(record: str) -> None:
    card, _ = tool_card(
        name="x", record=record, real=record, prompt="", findings=(), tool_use_id=""
    )
    assert [(part.name, part.text) for part in card.parts] == [("input", record)]


def test_long_parts_are_cut_and_say_so() -> None:
    text = "x" * (MAX_TEXT + 7)
    card, _ = tool_card(
        name="Bash",
        record=json.dumps({"command": text}),
        real=json.dumps({"command": text}),
        prompt="",
        findings=(),
        tool_use_id="",
    )
    assert (len(card.parts[0].text), card.parts[0].cut) == (MAX_TEXT, 7)


def test_an_http_card() -> None:
    card, values = http_card(
        method="POST",
        address="https://api.internal:443/v1/users?mail=<EMAIL_ADDRESS>",
        headers=[(b"content-type", b"application/json")],
        body=b'{"password":"<PASSWORD>"}',
        real_address="https://api.internal:443/v1/users?mail=jane@acme.test",
        real_body=b'{"password":"xyzzy-1"}',
        findings=(),
    )
    assert card.title == "POST https://api.internal:443/v1/users"
    assert [part.name for part in card.parts] == ["target", "headers", "body"]
    assert [(span.type, span.place) for span in card.hidden] == [
        ("EMAIL_ADDRESS", "target"),
        ("PASSWORD", "body"),
    ]
    assert set(values.values()) == {"jane@acme.test", "xyzzy-1"}


def test_bytes_that_are_no_text_are_shown() -> None:
    card, _ = http_card(
        method="PUT",
        address="http://x/",
        headers=[],
        body=b"\xff\x00",
        real_address="http://x/",
        real_body=b"\xff\x00",
        findings=(),
    )
    assert card.parts[2].text == "\\xff\x00"


def test_hidden_values_are_sealed() -> None:
    sealed = seal({"input:1:<API_KEY>": "xyzzy"}, KEY)
    assert b"xyzzy" not in sealed
    assert unseal(sealed, KEY) == {"input:1:<API_KEY>": "xyzzy"}
    assert sealed != seal({"input:1:<API_KEY>": "xyzzy"}, KEY)
    assert seal({}, KEY) == b""
    assert unseal(b"", KEY) == {}


@pytest.mark.parametrize("damage", [lambda s: s[:-1], lambda s: b"\0" + s[1:], lambda s: s[:12]])
def test_damaged_seals_are_refused(damage: object) -> None:
    assert callable(damage)
    with pytest.raises(InternalError, match="opened"):
        unseal(damage(seal({"a": "b"}, KEY)), KEY)
    with pytest.raises(InternalError):
        unseal(seal({"a": "b"}, KEY), bytes(32))


def test_a_statement_is_summed_up_by_what_it_would_do() -> None:
    action = Action(
        kind=ActionKind.SQL_STATEMENT, listener="db", target="db/shop DELETE", content=()
    )
    said = "It would delete 12 of 4,031 rows of public.orders (0.3 %)."
    evidence = (
        Part(name="plan", kind="text", text="p"),
        Part(name="rows", kind="text", text=f"{said}\nx"),
    )
    card, _ = sql_card(
        action=action, sql="DELETE\nFROM t", real="", parameters="", evidence=evidence, findings=()
    )
    assert card.summary.removeprefix(said) == " DELETE FROM t"
    assert card.parts[-2:] == evidence
    card, _ = sql_card(
        action=action, sql="DELETE FROM t", real="", parameters="", evidence=(), findings=()
    )
    assert card.summary == "DELETE FROM t"


@pytest.mark.parametrize(("direction", "to"), [("client", "server"), ("server", "client")])
def test_the_card_of_a_message(direction: str, to: str) -> None:
    ws = WsFields(direction=direction, type="text")
    action = Action(kind=ActionKind.WS_MESSAGE, listener="feed", target="CLIENT ws://x:80/", ws=ws)
    card, values = ws_card(
        action=action,
        address="https://feed.internal:443/v1?room=1",
        kept=b'{"key": "<API_KEY>"}',
        real=b'{"key": "sk-1"}',
        findings=[],
    )
    assert card.title == "WebSocket https://feed.internal:443/v1"
    assert card.parts[0].text == f"text message to the {to}, https://feed.internal:443/v1?room=1"
    assert card.parts[1] == Part(name="body", kind="json", text='{\n  "key": "<API_KEY>"\n}', cut=0)
    assert [hidden.type for hidden in card.hidden] == ["API_KEY"]
    assert list(values.values()) == ["sk-1"]
    nothing, _ = ws_card(action=action, address="https://x/", kept=b"", real=b"", findings=[])
    assert [part.name for part in nothing.parts] == ["target"]
