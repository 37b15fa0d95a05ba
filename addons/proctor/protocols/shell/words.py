"""The words of a command line, read one by one (POSIX.1-2024 XCU 2.2, 2.3 and 2.6)."""

import re
from typing import Final

from proctor.protocols.shell.latent import assigned, evaluates
from proctor.protocols.shell.model import UNKNOWN, Unreadable, unsure
from proctor.protocols.shell.quoting import ansi_c, shield, shield_braces, split, unshield
from proctor.protocols.shell.scope import Scope

BLANK: Final = " \t"
END: Final = "|&;()<> \t\n"
"""Characters that end a word (metacharacters)."""

_PLAIN: Final = re.compile(r"[\w./:=@%^+\-*?\[\]{},~!]+")
_NAME: Final = re.compile(r"[A-Za-z_]\w*|[0-9@*#?$!_-]")
_BRACED: Final = re.compile(
    r"\{(?P<name>[A-Za-z_]\w*)(?:"
    r":\ *(?P<from>\d{1,6})(?::(?P<count>\d{1,6}))?"
    r"|(?P<slash>//?)(?P<old>[\w.\- ]+)/(?P<new>[\w.\- ]*)"
    r"|(?P<case>\^\^|,,)"
    r"|(?P<trim>##?|%%?)(?P<affix>[\w.\-/]+|\*[\w.\-/]+|[\w.\-/]+\*))?\}"
)
_COUNTED: Final = re.compile(r"\{[!#]?\w+(?:\[|:(?![-+=?]))")  # with arithmetic in it
_QUOTED_ESCAPES: Final = '$`"\\'
_DOCUMENT_ESCAPES: Final = "$`\\"


class Words:
    """A place in a text, and what stands there.

    Attributes:
        text: The line.
        at: Where the reading is.
        scope: What the shell knows there.
    """

    def __init__(self, text: str, scope: Scope) -> None:
        self.text = text
        self.at = 0
        self.scope = scope
        scope.state.evaluates = scope.state.evaluates or evaluates(text)

    def substitution(self) -> str:
        """Read `…)` after its opening, and say what it puts out; UNKNOWN if only running tells."""
        raise NotImplementedError

    def script(self, text: str, scope: Scope) -> str:
        """Read a script of its own, and say what it puts out."""
        raise NotImplementedError

    def ahead(self, text: str) -> bool:
        """Whether this stands here."""
        return self.text.startswith(text, self.at)

    def blanks(self) -> None:
        """Go on past blanks, continued lines and a comment."""
        while True:
            if self.text[self.at : self.at + 1] in {" ", "\t"}:
                self.at += 1
            elif self.ahead("\\\n"):
                self.at += 2
            else:
                break
        if self.ahead("#"):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

    def raw_word(self) -> str:
        """One word, shielded and not yet split; "" if none stands here."""
        parts: list[str] = []
        while self.at < len(self.text):
            if found := _PLAIN.match(self.text, self.at):
                parts.append(found[0])
                self.at = found.end()
                continue
            char = self.text[self.at]
            if char in "<>" and self.text[self.at + 1 : self.at + 2] == "(":
                self.at += 2
                self.substitution()
                parts.append("/dev/fd/63")
            elif char == "(" and "".join(parts[-1:])[-1:] in {*"?*+@!"}:
                parts.append(self._extended())
            elif char in END:
                break
            else:
                parts.append(self._piece(char))
            self.scope.state.step()
        return "".join(parts)

    def words(self) -> list[str]:
        """What one word becomes, still shielded."""
        found = split(self.raw_word())
        self.scope.state.step(len(found))
        return found

    def _piece(self, char: str) -> str:
        if char == "'":
            return shield(self._until("'"))
        if char == '"':
            self.at += 1
            return self._double()
        if char == "\\":
            self.at += 2
            quoted = self.text[self.at - 1 : self.at] or char  # at the text's end, just itself
            return "" if quoted == "\n" else shield(quoted)
        if char == "`":
            return self._backquoted(in_quotes=False)
        if char == "$":
            return self._dollar(quoted=False)
        self.at += 1
        return char

    def _until(self, end: str) -> str:
        """What stands between this character and the next such."""
        close = self.text.find(end, self.at + 1)
        if close < 0:
            raise Unreadable("a quote is not closed")
        found = self.text[self.at + 1 : close]
        self.at = close + 1
        return found

    def _double(self) -> str:
        parts = [shield("")]
        while True:
            char = self.text[self.at : self.at + 1]
            if not char:
                raise Unreadable("a quote is not closed")
            if char == '"':
                self.at += 1
                return "".join(parts)
            parts.append(self._in_double(char, _QUOTED_ESCAPES))
            self.scope.state.step()

    def _in_double(self, char: str, escapes: str) -> str:
        """One piece of what stands in double quotes or in a here-document."""
        if char == "\\":
            after = self.text[self.at + 1 : self.at + 2]
            self.at += 2
            if after == "\n":
                return ""
            return shield(after if after and after in escapes else "\\" + after)
        if char == "`":
            return self._backquoted(in_quotes=True)
        if char == "$":
            return self._dollar(quoted=True)
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in '\\`$"':
            self.at += 1
        if self.at == start:  # a quote in a here-document
            self.at += 1
        return shield(self.text[start : self.at])

    def expanded(self) -> str:
        """The whole text as a here-document: expansions only (XCU 2.7.4)."""
        parts: list[str] = []
        while self.at < len(self.text):
            parts.append(self._in_double(self.text[self.at], _DOCUMENT_ESCAPES))
            self.scope.state.step()
        return unshield("".join(parts))

    def _backquoted(self, *, in_quotes: bool) -> str:
        self.at += 1
        parts: list[str] = []
        while True:
            char = self.text[self.at : self.at + 1]
            if not char:
                raise Unreadable("a quote is not closed")
            self.at += 1
            if char == "`":
                break
            if char == "\\" and self.text[self.at : self.at + 1] in {"`", "\\", "$"} | (
                {'"'} if in_quotes else set()
            ):
                char = self.text[self.at]
                self.at += 1
            parts.append(char)
        self.scope.state.step(len(parts) // 8)
        found = self.script("".join(parts), self.scope.inner()).rstrip("\n")
        return shield(found) if in_quotes else shield_braces(found)

    def _dollar(self, *, quoted: bool) -> str:
        self.at += 1
        after = self.text[self.at : self.at + 1]
        if after == "'" and not quoted:
            return self._ansi_c()
        if after == '"' and not quoted:
            self.at += 1
            return self._double()
        if self.ahead("((") and self.arithmetic():
            return UNKNOWN
        if after == "(":
            self.at += 1
            found = self.substitution().rstrip("\n")
        elif after == "{":
            found = self._braced(quoted=quoted)
        elif name := _NAME.match(self.text, self.at):
            self.at = name.end()
            found = self.scope.get(name[0])
        else:
            return "$"
        self.scope.state.step(len(found) // 16)
        return shield(found) if quoted else self._unquoted(found)

    def _unquoted(self, value: str) -> str:
        if "IFS" in self.scope.variables:
            return UNKNOWN  # split in another manner
        return shield_braces(value)

    def _ansi_c(self) -> str:
        start = self.at + 1
        end = start
        while end < len(self.text) and self.text[end] != "'":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise Unreadable("a quote is not closed")
        self.at = end + 1
        return shield(ansi_c(self.text[start:end]))

    def _braced(self, *, quoted: bool) -> str:
        """`${…}`: its simple forms; of all others only what they run is read (XCU 2.6.2)."""
        found = _BRACED.match(self.text, self.at)
        if not found:
            start = self.at
            self.at += 1
            self._skip("}", plain_quotes=quoted)
            if _COUNTED.match(self.text, start):
                self._assigned(self.text[start : self.at])
            return UNKNOWN
        self.at = found.end()
        value = self.scope.get(found["name"])
        if unsure(value):
            return value
        return _altered(value, found)

    def _skip(self, end: str, *, plain_quotes: bool = False) -> None:
        """Go on behind this character, and read what stands before it and is run.

        Args:
            end: The closing bracket.
            plain_quotes: A single quote here may or may not quote; that is left open.
        """
        with self.scope.deeper():
            self._skip_to(end, plain_quotes=plain_quotes)

    def _skip_to(self, end: str, *, plain_quotes: bool) -> None:
        depth = 0
        opening = {")": "(", "}": "{"}[end]
        while True:
            char = self.text[self.at : self.at + 1]
            if not char:
                raise Unreadable("a bracket is not closed")
            if char == end:
                self.at += 1
                if depth == 0:
                    return
                depth -= 1
            elif char == "'" and plain_quotes:
                raise Unreadable("quotes stand where shells differ")
            elif char in "'\"\\`$":
                self._piece(char)
            elif char in "<>" and self.text[self.at + 1 : self.at + 2] == "(":
                self.at += 2
                self.substitution()
            else:
                depth += char == opening
                self.at += 1
            self.scope.state.step()

    def arithmetic(self) -> bool:
        """Go on behind `((…))`; False, and stay, if this is a subshell in brackets instead."""
        start = self.at
        self.at += 2
        self._skip(")", plain_quotes=True)
        if self.ahead(")"):
            self.at += 1
            self._assigned(self.text[start : self.at])
            return True
        self.at = start
        return False

    def _assigned(self, expression: str) -> None:
        for name in assigned(expression):
            self.scope.set(name, UNKNOWN)

    def _extended(self) -> str:
        """Go on behind an extended pattern, `!(…)` (Bash 5.2 section 3.5.8.1)."""
        self.at += 1
        self._skip(")")
        return "*"


def _trimmed(value: str, operator: str, affix: str) -> str:
    """`${f##*/}`, `${f%.js}` and the like, with at most one `*` at the far end (XCU 2.6.2)."""
    text = affix.strip("*")
    if text == affix:
        return value.removeprefix(text) if operator[0] == "#" else value.removesuffix(text)
    if text not in value or affix.startswith("*") != (operator[0] == "#"):
        return value if text not in value else UNKNOWN
    match operator:
        case "#":
            return value.partition(text)[2]
        case "##":
            return value.rpartition(text)[2]
        case "%":
            return value.rpartition(text)[0]
        case _:
            return value.partition(text)[0]


def _altered(value: str, found: re.Match[str]) -> str:
    """A part of a value, or the value with something replaced (Bash 5.2 section 3.5.3)."""
    if found["from"] is not None:
        begin = int(found["from"])
        return value[begin : begin + int(found["count"])] if found["count"] else value[begin:]
    if found["slash"]:
        return value.replace(found["old"], found["new"], -1 if found["slash"] == "//" else 1)
    if found["trim"]:
        return _trimmed(value, found["trim"], found["affix"])
    if found["case"]:
        return value.upper() if found["case"] == "^^" else value.lower()
    return value
