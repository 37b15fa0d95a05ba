"""Budgets as proctor.yaml has them, for a process."""

from collections.abc import Callable
from datetime import datetime

from proctor.budgets.file import NAME
from proctor.budgets.ledger import Budgets
from proctor.settings import Config


def open_budgets(
    config: Config,
    *,
    clock: Callable[[], datetime],
    report: Callable[[str, dict[str, object]], None],
) -> Budgets | None:
    """What is used up; None where nothing is counted.

    Args:
        config: With `budgets` and `prices`.
        clock: The time.
        report: Told when little is left, and when nothing is.

    Raises:
        ConfigurationError: `budgets-unusable`, or `open-to-others`.
    """
    if not config.budgets:
        return None
    return Budgets(
        config.budgets,
        config.prices,
        path=config.state / NAME,
        clock=clock,
        report=report,
        observe=config.observe,
    )
