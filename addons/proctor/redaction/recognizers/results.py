"""What secret recognizers hand to Presidio, and the errors they share."""

import base64
import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final

from presidio_analyzer import EntityRecognizer, RecognizerResult

from proctor.redaction.model import Budget, RedactionError
from proctor.redaction.recognizers.plausible import STAND_IN

type Hit = tuple[int, int, str, str, float]
"""Start, end, entity type, detector, score."""

_CAP: Final = 50_000
_WITHIN: Final = re.compile(
    r"(?:SharedAccessKey|SharedAccessSignature|SharedSecretValue|AccountKey|Password|Pwd)="
    r"(?P<key>[^;\"'\s]{8,4096})|://[^\s/:@]{0,128}:(?P<password>[^\s/@]{4,512})@"
)
_REST: Final = 8  # letters and digits


def too_many(name: str) -> RedactionError:
    """More places to look at than any honest text has."""
    return RedactionError(
        "redaction-hits",
        f"{name} found more than can be handled, so nothing was let through",
        hint="Send less at once, or raise redaction.max_hits.",
    )


def failed(name: str, why: str) -> RedactionError:
    """A recognizer could not do its work; `why` holds no value."""
    return RedactionError(
        "redaction-detector",
        f"{name} failed, so nothing was let through",
        got=why,
        hint="This is a fault of proctor or of the detector; the text itself may be in order.",
    )


def results(
    recognizer: EntityRecognizer, name: str, hits: Iterable[Hit], entities: list[str]
) -> list[RecognizerResult]:
    """The hits as Presidio wants them, one for each span; the first to name a span keeps it.

    Args:
        recognizer: Who found them.
        name: Its name.
        hits: What was found.
        entities: Types asked for; empty means all.

    Raises:
        RedactionError: `redaction-hits`.
    """
    spans: dict[tuple[int, int], tuple[str, str, float]] = {}
    for start, end, type_, detector, score in hits:
        if not entities or type_ in entities:
            spans.setdefault((start, end), (type_, detector, score))
    if len(spans) > _CAP:
        raise too_many(name)
    return [
        RecognizerResult(
            entity_type=type_,
            start=start,
            end=end,
            score=score,
            recognition_metadata={
                RecognizerResult.RECOGNIZER_NAME_KEY: name,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: recognizer.id,
                "detector": detector,
            },
        )
        for (start, end), (type_, detector, score) in spans.items()
    ]


def specimen() -> str:
    """Made-up secrets, whose first scan makes a library build what it needs to judge them.

    That takes some fifty milliseconds, which somebody's request would have to wait.
    """
    digest = hashlib.sha512(b"specimen").digest()
    key, noise = base64.b32encode(digest).decode(), base64.b64encode(digest).decode()
    return (
        f"aws_access_key_id = AKIA{key[:16]}\naws_secret_access_key = {noise[:40]}\n"
        f'api_key = "{key[:32].lower()}"\npassword = "{noise[40:60]}"\n'
    )


def narrowed(text: str, start: int, end: int) -> tuple[int, int]:
    """The secret within a connection string or URL that a rule takes whole."""
    match = _WITHIN.search(text, start, end)
    if match is None:
        return start, end
    return match.span("key") if match["key"] else match.span("password")


def budget_of(artifacts: Any) -> Budget | None:
    """The budget that proctor's engine sends along with a text; none in a plain Presidio."""
    budget = getattr(artifacts, "budget", None)
    return budget if isinstance(budget, Budget) else None


def in_stand_in(text: str, start: int, end: int) -> bool:
    """Whether the span lies within a placeholder or surrogate that redaction left behind.

    One that starts inside and runs on into next to nothing counts too: patterns cut differently.
    """
    for match in STAND_IN.finditer(text, max(0, start - 96), end + 96):
        if match.start() <= start < match.end():
            return sum(map(str.isalnum, text[match.end() : end])) < _REST
    return False
