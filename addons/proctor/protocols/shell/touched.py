"""What a whole line touches: `tool.paths` and `tool.hosts` of a shell's command."""

from proctor.protocols.shell.effects import hosts
from proctor.protocols.shell.model import seen
from proctor.protocols.shell.reader import read_command


def touched(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files that a line writes or deletes, and the hosts that it names.

    Paths are seen from where the line starts; `$` begins one that cannot be told, `*` stands for
    names out of a listing.
    """
    commands = read_command(text).commands
    paths = (path for command in commands for path in command.writes)
    named = (
        host
        for command in commands
        if command.words
        for host in hosts([command.program, *map(seen, command.words[1:])])
    )
    return tuple(dict.fromkeys(paths)), tuple(dict.fromkeys(named))
