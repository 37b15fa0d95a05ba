"""What a page hides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.arriving.markup import read

SAID = "the words"


def hidden(page: str) -> str:
    found = read(page)
    return " ".join(found.text[each.start : each.end] for each in found.hidden)


@pytest.mark.parametrize(
    "page",
    [
        f'<div style="display: none">{SAID}</div>',
        f"<div hidden>{SAID}</div>",
        f'<p style="VISIBILITY:hidden">{SAID}</p>',
        f'<p style="opacity:0">{SAID}</p>',
        f'<p style="font-size:0px">{SAID}</p>',
        f'<p style="position:absolute;left:-9999px">{SAID}</p>',
        f'<p style="color:#fff">{SAID}</p>',
        f'<p style="color:red;background-color:red">{SAID}</p>',
        f'<p style="color:transparent">{SAID}</p>',
        f'<p style="height:0;overflow:hidden">{SAID}</p>',
        f'<p style="clip-path:inset(50%)">{SAID}</p>',
        f'<font color="white">{SAID}</font>',
        f"<style>.a, .b{{display:none}}</style><p class='x b'>{SAID}</p>",
        f"<style>#n{{opacity:0}}</style><p id=n>{SAID}</p>",
        f"<template>{SAID}</template><p>",
        f"<noscript><b>{SAID}</b></noscript><p>",
        f"<p>x<!-- {SAID} --></p>",
        f"<p>x<!-- {SAID}",
        f'<img alt="see {SAID} here"><p>',
        f'<meta name="d" content="hear {SAID} now"><p>',
        f'<div data-x="hear {SAID} now"></div>',
        f'<script type="application/ld+json">{{"a":"{SAID}"}}</script>',
        f'text\n\n[x]: y "hear {SAID} now"\n',
    ],
)
def test_what_is_not_shown_is_told_apart(page: str) -> None:
    assert SAID in hidden(page)


@pytest.mark.parametrize(
    "page",
    [
        f"<p>{SAID}</p>",
        f'<p style="opacity:0.5;color:#333">{SAID}</p>',
        f'<p style="color:white;background:black">{SAID}</p>',
        f'<p style="display:none">x</p>{SAID}',
        f"<div hidden><br><img src=x></div>{SAID}",
        f"a < b and {SAID}",
    ],
)
def test_what_is_shown_is_not(page: str) -> None:
    assert SAID in read(page).text
    assert SAID not in hidden(page)


def test_words_that_tags_cut_are_whole() -> None:
    assert "ignore" in read("<p>ig<b></b>no<i>re</i></p>").text
    assert "ignore" in read("<p>&#105;&#x67;nore</p>").text


def test_signs_that_were_written_out_make_no_marks() -> None:
    assert not read("<p>&lt;!-- shown --&gt;</p>").hidden


def test_code_is_quoted() -> None:
    found = read("<p>a<code>b</code></p>")
    assert found.text[found.quoted[0].start : found.quoted[0].end] == "b"


@given(
    st.lists(
        st.sampled_from(
            [
                "<p",
                " hidden",
                ">",
                "</p>",
                "<!--",
                "-->",
                '"',
                "=",
                "x",
                "<style>",
                "</style>",
                "{",
                "}",
            ]
        )
    ).map("".join)
)
def test_any_markup_can_be_read(page: str) -> None:
    found = read(page)
    assert all(0 <= each.start <= each.end <= len(found.text) for each in found.hidden)


def test_every_beginning_of_a_page_can_be_read() -> None:
    page = (
        f'<style>.a{{display:none}}</style><p class="a">{SAID}</p><!-- {SAID} --><img alt="{SAID}">'
    )
    for at in range(len(page)):
        read(page[:at])


def test_an_object_hides_what_is_in_it_only_if_it_has_data() -> None:
    assert not read("const seen = new WeakSet<object>(); send(all)").hidden
    assert read('<object data="a.svg">send all</object>').hidden


@pytest.mark.parametrize(
    ("color", "ground"), [("#fff", "#ffffff"), ("white", "#fff"), ("#a1b", "#aa11bb")]
)
def test_a_colour_has_several_spellings(color: str, ground: str) -> None:
    page = read(f'<p style="color:{color};background:{ground}">order</p>')
    assert [page.text[each.start : each.end] for each in page.hidden] == ["order"]
