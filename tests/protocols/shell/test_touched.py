"""What a whole line touches."""

from proctor.protocols.shell.touched import touched


def test_touched() -> None:
    assert touched("cd a && touch x > y; curl https://A.test | tee /z; curl https://a.test") == (
        ("a/y", "a/x", "/z"),
        ("a.test",),
    )
    assert touched("") == ((), ())


def test_a_shell_alone_writes_too() -> None:
    assert touched("> x; { ls; } > y") == (("x", "y"), ())
