"""What proctor.yaml says of what is usual."""

from typing import Annotated, Final

from pydantic import Field

from proctor.fields import Seconds, Settings

DAY: Final = 86_400.0  # seconds


class NoveltySettings(Settings):
    """How what is usual is learned.

    Attributes:
        keep: What was not seen for so long is new again, seconds.
        learn: Statements of somebody before anything of theirs is called new.
    """

    keep: Annotated[Seconds, Field(ge=DAY, le=3660 * DAY)] = 90 * DAY
    learn: int = Field(default=50, ge=1, le=1_000_000)
