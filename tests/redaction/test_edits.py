"""Views and the way back."""

import pytest

from proctor.redaction.edits import SEPARATOR, Allowance, Edit, render
from proctor.redaction.model import RedactionError


def test_a_view_shows_the_edits_and_knows_the_way_back() -> None:
    text = "one %40%41 two"

    view = render(text, [[Edit(4, 7, "@"), Edit(7, 10, "A")]], Allowance(100))

    assert view is not None
    assert view.text == "one @A two"
    assert list(view.origins(4, 5)) == [(4, 7)]
    assert list(view.origins(5, 6)) == [(7, 10)]
    assert list(view.origins(3, 8)) == [(3, 12)]
    assert list(view.origins(0, 3)) == [(0, 3)]


def test_what_is_taken_out_belongs_to_what_reaches_over_it() -> None:
    view = render("ab\u200b\u200bcd", [[Edit(2, 4, "")]], Allowance(100))

    assert view is not None
    assert view.text == "abcd"
    assert list(view.origins(0, 4)) == [(0, 6)]
    assert list(view.origins(0, 2)) == [(0, 2)]
    assert list(view.origins(2, 4)) == [(4, 6)]


def test_part_of_what_was_decoded_is_all_of_it() -> None:
    view = render("x = aGVsbG8=", [[Edit(4, 12, "hello")]], Allowance(100))

    assert view is not None
    assert list(view.origins(5, 7)) == [(4, 12)]


def test_windows_end_at_white_space_and_are_joined_when_near() -> None:
    token = "t" * 500
    text = f"{'far ' * 200}{token}%40{token} {'away ' * 200}%41"

    view = render(
        text, [[Edit(1300, 1303, "@"), Edit(len(text) - 3, len(text), "A")]], Allowance(9999)
    )

    assert view is not None
    first, second = view.text.split(SEPARATOR)
    assert first.split(" ")[-1] == "" or token in first
    assert f"{token}@{token}" in first
    assert second.endswith(" A")


def test_what_reaches_over_windows_is_taken_apart() -> None:
    text = "%40" + " x" * 1000 + " %41"
    view = render(text, [[Edit(0, 3, "@"), Edit(2004, 2007, "A")]], Allowance(9999))

    assert view is not None
    cut = view.text.index(SEPARATOR)
    places = list(view.origins(0, len(view.text)))

    assert len(places) == 2
    assert places[0] == (0, cut + 2)
    assert places[1][1] == len(text)


def test_weak_edits_are_shown_next_to_strong_ones_only() -> None:
    weak = Edit(0, 2, "-", strong=False)

    assert render("xx yy", [[weak]], Allowance(100)) is None
    view = render("xx yy", [[weak, Edit(3, 5, "!")]], Allowance(100))
    assert view is not None
    assert view.text == "- !"


def test_layers_stand_apart() -> None:
    view = render("ab", [[Edit(0, 2, "1")], [Edit(0, 2, "2")]], Allowance(100))

    assert view is not None
    assert view.text == f"1{SEPARATOR}2"
    assert list(view.origins(len(view.text) - 1, len(view.text))) == [(0, 2)]


def test_a_view_of_a_view_leads_back_to_the_first_text() -> None:
    below = render("%2540 x", [[Edit(0, 3, "%")]], Allowance(100))
    assert below is not None

    view = render(below.text, [[Edit(0, 3, "@")]], Allowance(100), below)

    assert view is not None
    assert (view.text, view.level) == ("@ x", 2)
    assert list(view.origins(0, 1)) == [(0, 5)]
    touches = below.changes()
    assert touches(0, 1)
    assert touches(1, 2)
    assert not touches(3, 4)


def test_more_than_allowed_is_an_error() -> None:
    with pytest.raises(RedactionError) as caught:
        render("ab", [[Edit(0, 2, "secret")]], Allowance(5))

    assert caught.value.code == "redaction-size"
    assert "secret" not in str(caught.value)
