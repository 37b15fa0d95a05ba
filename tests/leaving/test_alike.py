"""Look-alike letters."""

from proctor.leaving.alike import plain


def test_a_text_keeps_its_length() -> None:
    text = "p\u0430ssw\u043erd \u03b1 z"
    assert plain(text) == "password a z"
    assert len(plain(text)) == len(text)
    assert plain("plain") == "plain"
