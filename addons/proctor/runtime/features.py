"""What rules may ask of an installation, as its proctor.yaml has it."""

from dataclasses import replace

from proctor.arriving.signs import TYPE as PROMPT_INJECTION
from proctor.egress.settings import STDIO
from proctor.egress.targets import targets_of
from proctor.model import ActionKind
from proctor.policy.features import SQL_NOVELTY, Features
from proctor.redaction.model import SECRET_PATH, SECRETS
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
    listeners = frozenset(listener.name for listener in config.doors)
    targets = [target for listener in config.listeners for target in targets_of(listener)]
    servers = frozenset(item.name for item in config.stdio) | {
        target.name for target in targets if target.speaks == "mcp"
    }
    if config.stdio:
        listeners |= {STDIO}
    treatments = Treatments(settings, added)
    known = Features(
        listeners=listeners, servers=servers, entities=treatments.types | {PROMPT_INJECTION}
    )
    if config.postgres:
        known = replace(
            known,
            kinds=known.kinds | {ActionKind.SQL_STATEMENT},
            unfilled=known.unfilled - SQL_NOVELTY,
        )
    if any(target.websocket for target in targets):
        known = replace(known, kinds=known.kinds | {ActionKind.WS_MESSAGE})
    if any(target.speaks == "git" for target in targets):
        # Files are looked at wherever redaction is off, too.
        looked_for = (known.entities or frozenset()) | SECRETS | {SECRET_PATH}
        kinds = known.kinds | {ActionKind.GIT_FETCH, ActionKind.GIT_PUSH}
        return replace(known, kinds=kinds, entities=looked_for)
    if any(treatments.on(name).types for name in listeners):
        return known
    # What comes in is looked at wherever redaction is off, too.
    return replace(known, entities=frozenset({PROMPT_INJECTION}))
