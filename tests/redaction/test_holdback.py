"""Where a growing text may be cut."""

import pytest

from proctor.redaction.holdback import (
    SENTENCE,
    Phrases,
    key_end,
    open_key,
    sentence,
    settled,
    soften,
    token_end,
    token_start,
)
from tests.redaction.planted import KEY, PPK, made


def cut(text: str, start: int = 0) -> str:
    """What is held."""
    return text[settled(text, start, token_start(text, len(text), start)) :]


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("plain words ", ""),
        ("plain wor", "wor"),
        ("in 2026 ", "2026 "),
        ("in 2026 we", "we"),
        ("card 4111 1111 11", "4111 1111 11"),
        ("call +1 (212) 555-0123 ", "+1 (212) 555-0123 "),
        ("call 555 0123 ext. ", "555 0123 ext. "),
        ("x:4111 1111 ", "x:4111 1111 "),
        ("to GB82 WEST 12", "GB82 WEST 12"),
        ("bytes 0x41, 0x42, 0x43, ", "0x41, 0x42, 0x43, "),
        ('my password = "correct horse ', 'password = "correct horse '),
        ('my password = "correct horse" ', ""),
        ("password: correct horse ", "password: correct horse "),
        ("password: correct horse\nand ", ""),
        ('{"db_password": "correct horse ', '{"db_password": "correct horse '),
        ("<password>correct horse ", "<password>correct horse "),
        ("the password ", "password "),
        ("the password is correct horse ", "password is correct horse "),
        ("the password is correct horse. And ", ""),
        ("das Passwort lautet korrekt ", "Passwort lautet korrekt "),
        ("login --password 'correct horse ", "--password 'correct horse "),
        ('mysql -p "correct horse ', '-p "correct horse '),
        ("we pass it on and ", ""),
        ("define('AUTH_KEY', 'x} y; z ", "define('AUTH_KEY', 'x} y; z "),
        ("define('AUTH_KEY', 'x} y; z'); ", ""),
        ("seed phrase: copper river ", "seed phrase: copper river "),
        ("seed phrase: copper river. ", ""),
        ("run echo correct ", "echo correct "),
        ("run echo 'a b c' | su", "echo 'a b c' | su"),
        ("run echo -n correct horse ", ""),
        ("run echo 'a b' > file ", ""),
        ("| db1 | correct horse ", "| correct horse "),
        ("| db1 | correct |\nand ", ""),
        ("use Zq81vTmx as the ", "Zq81vTmx as the "),
        ("use 7zq81vtmx0kq3nd5hw9cbr2 as the ", "7zq81vtmx0kq3nd5hw9cbr2 as the "),
        ("use Zq81vTmx.\nAs the ", ""),
        ("use Zq81vTmx " + "and so on " * 14, ""),
        ("use Python3 as the ", ""),
        ("see https://a.test/Zq8vT as ", ""),
        ("-----BEGIN RSA PRI", "-----BEGIN RSA PRI"),
        ("-----BEGIN CERTIFICATE----- is ", ""),
        ("\u4e2d\u6587", ""),
        ("\u4e2d\u6587abc", "abc"),
        ("\uff11\uff12 ", "\uff11\uff12 "),
    ],
)
def test_what_may_go_on_is_held(text: str, held: str) -> None:
    assert cut(text) == held


def test_only_what_waits_can_be_held() -> None:
    text = 'password = "correct horse battery '
    assert cut(text, 20) == text[20:]
    assert cut("4111 1111 1111 ", 5) == "1111 1111 "


def test_keys_are_open_up_to_their_end() -> None:
    for key in (KEY, PPK + "\n"):
        text = f"Here: {key}"
        assert open_key(text, 0) == -1
        assert open_key(text[:-8], 0) == 6
        assert key_end(text, 10) == len(text.rstrip())
        assert key_end(text[:-8], 10) == -1
    assert open_key(f"{KEY}\n{KEY[:-9]}", 0) == len(KEY) + 1
    assert open_key(KEY.split("\n")[0] + " is a mark. " * 50, 0) == -1


def test_lines_of_base64_at_the_end_wait_for_the_next() -> None:
    lines = f"{made(48)}\n{made(48)}\n"
    assert cut(f"See:\n{lines}abc") == f"{lines}abc"
    assert cut(f"See:\n{lines}\n").strip() == ""
    assert cut(f"See:\n{lines}No, ") == ""


def test_long_tokens_may_be_cut_at_brackets() -> None:
    text = "x " + "{abc}," * 200
    word = soften(text, 2)
    assert len(text) - 300 < word <= len(text) - 256
    assert text[word - 1] in "{},"
    assert soften("x " + made(800), 2) == 2
    assert soften("x {abc},", 2) == 2


def test_tokens_begin_and_end_at_white_space() -> None:
    assert token_start("ab cd", 5) == 3
    assert token_start("ab cd ", 6) == 6
    assert token_start("abcd", 4) == 0
    assert token_start("ab cd", 5, 4) == 4
    assert token_end("ab cd", 0) == 2
    assert token_end("abcd", 0) == -1


def test_phrases() -> None:
    known = Phrases(["Blue Falcon Nine", "single", "\u9280\u884c"], limit=3)
    known.add("a b")
    known.add("over the limit")
    assert known.begin("as Blue Falcon ", 0, 15) == 3
    assert known.begin("as blue falcon ", 0, 15) == 3
    assert known.begin("as Blue Falcon ", 5, 15) == 15
    assert known.begin("as \u9280", 0, 4) == 3
    assert known.begin("say a ", 0, 6) == 4
    assert known.begin("single over ", 0, 12) == 12
    assert Phrases().begin("Blue ", 0, 5) == 5


@pytest.mark.parametrize(
    "piece",
    ["-----BEGIN ", "-----BEGIN RSA PRIVATE KEY-----\n", "1 ", "4111-", "password", "password is ",
     "pass word ", "password: ", "-p '", "ab ", "0x41,", "AB12 ", "PuTTY-User-Key-File-3", "a\n",
     "A" * 40 + "\n", "= ", "( ", "echo ", "echo 'a", "| a ", "Zq81vTmx ", "9A", "seed a ",
     "key: '", "key, "],
)  # fmt: skip
def test_floods_cost_little(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    for start in (0, len(text) - 500):
        assert start <= settled(text, start, len(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "start", "begins"),
    [
        ("We met Jane ", 0, 0),
        ("So it is. We met Jane ", 0, 10),
        ("So it is! (Is it?) We met Jane ", 0, 19),
        ("- one\n- We met Jane ", 0, 6),
        ("So it is. We met Jane ", 14, 14),
        ("So it is.\n", 0, 10),
        ("Version 1.2 of it ", 0, 0),
        ("on " * SENTENCE, 0, 3 * SENTENCE),
    ],
)
def test_a_sentence_waits_for_its_end(text: str, start: int, begins: int) -> None:
    assert sentence(text, start, len(text)) == begins
