"""What rules may ask of an installation, as its proctor.yaml has it."""

from dataclasses import replace

from proctor.egress.settings import STDIO
from proctor.egress.targets import targets_of
from proctor.policy.features import Features
from proctor.redaction.treatment import Treatments
from proctor.settings import Config


def features_of(config: Config) -> Features:
    """What rules may name, and what the house can do about it.

    Raises:
        ConfigurationError: The file of one's own recognizers is wrong.
    """
    settings = config.redaction
    added: frozenset[str] = frozenset()
    if settings.recognizers is not None:
        # Not at the top: it loads Presidio, which takes seconds.
        from proctor.redaction.users import load_users  # noqa: PLC0415

        added = load_users(settings.recognizers, settings.deny).entities
    listeners = frozenset(listener.name for listener in config.listeners)
    servers = frozenset(item.name for item in config.stdio) | {
        target.name
        for listener in config.listeners
        for target in targets_of(listener)
        if target.speaks == "mcp"
    }
    if config.stdio:
        listeners |= {STDIO}
    treatments = Treatments(settings, added)
    known = Features(listeners=listeners, servers=servers, entities=treatments.types)
    if any(treatments.on(name).types for name in listeners):
        return known
    return replace(known, entities=frozenset(), unfilled=known.unfilled | {"findings"})
