"""Presidio's own operators by name, for those who know them: `{operator: mask, …}`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proctor.redaction.model import RedactionError

_PARAMETERS: dict[str, dict[str, type]] = {
    "mask": {"masking_char": str, "chars_to_mask": int, "from_end": bool},
    "redact": {},
    "replace": {"new_value": str},
    "hash": {"hash_type": str, "salt": str},
    "keep": {},
}
"""`encrypt` gives other bytes each time, and `custom` takes code."""

OPERATORS = frozenset(_PARAMETERS)
"""Those that can be named."""


@dataclass(frozen=True, slots=True)
class PresidioOperator:
    """One of Presidio's operators, with its parameters.

    Attributes:
        name: As Presidio calls it.
        params: As Presidio takes them.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _operator: Any = field(default=None, repr=False, compare=False)

    @property
    def keeps(self) -> bool:
        """Whether the value passes as it is."""
        return self.name == "keep"

    def operate(self, entity: str, value: str, salt: bytes) -> str:
        """What stands in place of a value.

        Args:
            entity: The entity type.
            value: What was found.
            salt: For `hash`, where the settings name none: Presidio's own is random, and would
                give other bytes each time.

        Raises:
            RedactionError: `redaction-detector`: Presidio's operator failed.
        """
        params = {"salt": salt, **self.params, "entity_type": entity}
        try:
            return str(self._operator.operate(value, params))
        except Exception:  # noqa: BLE001 - whatever it is, its text may hold the value
            raise RedactionError(
                "redaction-detector",
                f"Presidio's operator {self.name!r} failed",
                hint="Look at the operator's parameters under `redaction.entities`.",
            ) from None


def operator(settings: Mapping[str, Any]) -> PresidioOperator:
    """The operator that settings such as `{operator: mask, masking_char: "*", …}` name.

    Raises:
        ValueError: There is none, or not with these parameters; its text says what is expected.
    """
    name = settings.get("operator")
    known = _PARAMETERS.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or known is None:
        raise ValueError(f"operator: one of {', '.join(sorted(OPERATORS))}")
    params = {key: value for key, value in settings.items() if key != "operator"}
    for key, value in params.items():
        if key not in known:
            names = ", ".join(known) or "no parameters"
            raise ValueError(f"{names} for the operator {name}")
        if type(value) is not known[key]:
            raise ValueError(f"{key}: {known[key].__name__} for the operator {name}")
    return PresidioOperator(name, params, _made(name, params))


def _made(name: str, params: Mapping[str, Any]) -> Any:
    # Not at the top: it loads Presidio and spaCy, seconds that few settings need.
    from presidio_anonymizer.entities import InvalidParamError  # noqa: PLC0415
    from presidio_anonymizer.operators import (  # noqa: PLC0415
        OperatorsFactory,
        OperatorType,
    )

    factory = OperatorsFactory()  # type: ignore[no-untyped-call]  # its constructor says nothing
    made = factory.create_operator_class(name, OperatorType.Anonymize)
    try:
        made.validate(dict(params))
        made.operate("probe", {"salt": bytes(32), **params, "entity_type": "PROBE"})
    except InvalidParamError as error:
        raise ValueError(f"{name}: {error.err_msg}") from None
    return made
