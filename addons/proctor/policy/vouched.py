"""Whether somebody vouches for what an action brings, as proctor.yaml says: `trusted`."""

from proctor.egress.paths import choose
from proctor.egress.targets import Target, targets_of
from proctor.model import Action, ActionKind
from proctor.settings import Config


def vouched(config: Config, action: Action) -> bool | None:
    """Whether what comes back is as good as the user's own words; None where that is not known.

    Args:
        config: As loaded.
        action: It; of a listener that is not in `config`, nothing is known.
    """
    if action.kind in {ActionKind.LLM_REQUEST, ActionKind.LLM_TOOL_USE}:
        return None  # the model's own words
    for database in config.postgres:
        if database.name == action.listener:
            return database.trusted
    for item in config.stdio:
        if action.mcp and not action.http and item.name == action.mcp.server:
            return item.trusted
    found = _target(config, action)
    return found.trusted if found else None


def _target(config: Config, action: Action) -> Target | None:
    """Where it goes: the closest of those at the host and port that its path fits."""
    http = action.http
    listener = next((each for each in config.listeners if each.name == action.listener), None)
    if listener is None or http is None:
        return None
    targets = targets_of(listener)
    if listener.kind == "reverse":
        return targets.on_path(http.path)
    return choose(http.path, targets.at(http.host, http.port), lambda item: item.path)
