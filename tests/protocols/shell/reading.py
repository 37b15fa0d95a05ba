"""Lines read, in a form that is easily compared."""

from proctor.protocols.shell.reader import read_command


def words_of(line: str) -> list[list[str]]:
    """The commands of a line that must be readable."""
    read = read_command(line)
    assert not read.opaque, [command.why for command in read.commands]
    return [list(command.words) for command in read.commands]
