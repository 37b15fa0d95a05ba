"""Signs of prompt injection: what each means, and how several make one score.

None of them is proof, nor is their lack: a text that asks politely for something harmful shows
none. They are for rules and for whoever reviews, together with where a value came from
(`proctor.provenance`), which does not depend on any wording.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

TYPE: Final = "PROMPT_INJECTION"
"""Entity type of the findings."""

PREFIX: Final = "proctor:injection/"
"""Of the detectors' names."""

TOLD: Final = 0.75
"""The most that signs reach together which are quoted or spoken about."""

EXPLANATIONS: Final = {
    "override": "It tells the model to forget what it was told.",
    "task": "It gives the model another task.",
    "role": "It gives the model another role, or lifts its limits.",
    "secrecy": "It tells the model to keep something from the user, or not to ask.",
    "address": "It speaks to an AI, not to a person who reads it.",
    "authority": "It claims to come from the system, the developer or the user.",
    "markup": "It has marks by which a model tells whose turn it is, or how it calls tools.",
    "turns": "It looks like a conversation with the model, put into other text.",
    "exfiltration": "It tells the model to send something away.",
    "link": "It has a link or image whose address wants to be filled with data.",
    "files": "It tells the model to open files that hold keys or passwords.",
    "answer": "It says what the model has to answer.",
    "leak": "It asks for the model's own instructions.",
    "errand": "It orders an action: a tool call, a payment, a deletion, a message.",
    "bidding": "Right after it speaks to a model it orders what touches keys, money or rights.",
    "threat": "It puts the model under pressure.",
    "tongue": "It tells the model to forget what it was told, in another language.",
    "hidden": "Words that a page would not show speak to the model.",
    "unseen": "It has invisible characters that spell words.",
    "zero-width": "It has characters that cannot be seen, inside words.",
    "bidi": "It has marks that change the direction of text, so it reads otherwise.",
    "lookalike": "It has words of letters that only look like others.",
    "encoded": "It has encoded words which, decoded, are orders to the model.",
    "description": "The description of a tool gives the model orders.",
}


class Sign(NamedTuple):
    """One sign in one text.

    Attributes:
        name: A key of EXPLANATIONS.
        score: 0 to 1, of this sign alone.
        told: It is quoted, or spoken about, as texts on prompt injection do.
    """

    name: str
    score: float
    told: bool = False


def combined(signs: Iterable[Sign]) -> float:
    """One score: signs count as independent, each name once.

    1 - (1 - a)(1 - b)… over the best of each name; what is quoted or spoken about reaches at most
    TOLD, however much of it there is.
    """
    plain: dict[str, float] = {}
    every: dict[str, float] = {}
    for sign in signs:
        every[sign.name] = max(sign.score, every.get(sign.name, 0.0))
        if not sign.told:
            plain[sign.name] = max(sign.score, plain.get(sign.name, 0.0))
    return round(max(_together(plain.values()), min(TOLD, _together(every.values()))), 3)


def explain(detector: str) -> str:
    """What a detector's finding means, for people; "" where it is none of these."""
    if not detector.startswith(PREFIX):
        return ""
    return EXPLANATIONS.get(detector.removeprefix(PREFIX), "")


def _together(scores: Iterable[float]) -> float:
    left = 1.0
    for score in scores:
        left *= 1.0 - score
    return 1.0 - left
