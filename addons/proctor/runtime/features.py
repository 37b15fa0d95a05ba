"""What rules may ask of an installation, as its proctor.yaml has it."""

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
    treatments = Treatments(settings, added)
    known = Features(listeners=listeners, entities=treatments.types)
    if any(treatments.on(name).types for name in listeners):
        return known
    return Features(
        listeners=listeners, entities=frozenset(), unfilled=known.unfilled | {"findings"}
    )
