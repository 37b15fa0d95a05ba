"""Reads a command line into all the commands that it would run (POSIX.1-2024 XCU 2.9, 2.10).

The shell's grammar is followed, but no tree is built: what matters is which simple commands there
are, so lists, loops, conditionals, functions and groups are gone through in order. Both branches of
a condition run, as far as this is concerned. What is not understood ends the reading with an opaque
command: the caller has to take it for the worst.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from proctor.protocols.shell.latent import is_latent_word
from proctor.protocols.shell.model import (
    PRIVATE,
    UNKNOWN,
    Line,
    Unreadable,
    opaque,
)
from proctor.protocols.shell.quoting import split, unshield
from proctor.protocols.shell.running import Simple
from proctor.protocols.shell.scope import Scope, State
from proctor.protocols.shell.simple import SimpleCommands
from proctor.protocols.shell.words import END

MAX_TEXT: Final = 131_072
"""Characters of a line; a longer one is opaque as a whole."""

_SHORT: Final = 8192
_MOST_VALUES: Final = 8
_BOUNDARY: Final = r"(?=[\s;&|()<>]|$)"
_RESERVED: Final = re.compile(
    r"(if|then|elif|else|fi|do|done|while|until|for|select|case|esac|function|\{|\}|!|\[\[)"
    + _BOUNDARY
)
_FOR: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*")
_IN: Final = re.compile(r"in(?=\s|;|$)")
_CLAUSE_END: Final = re.compile(r";;&|;;|;&")


def read_command(text: str) -> Line:
    """What this line would run; never raises.

    Args:
        text: As it is given to `bash -c`.
    """
    return _short(text) if len(text) <= _SHORT else _long(text)


@lru_cache(maxsize=1024)
def _short(text: str) -> Line:
    return _read(text)


@lru_cache(maxsize=8)
def _long(text: str) -> Line:
    return _read(text)


def _read(text: str) -> Line:
    if len(text) > MAX_TEXT:
        return Line(commands=(opaque("the line is too long"),))
    if "\0" in text or PRIVATE.search(text):
        return Line(commands=(opaque("the line holds characters that no shell takes"),))
    text = text.replace("\r\n", "\n")
    state = State()
    line = _pass(text, state)
    if state.changing:  # then the values that were relied on before the change were not safe
        again = State(changing=set(state.changing))
        line = _pass(text, again)
    return line


def _pass(text: str, state: State) -> Line:
    try:
        Reader(text, Scope(state=state)).program()
    except Unreadable as reason:
        state.commands.append(opaque(str(reason)))
    if state.latent and state.evaluates:
        state.commands.append(opaque("it evaluates text that may run something"))
    return Line(commands=tuple(dict.fromkeys(state.commands)))


class Reader(SimpleCommands):
    """Goes through one script.

    Attributes:
        output: What it puts out so far, None once only running tells.
    """

    def __init__(self, text: str, scope: Scope) -> None:
        super().__init__(text, scope)
        self.output: str | None = ""
        self._bare = False  # what was read last was but a word such as `then`
        self._branches: list[Mapping[str, str]] = []  # what was known before each `if`

    def program(self, ends: Sequence[str] = ()) -> str:
        """Read commands up to one of these words, and say which; "" at the text's end."""
        # What the first command of a list sets is set; those behind `&&` may not run.
        begin = certain = self.scope.variables
        first = True
        while True:
            if separator := self._separators(ends):
                self.scope.blur(begin if separator == "&" else certain)
                begin = certain = self.scope.variables
                first = True
            if self.at >= len(self.text):
                if ends:
                    raise Unreadable("a command is not finished")
                return ""
            if end := self._ending(ends):
                self.scope.blur(certain)
                return end
            before = self.at
            self._bare = False
            self._pipeline()
            if self.at == before:
                raise Unreadable("the line is no command")
            if first and not self._bare:
                certain = self.scope.variables
                first = False
            elif first:
                begin = certain = self.scope.variables
            self.scope.state.step()

    def substitution(self) -> str:
        """Read `…)` in a subshell, and say what it puts out."""
        outer = self._swap(self.scope.inner(), "")
        self.program((")",))
        _, found = self._swap(*outer)
        return UNKNOWN if found is None else found

    def _swap(self, scope: Scope, output: str | None) -> tuple[Scope, str | None]:
        before = self.scope, self.output
        self.scope, self.output = scope, output
        return before

    def script(self, text: str, scope: Scope) -> str:
        """Read a script of its own, and say what it puts out."""
        reader = Reader(text, scope)
        reader.program()
        return UNKNOWN if reader.output is None else reader.output

    def _separators(self, ends: Sequence[str]) -> str:
        """Go on to the next command; the separator that ends a list, "" if none does."""
        found = ""
        while True:
            self.blanks()
            char = self.text[self.at : self.at + 1]
            if char == "\n":
                self.line_end()
                found = found or char
            elif char == ";" and not (";;" in ends and _CLAUSE_END.match(self.text, self.at)):
                self.at += 1
                found = found or char
            elif self.ahead("&&") or self.ahead("||"):
                if char == "|":
                    self.output = None
                self.at += 2
                self.lines()
                return ""
            elif char == "&" and not self.ahead("&>"):
                self.at += 1
                found = found or char
            else:
                return found

    def _ending(self, ends: Sequence[str]) -> str:
        if self.ahead(")"):
            if ")" not in ends:
                raise Unreadable("a bracket was not opened")
            self.at += 1
            return ")"
        if ";;" in ends and (found := _CLAUSE_END.match(self.text, self.at)):
            self.at = found.end()
            return ";;"
        word = _RESERVED.match(self.text, self.at)
        if word and word[1] in ends:
            self.at = word.end()
            return word[1]
        return ""

    def _pipeline(self) -> None:
        stdin: str | None = None
        before, single = self.scope.variables, True
        while True:
            found = self._element(stdin)
            self.blanks()
            more = self.ahead("|") and not self.ahead("||")
            if more or not single:
                self.scope.blur(before)  # each in a process of its own
            if not more:
                break
            single = False
            self.at += 2 if self.ahead("|&") else 1
            self.lines()
            stdin = found
        self.output = None if found is None or self.output is None else self.output + found

    def _element(self, stdin: str | None) -> str | None:
        """One element of a pipeline; what it puts out, None if only running tells."""
        if self.ahead("((") and self.arithmetic():
            return self._group_end()
        outer = self.input
        if self.ahead("("):
            self.at += 1
            self.input = stdin if stdin is not None else outer
            found = self.substitution()
            self.input = outer
            return self._group_end(None if found == UNKNOWN else found)
        word = _RESERVED.match(self.text, self.at)
        if not word:
            return self.simple(stdin)
        self.at = word.end()
        if word[1] in _BRANCHES:
            self._branch(word[1])
            self._bare = word[1] != "fi"
            return self._group_end() if word[1] == "fi" else None
        if word[1] not in _COMPOUND:
            raise Unreadable("the line is no command")
        self.input = stdin if stdin is not None else outer
        _COMPOUND[word[1]](self)
        self.input = outer
        return None if word[1] == "function" else self._group_end()

    def _branch(self, word: str) -> None:
        """Conditionals are read flat: only what they set has to be kept apart."""
        if word == "if":
            self._branches.append(self.scope.variables)
        elif word not in {"then", "!"}:
            if not self._branches:
                raise Unreadable("the line is no command")
            self.scope.blur(self._branches[-1])
            if word == "fi":
                self._branches.pop()

    def _group(self) -> None:
        self._inside(("}",))

    def _while(self) -> None:
        before = self.scope.variables
        self._inside(("do",))
        self._inside(("done",))
        self.scope.blur(before)

    def _named_function(self) -> None:
        self.blanks()
        self.raw_word()
        self.brackets()
        self.function()

    def function(self) -> None:
        """A function's body, as if it ran at once: nobody can tell whether it does."""
        before = self.scope.variables
        self.lines()
        with self.scope.deeper():
            self._element(None)
        self.scope.blur(before)

    def _inside(self, ends: Sequence[str]) -> str:
        with self.scope.deeper():
            return self.program(ends)

    def _group_end(self, found: str | None = None) -> str | None:
        """Redirections behind a group."""
        simple = Simple()
        self.blanks()
        while self.redirect(simple):
            self.blanks()
        self.redirected(simple)
        return None if simple.redirects else found

    def _loop(self) -> None:
        self.blanks()
        if self.ahead("((") and self.arithmetic():
            self._inside(("do", "{"))
            self._inside(("done",))
            return
        found = _FOR.match(self.text, self.at)
        if not found:
            raise Unreadable("the line is no command")
        self.at = found.end()
        values = [UNKNOWN]
        if begin := _IN.match(self.text, self.at):
            self.at = begin.end()
            values = []
            self.blanks()
            while raw := self.raw_word():
                values += (unshield(word) for word in split(raw))
                self.blanks()
        self._inside(("do",))
        self._each(found[1], values)

    def _each(self, name: str, values: list[str]) -> None:
        """The loop's body, once for each value, or once for a value that is not known."""
        if len(values) > _MOST_VALUES:
            plain = not any(value.startswith(("-", "/", "~", UNKNOWN)) for value in values)
            values = [values[0] if plain else UNKNOWN]
        self.noted(values)
        start, before = self.at, self.scope.variables
        for value in values or [""]:
            self.at = start
            self.scope.set(name, value, lasting=False)
            self._inside(("done",))
        self.scope.blur(before)

    def _case(self) -> None:
        self.blanks()
        self.raw_word()
        self.lines()
        if not (found := _IN.match(self.text, self.at)):
            raise Unreadable("the line is no command")
        self.at = found.end()
        while True:
            self.lines()
            if (word := _RESERVED.match(self.text, self.at)) and word[1] == "esac":
                self.at = word.end()
                return
            if self.ahead("("):
                self.at += 1
            self._patterns()
            before = self.scope.variables
            end = self._inside((";;", "esac"))
            self.scope.blur(before)
            if end == "esac":
                return

    def _patterns(self) -> None:
        while not self.ahead(")"):
            before = self.at
            self.lines()
            self.raw_word()
            self.blanks()
            if self.ahead("|"):
                self.at += 1
            elif self.at == before:
                raise Unreadable("the line is no command")
        self.at += 1

    def _test(self) -> None:
        """`[[ … ]]` (Bash 5.2 section 3.2.5.2): what it runs are substitutions, see `latent`."""
        words: list[str] = []
        while True:
            self.lines()
            char = self.text[self.at : self.at + 1]
            if not char:
                raise Unreadable("a command is not finished")
            if char in END:
                self.at += 1
                continue
            start = self.at
            words.append(unshield(self.raw_word()))
            if self.text[start : self.at] == "]]":
                break
        self.scope.state.latent = self.scope.state.latent or is_latent_word(words)
        if not _COMPARES.isdisjoint(words):  # as arithmetic
            self._assigned(" ".join(words))


_COMPARES: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_BRANCHES: Final = frozenset({"if", "then", "elif", "else", "fi", "!"})
_COMPOUND: Final = {
    "{": Reader._group,  # noqa: SLF001 - the class's own table
    "while": Reader._while,  # noqa: SLF001 - the same
    "until": Reader._while,  # noqa: SLF001 - the same
    "for": Reader._loop,  # noqa: SLF001 - the same
    "select": Reader._loop,  # noqa: SLF001 - the same
    "case": Reader._case,  # noqa: SLF001 - the same
    "[[": Reader._test,  # noqa: SLF001 - the same
    "function": Reader._named_function,  # noqa: SLF001 - the same
}
