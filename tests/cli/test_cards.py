"""A held action in a terminal: everything is seen, and seen as what it is."""

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctor.approval.model import Approval, Card, Hidden, Part, State
from proctor.approval.views import approval_json
from proctor.cli import cards
from proctor.cli.screen import put, screen
from tests.approval import samples

GOLDEN = Path(__file__).parents[1] / "golden/cli"
NOW = samples.NOW + timedelta(minutes=1)


def full(**changed: Any) -> Approval:
    terms = samples.full().demands
    card = Card(
        title="Bash",
        summary="rm -rf build\nand more",
        parts=(
            Part(name="command", kind="command", text="rm -rf build; echo [EMAIL_ADDRESS_1]"),
            Part(name="input", kind="json", text='{"command": "rm", "n": [1]}'),
            Part(name="body", kind="json", text='{"cut', cut=1200),
        ),
        hidden=(
            Hidden(type="EMAIL_ADDRESS", length=21, place="command", shown="[EMAIL_ADDRESS_1]"),
        ),
        findings=(("EMAIL_ADDRESS", "input.command"),),
        prompt="tidy up",
    )
    asking = replace(
        samples.full(), card=card, demands=(replace(terms[0], rule_reason="Two eyes."), terms[1])
    )
    made = Approval(
        id="ap_abcdefghijklmnop",
        asking=asking,
        nonce="the-nonce",
        state=State.PENDING,
        requested_at=samples.NOW,
        expires_at=samples.NOW + timedelta(minutes=30),
        votes=(samples.vote("bob"), samples.vote("carol", approve=False, break_glass=True)),
    )
    return replace(made, **changed)


def shown(content: Any, width: int = 100) -> str:
    out = io.StringIO()
    put(screen(out, width), content)
    return out.getvalue()


def test_a_card() -> None:
    text = shown(cards.card(approval_json(full(), NOW), NOW))
    assert text == (GOLDEN / "approval.txt").read_text()


def test_a_list() -> None:
    items = [
        approval_json(full(), NOW),
        approval_json(full(id="ap_abcdefghzzzzzzzz", waiting=False), NOW),
        approval_json(full(id="ap_bcdefghijklmnopq", state=State.USED, break_glass=True), NOW),
    ]
    text = shown(cards.table(items, NOW, 120), 120)
    text += shown(cards.table(items, NOW, 80), 80)
    assert text == (GOLDEN / "approvals.txt").read_text()


HOSTILE = "rm \x1b[2K\u202e\u200b\x00 ls\r" + "\u0430"


@pytest.mark.parametrize("place", ["text", "title", "summary", "prompt", "name", "reason", "type"])
def test_nothing_of_it_reaches_the_terminal_as_it_is(place: str) -> None:
    found = approval_json(full(), NOW)
    part = found["card"]["parts"][0]
    where: dict[str, Any] = {
        "text": part,
        "name": part,
        "reason": found["votes"][0],
        "type": found["card"]["hidden"][0],
    }
    where.get(place, found["card"])[place] = HOSTILE
    text = shown(cards.card(found, NOW)) + shown(cards.table([found], NOW, 100))
    assert all(char.isprintable() or char == "\n" for char in text)


def test_what_looks_like_something_else_is_named() -> None:
    found = approval_json(full(), NOW)
    found["card"]["parts"][0]["text"] = "rm\u200b -rf /home/\u0430lice"
    text = shown(cards.card(found, NOW))
    assert "Look closely:" in text
    assert "ZERO WIDTH SPACE" in text
    assert "CYRILLIC SMALL LETTER A" in text


def test_a_colour_is_no_part_of_the_words() -> None:
    found = approval_json(full(), NOW)
    found["card"]["parts"][0]["text"] = "[bold red]x[/] :smile:"
    assert "[bold red]x[/] :smile:" in shown(cards.card(found, NOW))


@pytest.mark.parametrize(
    ("state", "seconds", "expected"),
    [
        ("pending", 90, "1 min 30 s"),
        ("pending", -5, "0 ms"),
        ("approved", 90, "1 min 30 s"),
        ("denied", 90, ""),
        ("used", 90, ""),
    ],
)
def test_what_is_left(state: str, seconds: int, expected: str) -> None:
    end = (NOW + timedelta(seconds=seconds)).isoformat()
    assert cards.left({"state": state, "expires_at": end}, NOW).plain == expected


def test_a_row() -> None:
    row = cards.row(approval_json(full(), NOW))
    assert tuple(row) == cards.COLUMNS
    assert row["rules"] == ["shell"]
    assert row["summary"] == "rm -rf build\nand more"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"at": "2026-11-22T09:30:00Z", "subject": "approval", "id": "ap_a", "state": "denied",
             "by": ["https://idp#bob"], "reason": "No."},
            "09:30:00 approval ap_a denied by https://idp#bob: No.",
        ),
        ({"id": "ki_a", "state": "killed", "by": [], "reason": ""}, "ki_a killed"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_change(change: dict[str, Any], line: str) -> None:
    assert cards.change(change) == line


def test_short_names() -> None:
    names = ["ap_abcdefghi", "ap_abcdefghj", "ap_zzzzzzzzz"]
    assert list(cards.shortened(names).values()) == names
    assert list(cards.shortened(names[1:]).values()) == ["ap_abcdefgh", "ap_zzzzzzzz"]
    assert cards.shortened([]) == {}
    assert cards.shortened(["", ""]) == {"": ""}


TEXTS = st.text(max_size=20)


@given(TEXTS, TEXTS, TEXTS)
@settings(max_examples=40, deadline=None)
def test_whatever_it_holds_can_be_shown(command: str, title: str, prompt: str) -> None:
    found = approval_json(full(), NOW)
    found["card"]["parts"] = [
        {"name": title, "kind": kind, "text": command, "cut": 0} for kind in ("json", "command", "")
    ]
    found["card"] |= {"title": title, "prompt": prompt, "summary": command}
    text = shown(cards.card(found, NOW)) + shown(cards.table([found], NOW, 100))
    assert all(char.isprintable() or char == "\n" for char in text)


def test_a_console_that_says_little_is_survived() -> None:
    assert shown(cards.card({}, NOW))
    assert shown(cards.table([{}], NOW, 100))
    assert cards.row({})["id"] is None


def test_a_statements_card_shows_all_of_its_parts() -> None:
    kinds = {"statement": "sql", "parameters": "json"}
    names = ("statement", "parameters", "tables", "plan", "rows", "novelty")
    parts = tuple(
        Part(name=name, kind=kinds.get(name, "text"), text=text)
        for name, text in zip(
            names,
            ("DELETE FROM orders\nWHERE id < $1 -- \u202e", '["10",null]', "public.orders",
             "Delete on orders", "It would delete 9 rows.", "First time here."),
            strict=True,
        )
    )  # fmt: skip
    asking = replace(full().asking, card=Card(title="orders/shop", summary="x", parts=parts))
    text = shown(cards.card(approval_json(full(asking=asking), NOW), NOW))
    lines = [line.strip() for line in text.splitlines()]
    assert [line for line in lines if line in names] == list(names)
    for expected in ("DELETE FROM orders", '"10",', "It would delete 9 rows.", "First time here."):
        assert expected in lines
    assert "\u202e" not in text
