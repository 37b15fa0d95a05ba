"""A program's options told from its operands (POSIX.1-2024 XBD 12.2), as far as that is general."""

from collections.abc import Collection, Sequence


def operand(words: Sequence[str], values: Collection[str], start: int = 1) -> int:
    """Where the first operand stands; `len(words)` if there is none.

    Args:
        words: Program and arguments.
        values: Options whose value is the next word, such as `-u`.
        start: Where the options begin.
    """
    at = start
    while at < len(words):
        word = words[at]
        if word == "--":
            return at + 1
        if not word.startswith("-") or word == "-":
            return at
        at += 2 if takes_value(word, values) else 1
    return len(words)


def takes_value(word: str, values: Collection[str]) -> bool:
    """Whether the next word is this option's value: `-u`, `-xu` and `--user`, not `-uroot`."""
    if word.startswith("--") or len(word) <= 2:  # noqa: PLR2004 - a hyphen and a letter
        return word in values
    if word in values:
        return True
    letters = [n for n, letter in enumerate(word[1:]) if f"-{letter}" in values]
    return bool(letters) and letters[0] == len(word) - 2


def operands(words: Sequence[str], values: Collection[str] = ()) -> list[str]:
    """All operands, wherever they stand, as GNU's programs permit."""
    found: list[str] = []
    at = 1
    while at < len(words):
        word = words[at]
        if word == "--":
            return found + list(words[at + 1 :])
        if word.startswith("-") and word != "-":
            at += 2 if takes_value(word, values) else 1
            continue
        found.append(word)
        at += 1
    return found


def value(words: Sequence[str], *names: str) -> str | None:
    """The value of the first of these options: `-o x`, `-ox`, `--out=x`, `--out x`."""
    for at, word in enumerate(words[1:], 1):
        for name in names:
            if word == name:
                return words[at + 1] if at + 1 < len(words) else None
            if name.startswith("--"):
                if word.startswith(name + "="):
                    return word[len(name) + 1 :]
            elif word.startswith(name) and not word.startswith("--"):
                return word[len(name) :]
    return None
