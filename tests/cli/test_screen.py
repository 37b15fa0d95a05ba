"""What reaches a terminal, and what does not."""

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import RenderableType
from rich.text import Text

from proctor.cli.screen import code, plain, prose, put, screen, several, span

UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
STYLES = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(content: RenderableType, *, terminal: bool = False, width: int = 60) -> str:
    out = Terminal() if terminal else io.StringIO()
    put(screen(out, width), content)
    return out.getvalue()


SIGNS = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\r\u061c\u202e\u2066[]()<>&#;`*_|"))
)


@settings(max_examples=40)
@given(SIGNS)
def test_nothing_is_obeyed(text: str) -> None:
    for content in (plain(text), prose(text), code(text, "bash"), code(text, "json"), Text(text)):
        assert not UNSAFE.search(shown(content))


@settings(max_examples=40)
@given(SIGNS)
def test_in_a_terminal_only_our_own_styles(text: str) -> None:
    for content in (plain(text, "red"), prose(text), code(text, "bash")):
        assert not UNSAFE.search(STYLES.sub("", shown(content, terminal=True)))


@pytest.mark.parametrize(
    ("markdown", "seen"),
    [
        ("&#x202e;x", "\\u202ex"),
        ("&#27;[31m", "[31m"),
        ("<!-- hidden -->", "<!-- hidden -->"),
        ("a <b onclick='x'>c</b>", "<b onclick='x'>"),
        ("[safe](http://evil/)", "http://evil/"),
        ("![cat](http://evil/?q=secret)", "http://evil/?q=secret"),
        ("[x]: http://evil/ 'hidden'\n\n[x]", "http://evil/"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("one\ntwo", "one\ntwo"),
        (":warning:", ":warning:"),
    ],
)
def test_nothing_is_hidden(markdown: str, seen: str) -> None:
    assert seen in shown(prose(markdown))


def test_no_link_for_the_terminal_to_follow() -> None:
    assert "\x1b]8" not in shown(prose("[a](http://b/) <http://c/>"), terminal=True)


def test_no_blanks_at_line_ends() -> None:
    for content in (code("ls\n\nx", "bash"), prose("# a\n\n```sh\nls\n```\n\n- b"), plain("a   ")):
        assert not re.search(r" $", shown(content), re.MULTILINE)


@pytest.mark.parametrize("content", [prose("x" * 300_000), code("x" * 30_000, "json")])
def test_what_is_large_is_not_parsed(content: RenderableType) -> None:
    assert isinstance(content, Text)


def test_halves_of_characters() -> None:
    assert shown(plain("a\ud800b")) == "a\\ud800b\n"


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    text = plain("x", "red")
    assert shown(text) == "x\n"
    assert "\x1b[31m" in shown(text, terminal=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown(text, terminal=True)


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert screen(io.StringIO()).width == 100
    assert screen(io.StringIO(), 50).width == 50
    monkeypatch.setenv("COLUMNS", "70")
    assert screen(io.StringIO()).width == 70


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.9994, "999 ms"), (0.9999, "1.0 s"), (1.25, "1.2 s"), (59.94, "59.9 s"),
        (59.96, "1 min 00 s"), (192, "3 min 12 s"), (3600, "1 h 00 min"), (7500, "2 h 05 min"),
        (273_600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_several() -> None:
    assert [several(n, "turn") for n in (0, 1, 2000)] == ["0 turns", "1 turn", "2,000 turns"]
