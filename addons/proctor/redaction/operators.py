"""What stands in place of a finding."""

from collections.abc import Sequence

from proctor.redaction.keys import RedactionKeys
from proctor.redaction.model import Method, Spot
from proctor.redaction.presidio import PresidioOperator
from proctor.redaction.surrogates import hashed, mac, masked, surrogate
from proctor.redaction.vault import MAX_VALUE, Item, Vault

NUMBER = "0"
"""What stands in place of a number in JSON, where a word would change the type."""


class Operators:
    """Makes replacements for the findings of one exchange, and has the vault keep their values.

    Call `commit` before any of the replacements leaves. Not for several threads at once.

    Args:
        keys: Of the installation.
        vault: Where the values of surrogates are kept.
        principal: `Principal.key`.
        session: The session's id; "" where there is none.
    """

    def __init__(self, keys: RedactionKeys, vault: Vault, *, principal: str, session: str) -> None:
        self._keys = keys
        self._vault = vault
        self._principal = principal
        self._session = session
        self._new: dict[Item, None] = {}

    def replace(
        self,
        spot: Spot,
        method: Method | PresidioOperator,
        *,
        spelled: str | None = None,
        json_number: bool = False,
    ) -> str:
        """What stands in place of a finding.

        Where the method lets the value pass (`detect`, Presidio's `keep`), this is the text
        itself; what is blocked is masked where it is seen at all, as in the record.

        Args:
            spot: What was found.
            method: What is done with it.
            spelled: The text it stands in place of, where that is not `spot.value` but an encoded
                form: a surrogate is turned back into exactly this.
            json_number: The text is a number in JSON, and a number must remain.

        Raises:
            RedactionError: Presidio's operator failed.
        """
        text = spot.value if spelled is None else spelled
        if method is Method.DETECT or (isinstance(method, PresidioOperator) and method.keeps):
            return text
        if json_number:
            return NUMBER
        if isinstance(method, PresidioOperator):
            salt = mac(self._keys.digest, "presidio")
            return method.operate(spot.type, spot.value, salt)
        match method:
            case Method.SURROGATE:
                return self._surrogate(spot.type, text)
            case Method.HASH:
                return hashed(self._keys.digest, spot.type, spot.value)
            case Method.MASK | Method.BLOCK:
                return masked(spot.type)

    def again(self, tokens: Sequence[str]) -> bool:
        """Use surrogates once more that an earlier exchange of this principal made.

        Args:
            tokens: As `replace` gave them.

        Returns:
            False where what they stand for is gone: replace the values anew.

        Raises:
            RedactionError: `redaction-vault`.
        """
        return not tokens or self._vault.touch(self._principal, self._session, tokens)

    def commit(self) -> None:
        """Have the vault keep what the surrogates since the last call stand for.

        Raises:
            RedactionError: `redaction-vault`: nothing may leave.
        """
        if self._new:
            self._vault.put_many(self._principal, self._session, tuple(self._new))
            self._new.clear()

    def _surrogate(self, entity: str, text: str) -> str:
        if len(text.encode("utf-8", "surrogatepass")) > MAX_VALUE:
            return masked(entity)  # the same each time, too, but not turned back
        token = surrogate(self._keys.surrogate, self._principal, entity, text)
        self._new[token, entity, text] = None
        return token
