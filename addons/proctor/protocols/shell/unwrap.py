"""What a command runs besides itself: `sudo rm x`, `sh -c …`, `xargs`, `find -exec`."""

from collections.abc import Sequence

from proctor.protocols.shell.inner import Inner
from proctor.protocols.shell.interpreters import interpreted
from proctor.protocols.shell.launchers import LAUNCHERS
from proctor.protocols.shell.wrappers import wrapped


def unwrap(words: Sequence[str], stdin: str | None) -> tuple[Inner, ...]:
    """What a command runs besides itself.

    Args:
        words: Program, without its folder, and arguments.
        stdin: What it reads, or None where the line does not tell.
    """
    if launcher := LAUNCHERS.get(words[0]):
        return launcher(words, stdin)
    return interpreted(words, stdin) or wrapped(words) or ()
