"""Simple commands: their words, assignments, redirections and here-documents (XCU 2.7, 2.9.1)."""

import re
from dataclasses import replace
from typing import Final

from proctor.protocols.shell.latent import is_latent
from proctor.protocols.shell.model import (
    LISTED,
    SURROUNDING,
    UNKNOWN,
    Command,
    Unreadable,
    unsure,
)
from proctor.protocols.shell.quoting import globs, split, unshield
from proctor.protocols.shell.running import Simple, run
from proctor.protocols.shell.scope import Scope
from proctor.protocols.shell.words import END, Words

_FUNCTION: Final = re.compile(r"\s*\(\s*\)")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)(\[[^\]\s]*\])?(\+?=)")
_REDIRECT: Final = re.compile(r"(\d+|\{\w+\})?(&>>|&>|<<<|<<-|<<|<>|>>|>\||>&|<&|<(?!\()|>(?!\())")


class SimpleCommands(Words):
    """Reads simple commands."""

    def __init__(self, text: str, scope: Scope) -> None:
        super().__init__(text, scope)
        self.input: str | None = None  # what a group around reads
        self._documents: dict[int, int] = {}  # newline → where the line after here-documents begins

    def function(self) -> None:
        """Read a function's body."""
        raise NotImplementedError

    def lines(self) -> None:
        """Go on past blanks, comments, the ends of lines and here-documents."""
        self.blanks()
        while self.ahead("\n"):
            self.line_end()
            self.blanks()

    def line_end(self) -> None:
        """Go on to the next line, behind the here-documents that stand between."""
        self.at = self._documents.get(self.at, self.at + 1)

    def brackets(self) -> bool:
        """Go on behind the `()` of a function, if it stands here."""
        found = _FUNCTION.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found is not None

    def simple(self, stdin: str | None) -> str | None:
        """Read a simple command; what it puts out, None if only running tells."""
        simple = Simple(stdin=stdin if stdin is not None else self.input)
        while True:
            self.blanks()
            if self.redirect(simple):
                continue
            if self._ends():
                break
            if not simple.words and self._assignment(simple):
                continue
            if self._word(simple):
                return None
        if not simple.words:
            for name, value in simple.settings:
                self.scope.set(name, value)
            self.redirected(simple)
            return "" if simple.settings else None
        if simple.vanishing:  # without quotes, a variable that is not set leaves no word at all
            words = [word for word in simple.words if word not in {UNKNOWN, LISTED, SURROUNDING}]
            if words:
                run(self, replace(simple, words=words))
        return run(self, simple)

    def _word(self, simple: Simple) -> bool:
        """Take one word; whether it began a function."""
        start = self.at
        raw = self.raw_word()
        found = split(raw)
        self.scope.state.step(len(found))
        if self.ahead("("):
            if not simple.words and self.brackets():
                self.function()
                return True
            if not raw.endswith("="):
                raise Unreadable("a bracket stands where shells differ")
            self._array()
            found = [raw + UNKNOWN]
        if found and not simple.words:
            simple.glob = globs(found[0]) and found[0] not in {"[", "?"}
            simple.literal = self.text[start : self.at] == found[0]
        simple.vanishing = simple.vanishing or raw in {UNKNOWN, LISTED, SURROUNDING}
        simple.words += (unshield(word) for word in found)
        return False

    def _assignment(self, simple: Simple) -> bool:
        found = _ASSIGNMENT.match(self.text, self.at)
        if not found:
            return False
        self.at = found.end()
        if self.ahead("("):
            self._array()
            value = UNKNOWN
        else:
            value = unshield(self.raw_word())
            self.noted([value])
            if found[2] or found[3] == "+=":
                value = UNKNOWN
        simple.settings.append((found[1], value))
        return True

    def noted(self, values: list[str]) -> None:
        """Note what variables hold that would be run once it is evaluated."""
        self.scope.state.latent = self.scope.state.latent or is_latent(values)

    def _array(self) -> None:
        self.at += 1
        while True:
            self.lines()
            if self.ahead(")"):
                self.at += 1
                return
            before = self.at
            self.noted([unshield(self.raw_word())])
            if self.at == before:
                raise Unreadable("a bracket is not closed")

    def redirect(self, simple: Simple) -> bool:
        """Take a redirection (XCU 2.7), if one stands here."""
        found = _REDIRECT.match(self.text, self.at)
        if not found:
            return False
        self.at = found.end()
        self.blanks()
        operator = found[2]
        if operator in {"<<", "<<-"}:
            simple.stdin = self._document(strip=operator == "<<-")
            return True
        target = unshield(self.raw_word())
        if not target:
            raise Unreadable("a redirection has no target")
        if operator == "<<<":
            simple.stdin = target + "\n"
        elif operator in {"<", "<&"}:
            simple.stdin = None
            simple.file = operator == "<" and not unsure(target)
        elif not (operator == ">&" and re.fullmatch(r"\d+-?|-", target)):
            simple.redirects = (*simple.redirects, *self.scope.paths(target))
        return True

    def _document(self, *, strip: bool) -> str | None:
        """A here-document (XCU 2.7.4): it begins on the line after this one."""
        start = self.at
        word = self.raw_word()
        quoted = re.search(r"['\"\\]", self.text[start : self.at])
        end = unshield(word)
        newline = self.text.find("\n", self.at)
        if not end or newline < 0:
            raise Unreadable("a here-document is not finished")
        rest = self.text[self.at : newline]
        if rest.count("'") % 2 or rest.count('"') % 2 or rest.endswith("\\"):
            raise Unreadable("a here-document stands where shells differ")
        at = self._documents.get(newline, newline + 1)
        blank = r"\t*" if strip else ""
        close = re.compile(rf"^{blank}{re.escape(end)}$", re.MULTILINE).search(self.text, at)
        if not close:
            raise Unreadable("a here-document is not finished")
        self._documents[newline] = close.end() + 1
        body = self.text[at : close.start()]
        if strip:
            body = re.sub(r"^\t+", "", body, flags=re.MULTILINE)
        self.scope.state.step(1 + len(body) // 64)
        if quoted:
            return body
        return type(self)(body, self.scope.inner()).expanded()

    def redirected(self, simple: Simple) -> None:
        """Note what the shell writes where no command is, or behind a group."""
        if simple.redirects:
            command = Command(words=(), redirects=simple.redirects, writes=simple.redirects)
            self.scope.state.commands.append(command)

    def _ends(self) -> bool:
        if self.at >= len(self.text):
            return True
        return self.text[self.at] in END and not (self.ahead("<(") or self.ahead(">("))
