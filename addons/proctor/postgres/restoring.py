"""Surrogates in a client's statement, as the server gets them: as what they stand for."""

from proctor.errors import RefusedError
from proctor.model import Principal
from proctor.postgres.masking.surrogates import restore_parameters, restore_text
from proctor.postgres.statements import Judged
from proctor.protocols.postgres import messages
from proctor.protocols.postgres.messages import Bind, Piece
from proctor.redaction.restore import Restorer
from proctor.redaction.screen import Screen


class Restoring:
    """For one connection.

    Args:
        screen: Knows surrogates; None where redaction is off.
        principal: Whose they are.
    """

    def __init__(self, screen: Screen | None, principal: Principal) -> None:
        self._screen = screen
        self._principal = principal

    def text(self, judged: Judged, encoding: str) -> bytes:
        """A text as it goes to the server: surrogates that a plan allows are what they stand for.

        Raises:
            RefusedError: One of them is none of this principal's.
        """
        text = judged.text
        for each in judged.statements:
            if each.plan is not None and each.plan.restores.literals:
                restored = restore_text(text.decode(encoding), each.plan.restores, self._restorer())
                text = restored.encode(encoding)
        return text

    def bind(self, piece: Piece, bind: Bind, judged: Judged, encoding: str) -> bytes:
        """A Bind as it goes to the server, likewise.

        Raises:
            RefusedError: One of them is none of this principal's.
        """
        plan = judged.statements[0].plan
        if plan is None or not plan.restores.parameters:
            return piece.data
        values = restore_parameters(bind.values, plan.restores, self._restorer(), encoding=encoding)
        return messages.write_bind(bind._replace(values=tuple(values)))

    def _restorer(self) -> Restorer:
        if self._screen is None:
            raise RefusedError(
                "sql-masked",
                "Surrogates cannot be turned back here: redaction is off for this listener",
                rule_id="masking",
            )
        return self._screen.restorer(self._principal, None)
