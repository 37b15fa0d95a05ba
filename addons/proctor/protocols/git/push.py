"""A push as it comes: commands, push options, and where its pack begins (gitprotocol-pack).

    push      = *shallow ( command-list | push-cert ) [ push-options ] [ pack ]
    shallow   = "shallow" id
    command   = old-id SP new-id SP name [ NUL capabilities ]     the first has them
    a flush ends the list, and the options where `push-options` was asked for

A certificate is refused: it was not offered (see `advertisement`).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from proctor.errors import ClientError
from proctor.protocols.git.pktline import Lines, Mark, malformed

MAX_COMMANDS: Final = 10_000
MAX_HEAD: Final = 4 * 1024 * 1024
"""Bytes of everything that comes before the pack."""

MAX_NAME: Final = 4096

_ID: Final = rb"([0-9a-f]{40}|[0-9a-f]{64})"
_COMMAND: Final = re.compile(_ID + rb" " + _ID + rb" (.+)", re.DOTALL)
_SHALLOW: Final = re.compile(rb"shallow " + _ID)
# git-check-ref-format(1): what no name of a ref holds. One that does is refused by git as well.
_NO_NAME: Final = re.compile(
    rb"[\0-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)|\.$|/$|^/|^\.|\.lock$"
)


@dataclass(frozen=True, slots=True)
class Command:
    """What becomes of one ref.

    Attributes:
        ref: Its full name.
        old: What it was for the client, hex; zeros where it did not exist.
        new: What it becomes; zeros where it is deleted.
    """

    ref: bytes
    old: str
    new: str

    @property
    def creates(self) -> bool:
        """It did not exist."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """It will not exist."""
        return not self.new.strip("0")

    @property
    def name(self) -> str:
        r"""The ref's name as text; bytes that are none are written as `\xff`."""
        return legible(self.ref)


@dataclass(frozen=True, slots=True)
class Push:
    """All that comes before the pack.

    Attributes:
        commands: One for each ref.
        capabilities: What the client asked for.
        options: What it tells the server's hooks.
        shallow: Commits whose parents the client does not have.
        probe: It was only asked whether it may push at all.
    """

    commands: tuple[Command, ...] = ()
    capabilities: frozenset[bytes] = frozenset()
    options: tuple[bytes, ...] = ()
    shallow: tuple[str, ...] = ()
    probe: bool = False

    @property
    def packed(self) -> bool:
        """Whether a pack has to follow: one that only deletes has none."""
        return any(not each.deletes for each in self.commands)

    @property
    def side_band(self) -> bool:
        """Whether the client hears us beside its report."""
        return b"side-band-64k" in self.capabilities

    @property
    def reports(self) -> bool:
        """Whether it wants to know what became of each ref."""
        return bool({b"report-status", b"report-status-v2"} & self.capabilities)


@dataclass(slots=True)
class PushReader:
    """Takes bytes up to where the pack begins.

    Attributes:
        push: What was read, once it is whole.
    """

    push: Push | None = None
    _lines: Lines = field(default_factory=Lines)
    _commands: list[Command] = field(default_factory=list[Command])
    _shallow: list[str] = field(default_factory=list[str])
    _options: list[bytes] = field(default_factory=list[bytes])
    _capabilities: frozenset[bytes] = frozenset()
    _opting: bool = False
    _size: int = 0

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; returns those that belong to the pack.

        Raises:
            ClientError: `git-malformed`, `git-push-cert`.
        """
        if self.push:
            return data
        self._size += len(data)
        self._lines.feed(data)
        while self.push is None and (line := self._lines.next()) is not None:
            if line.mark is Mark.FLUSH:
                self._flush()
            elif line.mark is not Mark.DATA:
                raise malformed("a mark that is not in a push")
            elif self._opting:
                self._options.append(line.text)
            else:
                self._said(line.data)
        if self.push:
            return self._lines.rest()
        if self._size > MAX_HEAD:
            raise malformed(f"more than {MAX_HEAD} bytes before its pack")
        return b""

    def _flush(self) -> None:
        if self._opting or not (self._commands and b"push-options" in self._capabilities):
            self.push = Push(
                commands=tuple(self._commands),
                capabilities=self._capabilities,
                options=tuple(self._options),
                shallow=tuple(self._shallow),
                probe=not (self._commands or self._shallow),
            )
            if not self._commands and self._shallow:
                raise malformed("a push of nothing")
        self._opting = True

    def _said(self, data: bytes) -> None:
        said, mark, capabilities = data.partition(b"\0")
        said = said.removesuffix(b"\n")
        if said == b"push-cert":
            raise ClientError(
                "git-push-cert",
                "Signed pushes do not pass: the signature is over what may have to be refused",
                expected="git push --no-signed",
            )
        if not self._commands and not mark and (found := _SHALLOW.fullmatch(said)):
            self._shallow.append(found[1].decode())
            return
        found = _COMMAND.fullmatch(said)
        if found is None or bool(mark) is bool(self._commands):
            raise malformed("a line that is no command")
        if mark:
            self._capabilities = frozenset(capabilities.split())
        self._commands.append(_command(found[3], found[1].decode(), found[2].decode()))
        if len(self._commands) > MAX_COMMANDS:
            raise malformed(f"more than {MAX_COMMANDS} refs")

    @property
    def seen(self) -> bool:
        """Whether anything has come."""
        return self._size > 0


def _command(ref: bytes, old: str, new: str) -> Command:
    if len(ref) > MAX_NAME or _NO_NAME.search(ref) or not ref.startswith(b"refs/"):
        raise malformed("a ref's name as git-check-ref-format has none")
    if len(old) != len(new):
        raise malformed("two kinds of object names in one command")
    return Command(ref, old, new)


def legible(raw: bytes) -> str:
    r"""Bytes of a name as text: what is no UTF-8 as `\xff`, so that nothing is left out."""
    return raw.decode("utf-8", "backslashreplace")
