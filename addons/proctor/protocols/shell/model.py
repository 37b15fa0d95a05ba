"""What a command line would run, as far as it can be told without running it."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

UNKNOWN: Final = "\ue000"
"""Stands in a word for text that only running the line would tell."""

LISTED: Final = "\ue001"
"""The same, for a name out of a listing of the working folder: no option, no path elsewhere."""

SURROUNDING: Final = "\ue003"
"""A variable's value that the line does not set: the user's surroundings do, or it is empty."""

PRIVATE: Final = re.compile("[\ue000-\ue01f]")
"""Characters that stand for something here, so that no line may bring them."""

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]"
)


class Unreadable(Exception):  # noqa: N818 - it ends the reading, and is no error of anybody's
    """From here on the line cannot be told; the message says why, without any of its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command.

    Attributes:
        words: Program and arguments, quotes and static expansions resolved.
        opaque: What it runs cannot be told.
        why: What is opaque about it, in plain words.
        redirects: Files that the shell writes for it, as they are seen from where the line starts.
        writes: All files that it writes or deletes, the same way.
        stdin: What it reads, where the line itself says so; "" otherwise.
        steered: Variables are set for it by which it might run something else, such as PATH.
    """

    words: tuple[str, ...] = field(repr=False)
    opaque: bool = False
    why: str = ""
    redirects: tuple[str, ...] = field(default=(), repr=False)
    writes: tuple[str, ...] = field(default=(), repr=False)
    stdin: str = field(default="", repr=False)
    steered: bool = False

    @property
    def program(self) -> str:
        """The program's name without its folder, as a reader would see it; "" for none."""
        return seen(self.words[0]).rpartition("/")[2] if self.words else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """All that a line would run, in order."""

    commands: tuple[Command, ...] = ()

    @property
    def opaque(self) -> bool:
        """Whether anything in it cannot be told."""
        return any(command.opaque for command in self.commands)


def opaque(why: str, *words: str) -> Command:
    """A command of which it cannot be told what it runs."""
    return Command(words=words, opaque=True, why=why)


def seen(word: str) -> str:
    """The word as a person would read it: look-alikes folded (NFKC), nothing invisible in it."""
    if word.isascii() and word.isprintable():
        return word
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", word))


def unsure(text: str) -> bool:
    """Whether a part of this text is not known, but for names out of a listing."""
    return UNKNOWN in text or SURROUNDING in text


def wild(word: str) -> bool:
    """Whether this word could be anything, an option or a subcommand, too."""
    return UNKNOWN in word and (word.startswith((UNKNOWN, "-")) and "/" not in word)
