"""Surrogates turned back into what they stand for."""

import re

from proctor.redaction.model import SECRETS, Change
from proctor.redaction.surrogates import LETTERS, MAX_TYPE, SIZE
from proctor.redaction.vault import Vault

_LETTERS = re.compile(rf"_([{LETTERS}]{{{SIZE}}})")
_BEGUN = re.compile(rf"[A-Z][A-Z0-9_]*(?:(?<=_)[{LETTERS}]{{1,{SIZE - 1}}})?\Z")


class Restorer:
    """Puts back what one principal's surrogates stand for.

    Args:
        vault: Where they are kept.
        principal: `Principal.key`; another's surrogates stay.
        types: Entity types that may be put back; None for all but secrets.
    """

    def __init__(self, vault: Vault, principal: str, types: frozenset[str] | None) -> None:
        self._vault = vault
        self._principal = principal
        self._types = types

    def restore(self, text: str) -> str:
        """The text with values in place of their surrogates; what only looks like one stays.

        One pass: what was put back is not looked at again.

        Raises:
            RedactionError: `redaction-vault`.
        """
        pieces: list[str] = []
        done = 0
        for change in self.changes(text):
            pieces += (text[done : change.start], change.text)
            done = change.end
        pieces.append(text[done:])
        return "".join(pieces)

    def changes(self, text: str) -> list[Change]:
        """The same as changes to the text, in order.

        Raises:
            RedactionError: `redaction-vault`.
        """
        found: list[Change] = []
        if "_" not in text:
            return found
        done = 0
        for match in _LETTERS.finditer(text):
            entry = self._vault.get(self._principal, match[1])
            # Capitals that stood before the value now stand before its type.
            if entry is None or not text.endswith(entry.type, done, match.start()):
                continue
            if self.allows(entry.type):
                done = match.end()
                found.append(Change(match.start() - len(entry.type), done, entry.value))
        return found

    def allows(self, entity: str) -> bool:
        """Whether surrogates of this type are put back."""
        return entity not in SECRETS if self._types is None else entity in self._types


def begun(text: str) -> int:
    """How many characters at the end may be the beginning of a surrogate: keep them back.

    Restoring a stream piece by piece then gives what restoring it whole would give.
    """
    longest = MAX_TYPE + SIZE  # with the underscore, one less than a whole surrogate
    tail = text[-longest:]
    match = _BEGUN.search(tail)
    return len(tail) - match.start() if match else 0
