"""Settings of what is usual."""

import pytest
from pydantic import ValidationError

from proctor.novelty.settings import DAY, NoveltySettings


def test_defaults() -> None:
    assert (NoveltySettings().keep, NoveltySettings().learn) == (90 * DAY, 50)


@pytest.mark.parametrize("given", [{"keep": "1h"}, {"learn": 0}, {"keep": "20000d"}, {"x": 1}])
def test_what_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NoveltySettings.model_validate(given)


def test_durations_are_read() -> None:
    assert NoveltySettings.model_validate({"keep": "30d"}).keep == 30 * DAY
