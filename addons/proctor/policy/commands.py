"""`Bash(…)`: one command of a line, in Claude Code's syntax.

    Bash(npm test)        just this
    Bash(npm run *)       `*` is any run of characters; a last ` *` may be nothing at all
    Bash(git push:*)      the same as `git push *`
    Bash(<unreadable>)    a command of which it cannot be told what it would run

For a rule that allows, the words are compared as they stand. For a rule that holds or denies, a
pattern is also met by other ways to write the same: the program in any folder (`/bin/rm`), options
elsewhere, together or apart (`rm -fr x`, `rm x -r -f`, `--recursive`), in front of a subcommand
(`git -C x push -f`), other letter case, and what stands on standard input.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from typing import Final

from proctor.protocols.shell.model import SURROUNDING, Command, seen, wild
from proctor.protocols.shell.wrappers import transparent

UNREADABLE: Final = "<unreadable>"

_OPERATOR: Final = re.compile(r"(?:^|\s)(?:&&?|\|[|&]?|;|\d?>>?|<<?<?)(?:\s|$)|['\"`]|\$\(|&&|\|\|")
_SETTING: Final = re.compile(r"[A-Za-z_]\w*=")
_CLUSTER: Final = re.compile(r"-[A-Za-z0-9]{1,3}")
_MOST_VALUES: Final = 4
_OUTSIDE: Final = ("/", "~", "..", "$")

# Options of one program that mean the same, as the letter that patterns use.
_SAME: Final[dict[str, dict[str, str]]] = {
    "rm": {"R": "r", "--recursive": "r", "--force": "f"},
    "git": {"--force": "f"},
    "chmod": {"--recursive": "R"},
    "chown": {"--recursive": "R"},
    "chgrp": {"--recursive": "R"},
    "kill": {"--signal": "s"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPattern:
    """What stands in the brackets, parsed.

    Attributes:
        text: The whole, its last ` *` cut off where `open_`.
        open_: Anything more may follow.
        program: Its first word, None where that has a `*`.
        letters: Short options that it names.
        options: Other options that it names.
        operands: Its other words after the program.
    """

    text: str
    open_: bool
    program: str | None
    letters: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()

    def met(self, written: "Written") -> bool:
        """Whether this command is meant, however it is written."""
        if written.opaque:
            return True
        if self.program is not None and self.program not in written.names:
            return False
        if any(
            self._reads(text, fold=not (self.letters or self.options)) for text in written.texts
        ):
            return True
        return self.program is not None and self._means(written)

    def covers(self, command: Command) -> bool:
        """Whether this command is meant, word for word, and does nothing besides."""
        return (
            not command.opaque
            and not command.steered
            and bool(command.words)
            and " " not in command.words[0]  # joined with the rest it would read as two words
            and not any(path.startswith(_OUTSIDE) for path in command.redirects)
            and self._reads(" ".join(command.words), fold=False)
        )

    def _reads(self, text: str, *, fold: bool) -> bool:
        pattern = self.text
        if fold:
            pattern, text = pattern.casefold(), text.casefold()
        return globbed(pattern, text) or (self.open_ and globbed(pattern + " *", text))

    def _means(self, written: "Written") -> bool:
        """Options as a set, operands in their order."""
        if not (self.letters or self.options) and not self.operands:
            return self.open_
        if not written.wild and not (
            self.letters <= written.letters
            and all(any(_option(each, other) for other in written.options) for each in self.options)
        ):
            return False
        return any(self._follows(operands) for operands in written.operands)

    def _follows(self, operands: Sequence[str]) -> bool:
        at = next((n for n, word in enumerate(operands) if wild(word)), len(self.operands))
        if at < len(self.operands) and "*" not in self.operands[at]:  # it could be that word
            return all(map(globbed, self.operands[:at], operands[:at]))
        return self._joined(" ".join(self.operands), " ".join(operands))

    def _joined(self, pattern: str, text: str) -> bool:
        if globbed(pattern, text):
            return True
        return self.open_ and (not pattern or globbed(pattern + " *", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A command, taken apart for comparing.

    Attributes:
        names: Of the program, in lower case: as it stands and without its folder.
        texts: The whole, as it may be compared.
        letters: All its short options, and the long ones that mean the same.
        options: All its options, as they stand.
        operands: The ways to tell operands from values of options.
        wild: Something in it could be any option.
    """

    opaque: bool
    names: frozenset[str]
    texts: tuple[str, ...] = field(repr=False)
    letters: frozenset[str]
    options: tuple[str, ...] = field(repr=False)
    operands: tuple[tuple[str, ...], ...] = field(repr=False)
    wild: bool


def parse_command(what: str) -> CommandPattern | str:
    """Read what stands in the brackets, or say what is wrong with it."""
    text = " ".join(what.split())
    if text == UNREADABLE:
        return CommandPattern(text=text, open_=False, program=text)
    if text.endswith(":*") and not text.endswith(" :*"):
        text = text[:-2].rstrip() + " *"
    if _OPERATOR.search(text):
        return "one command, without quotes, pipes and redirections: each is matched by itself"
    first = text.split(" ")[0]
    if _SETTING.match(first):
        return "the command without variables before it: they are no part of it"
    if " " in text and transparent([first]) and first not in {"command", "builtin"}:
        return f"the command behind {first}: that is what is matched"
    open_ = text.endswith(" *")
    text = text.removesuffix(" *")
    first, *rest = text.split(" ")
    letters: set[str] = set()
    options: list[str] = []
    operands: list[str] = []
    same = _SAME.get(first, {})
    for word in rest:
        if word in same:
            letters.add(same[word])
        elif _CLUSTER.fullmatch(word):
            letters |= {same.get(letter, letter) for letter in word[1:]}
        elif word.startswith("-") and len(word) > 1:
            options.append(word)
        else:
            operands.append(word.casefold())
    return CommandPattern(
        text=text,
        open_=open_,
        program=None if "*" in first else first.casefold(),
        letters=frozenset(letters),
        options=tuple(options),
        operands=tuple(operands),
    )


def globbed(pattern: str, text: str) -> bool:
    """Whether the text fits, `*` standing for any run of characters; in linear time."""
    head, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    tail = middle.pop()
    if not text.startswith(head):
        return False
    at = len(head)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - len(tail) >= at and text.endswith(tail)


def _option(pattern: str, word: str) -> bool:
    """GNU's programs take long options abbreviated (getopt_long(3)), and with their value."""
    if globbed(pattern, word) or word.startswith(pattern + "="):
        return True
    return word.startswith("--") and len(word) > 2 and pattern.startswith(word)  # noqa: PLR2004 - a letter


@lru_cache(maxsize=1024)
def written(command: Command) -> Written:
    """Take a command apart."""
    words = [seen(word) for word in command.words]
    name = command.program
    same = _SAME.get(name.casefold(), {})
    letters: set[str] = set()
    options: list[str] = []
    operands: list[tuple[str, bool]] = []  # and whether it may be the value of an option before it
    uncertain = after = over = False
    for given in words[1:]:
        # A variable that is not set leaves nothing in its place: `r${x}m`, `git $x push`.
        word = given.replace(SURROUNDING, "") or given
        after = after or word == SURROUNDING
        if over or not word.startswith("-") or len(word) == 1:
            operands.append((word.casefold(), after))
            uncertain = uncertain or (not over and not after and wild(word))
            after = False
            continue
        over = word == "--"
        uncertain = uncertain or wild(word)
        after = not over and "=" not in word
        options.append(word)
        if not word.startswith("--"):
            letters |= {same.get(letter, letter) for letter in word[1:]}
        elif len(word) > 2:  # noqa: PLR2004 - a letter
            letters |= {letter for long, letter in same.items() if _option(long, word)}
    text = " ".join([name, *words[1:]])
    texts = [text, " ".join(words)] if words[:1] != [name] else [text]
    if command.stdin:
        texts.append(f"{text} {command.stdin}")
    return Written(
        opaque=command.opaque,
        names=frozenset({name.casefold(), *(word.casefold() for word in words[:1])}),
        texts=tuple(texts),
        letters=frozenset(letters),
        options=tuple(options),
        operands=tuple(_readings(operands)),
        wild=uncertain,
    )


def _readings(operands: list[tuple[str, bool]]) -> Iterator[tuple[str, ...]]:
    """The operands, without any of those that may be values of options.

    One that could be anything is taken for a value where it can be one: `kubectl -n "$ns" get`.
    """
    doubtful = [n for n, (word, after) in enumerate(operands) if after and not wild(word)]
    values = {n for n, (word, after) in enumerate(operands) if after and wild(word)}
    first = doubtful[:_MOST_VALUES]
    for count in range(len(first) + 1):
        for left_out in combinations(first, count):
            without = values | set(left_out)
            yield tuple(word for n, (word, _) in enumerate(operands) if n not in without)
