"""Text that is no command where it stands, and is run all the same once the shell evaluates it.

Where Bash evaluates arithmetic, a name given as text or `${x@P}`, it expands what it finds there
once more, substitutions in subscripts included (Bash 5.2 sections 3.5.3, 3.5.4, 6.5 and 6.7):
behind `x='a[$(rm y)]'`, `((x))` runs `rm y`, and so does `test -v 'a[$(rm y)]'` by itself. Which
value gets where is not followed: a line that holds such text and evaluates anything is opaque.
"""

import re
from collections.abc import Iterable
from typing import Final

# A value may be put together of pieces, so one character of it is enough.
_VALUE: Final = re.compile(r"[$`]")
_RUN: Final = re.compile(r"\$[({]|`")
_EVALUATES: Final = re.compile(
    r"\(\("
    r"|\$\["
    r"|\s-(?:eq|ne|lt|le|gt|ge|v|R)\s"
    r"|@[A-Za-z]\}"
    r"|\$\{!"
    r"|\$\{\w{1,99}:(?![-+=?]| ?\d{1,9}(?::\d{1,9})?\})"
    r"|\w\[(?!(?:[@*]|\d{1,9})\])"
    r"|\bPS[0-4]="
    r"|\b(?:let|declare|typeset|local|readonly|read|unset|getopts|mapfile|readarray)\b"
)
# Arithmetic gives values as C does (Bash 5.2 section 6.5).
_GIVES: Final = re.compile(r"(?<![=!<>])=(?!=)|<<=|>>=|\+\+|--")
_NAME: Final = re.compile(r"\b[A-Za-z_]\w*")


def is_latent(values: Iterable[str]) -> bool:
    """Whether a variable's values hold what would be expanded, were they evaluated."""
    return any(map(_VALUE.search, values))


def is_latent_word(words: Iterable[str]) -> bool:
    """Whether a command's words hold a subscript that would be."""
    return any(_RUN.search(word, word.find("[")) for word in words if "[" in word)


def evaluates(text: str) -> bool:
    """Whether a script evaluates anything beyond plain words."""
    return _EVALUATES.search(text) is not None


def assigned(expression: str) -> list[str]:
    """The variables that arithmetic may give a value: any of them, if it gives one at all."""
    return _NAME.findall(expression) if _GIVES.search(expression) else []
