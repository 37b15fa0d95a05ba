"""What simple programs put out."""

import pytest

from proctor.protocols.shell.model import LISTED, UNKNOWN
from proctor.protocols.shell.outputs import output


@pytest.mark.parametrize(
    ("words", "stdin", "found"),
    [
        (["echo", "a", "b"], None, "a b\n"),
        (["echo", "-n", "a"], None, "a"),
        (["echo", "-e", r"\x72"], None, "r\n"),
        (["echo", "-x"], None, "-x\n"),
        (["echo", r"a\nb"], None, None),
        (["printf", "a%sb\\n", "x"], None, "axb\n"),
        (["printf", "%s ", "x", "y"], None, "x y "),
        (["printf", "%b", r"\x72"], None, "r"),
        (["printf", "%%"], None, "%"),
        (["printf", "%d", "1"], None, None),
        (["printf", "-v", "a", "x"], None, None),
        (["printf"], None, None),
        (["cat"], "x", "x"),
        (["cat", "-"], "x", "x"),
        (["cat", "file"], "x", None),
        (["cat"], None, None),
        (["tee", "file"], "x", "x"),
        (["base64", "-d"], "cm0=", "rm"),
        (["base64", "--decode"], "cm0", "rm"),
        (["base64", "-di"], "cm0=", "rm"),
        (["base64", "-d"], "/w==", None),
        (["base64", "-d"], "a", None),
        (["base64"], "x", None),
        (["base64", "-d", "file"], "cm0=", None),
        (["xxd", "-r", "-p"], "726d", "rm"),
        (["xxd", "-rp"], "7g", None),
        (["xxd", "-r"], "726d", None),
        (["rev"], "mr\n", "rm\n"),
        (["basename", "a/b.py", ".py"], None, "b\n"),
        (["basename", f"{UNKNOWN}"], None, None),
        (["dirname", "a/b"], None, "a\n"),
        (["dirname", "a"], None, ".\n"),
        (["dirname", f"{LISTED}"], None, ".\n"),
        (["pwd"], None, "."),
        (["mktemp", "-d"], None, f"/tmp/{LISTED}"),  # noqa: S108 - the same name
        (["true"], None, ""),
        (["ssh-agent", "-s"], None, ""),
        (["pyenv", "init", "-"], None, ""),
        (["pyenv", "exec"], None, None),
        (["ls"], None, LISTED),
        (["ls", "/etc"], None, None),
        (["ls", "../x"], None, None),
        (["find", ".", "-name", "x"], None, LISTED),
        (["find", ".", "-exec", "cat", "{}", ";"], None, None),
        (["find", ".", "-printf", "x"], None, None),
        (["grep", "-rl", "x", "src"], None, LISTED),
        (["grep", "x", "src"], None, None),
        (["git", "ls-files"], None, LISTED),
        (["git", "log"], None, None),
        (["curl", "x"], None, None),
    ],
)
def test_output(words: list[str], stdin: str | None, found: str | None) -> None:
    assert output(words, stdin) == found
