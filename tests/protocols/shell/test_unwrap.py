"""Each way to run something else is found."""

import pytest

from proctor.protocols.shell.inner import Inner, Run, Script
from proctor.protocols.shell.unwrap import unwrap


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["eval", "ls"], (Script(text="ls", process=False),)),
        (["sh", "-c", "ls"], (Script(text="ls"),)),
        (["sudo", "ls"], (Run(words=("ls",)),)),
        (["bun", "x", "ls"], (Run(words=("ls",)),)),
        (["ls"], ()),
    ],
)
def test_unwrap(words: list[str], found: tuple[Inner, ...]) -> None:
    assert unwrap(words, None) == found
