"""Whether somebody vouches for what an action brings, as proctor.yaml says: `trusted`."""

from proctor.egress.paths import choose
from proctor.egress.targets import targets_of
from proctor.model import Action, ActionKind, HttpFields
from proctor.settings import Config, Listener


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
    listener = next((each for each in config.listeners if each.name == action.listener), None)
    if listener is None or action.http is None:
        return None
    return _of(listener, action.http)


def _of(listener: Listener, http: HttpFields) -> bool | None:
    """As the closest of the targets says that are at this host, port and path."""
    targets = targets_of(listener).at(http.host, http.port)
    if listener.kind == "forward":
        found = choose(http.path, targets, lambda item: item.path)
        return found.trusted if found else None
    # Rules see the upstream's path; several routes may lead there.
    fits = [each for each in targets if _below(http.path, each.base or "")]
    longest = max((len(each.base or "") for each in fits), default=0)
    told = {each.trusted for each in fits if len(each.base or "") == longest}
    return told.pop() if len(told) == 1 else None


def _below(path: str, base: str) -> bool:
    return path == base or path.startswith(f"{base.rstrip('/')}/")
