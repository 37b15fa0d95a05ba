"""What a finding means, in words, by the name of its detector."""

from proctor.arriving import signs
from proctor.leaving import words


def explained(detector: str) -> str:
    """A sentence for people; "" where the finding's type says it all."""
    return signs.explain(detector) or words.explain(detector)
