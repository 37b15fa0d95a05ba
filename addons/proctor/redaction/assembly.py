"""All of redaction put together, for a gateway or for a command."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proctor.canary.file import NAME as CANARIES
from proctor.redaction.compiled import folder_of
from proctor.redaction.exceptions import Exceptions
from proctor.redaction.fields import Fields
from proctor.redaction.holdback import Phrases
from proctor.redaction.keys import RedactionKeys, load_keys
from proctor.redaction.model import SECRETS, Budget, Detector
from proctor.redaction.ner import NerWorker, find_model
from proctor.redaction.redactor import Redactor
from proctor.redaction.screen import Parts, Screen
from proctor.redaction.settings import NAMES, RedactionSettings, check_entities
from proctor.redaction.surrogates import digest
from proctor.redaction.treatment import Treatments
from proctor.redaction.vault import Vault
from proctor.runtime.permissions import check_private, make_folder

if TYPE_CHECKING:
    from proctor.redaction.users import UsersRecognizers

VAULT: Final = "vault.db"
"""Name of the vault's file in the folder `state`."""

_FIRST: Final = "mail first@proctor-first.com, call +1 212 555 0100, PASSWORD='x7Kq-2Rv9mTz'"
_PATIENCE: Final = 60.0  # seconds
_HITS: Final = 100


def load_detector(  # noqa: PLR0913 - its parts
    settings: RedactionSettings,
    *,
    cache: Path | None = None,
    where: Callable[..., str] = lambda *path: ".".join(map(str, path)),
    closing: ExitStack | None = None,
    users: "UsersRecognizers | None" = None,
    canaries: tuple[Path, bytes] | None = None,
) -> Detector:
    """What finds things, as the settings ask for it. Takes seconds: Presidio is large.

    Args:
        settings: As read.
        cache: Where compiled rules are kept; None compiles them anew.
        where: Makes `file:line` of a path of keys, for errors.
        closing: Gets what ends the process that finds names; without it, that ends with this one.
        users: One's own recognizers, where they were read before.
        canaries: Their file, and the key of their digests.

    Raises:
        ConfigurationError: A file cannot be read, a name means nothing, a model is not installed.
    """
    place = where("redaction", "ner", "model")
    model = find_model(settings.ner.model, place) if settings.ner else None
    # Not at the top: Presidio brings spaCy, and commands that need neither would wait for both.
    from proctor.redaction.allow import AllowList  # noqa: PLC0415
    from proctor.redaction.analyzer import build_analyzer  # noqa: PLC0415
    from proctor.redaction.detector import TextDetector  # noqa: PLC0415
    from proctor.redaction.recognizers.names import NamesRecognizer  # noqa: PLC0415
    from proctor.redaction.recognizers.secrets import secret_recognizers  # noqa: PLC0415
    from proctor.redaction.recognizers.stock import stock_entities  # noqa: PLC0415
    from proctor.redaction.users import load_users  # noqa: PLC0415

    users = users or load_users(settings.recognizers, settings.deny)
    by_model = NAMES if model else frozenset()
    check_entities(settings, stock_entities() | users.entities | by_model, where)
    treated = Treatments(settings, users.entities).types
    if cache:
        make_folder(cache)
        check_private(cache, "compiled rules")
    names = []
    worker = None
    if settings.ner and model and treated & by_model:
        worker = NerWorker(str(model.folder))  # loads while the rest does
        (closing or ExitStack()).callback(worker.close)
        names = [
            NamesRecognizer(worker, model, types=treated & by_model, seconds=settings.ner.budget)
        ]
    analyzer = build_analyzer(
        extra=[
            *secret_recognizers(settings.known_values, cache_dir=cache, canaries=canaries),
            *names,
        ],
        users=users,
        entities=(treated & stock_entities()) - SECRETS,
        cache=cache,
    )
    if worker:
        worker.ready(place)
    allow = AllowList(
        values=frozenset(item for item in settings.allow if isinstance(item, str)),
        patterns=tuple(item for item in settings.allow if not isinstance(item, str)),
    )
    detector = TextDetector(analyzer, allow=allow)
    # What is made at the first find is made before anyone waits for it.
    detector.scan(_FIRST, Budget(_PATIENCE, _HITS, time.monotonic))
    return detector


def canaries_of(state: Path) -> tuple[Path, bytes] | None:
    """The canaries of an installation, for `load_detector`; None where none can be read.

    Args:
        state: Folder of proctor's own.

    Raises:
        ConfigurationError: The keys are missing, wrong or open to others.
    """
    path = state / CANARIES
    return (path, load_keys(state).digest) if os.access(path, os.R_OK) else None


class Screens:
    """The screens of all listeners of one process, and what they share.

    Args:
        settings: As read.
        detector: From `load_detector`.
        keys: Of the installation.
        vault: Of the installation.
        listeners: Names of the listeners.
        exceptions: What was marked as harmless, as it is now.
        added: Types that one's own recognizers find.
        phrases: Known texts that reach over white space.
        clock: Seconds since the epoch.
        closing: What else is closed with them.
    """

    def __init__(  # noqa: PLR0913 - its parts
        self,
        settings: RedactionSettings,
        detector: Detector,
        keys: RedactionKeys,
        vault: Vault,
        *,
        listeners: Sequence[str],
        exceptions: Callable[[], Exceptions],
        added: frozenset[str] = frozenset(),
        phrases: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        closing: ExitStack | None = None,
    ) -> None:
        self._closing = closing or ExitStack()
        self._vault = vault
        self._exceptions = exceptions
        self._clock = clock
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="redaction")
        treatments = Treatments(settings, added)
        fields = Fields(settings.fields)
        redactor = Redactor(
            detector,
            digest=lambda entity, value: digest(keys.digest, entity, value),
            configured=fields.matches if fields else None,
            allowed=self._allowed,
        )
        parts = Parts(
            redactor=redactor,
            keys=keys,
            vault=vault,
            treatments=treatments,
            settings=settings,
            pool=self._pool,
            version=self._version,
            phrases=Phrases(phrases),
        )
        self._screens = {
            name: Screen(name, parts) for name in listeners if treatments.on(name).types
        }

    def on(self, listener: str) -> Screen | None:
        """The screen of a listener, or None where its redaction is off."""
        return self._screens.get(listener)

    def expire(self) -> None:
        """Forget values whose sessions ended long ago."""
        self._vault.expire()

    def forget(self, principal: str, session: str) -> None:
        """Forget the values that a session used, as they are to be erased.

        Args:
            principal: `Principal.key`.
            session: Its name; "" where there is none.

        Raises:
            RedactionError: `redaction-vault`.
        """
        self._vault.forget(principal, session)

    def close(self) -> None:
        """Close the vault and what finds names; nothing is looked at any more."""
        self._pool.shutdown()
        self._closing.close()
        self._vault.close()

    def _allowed(self, detector: str, value: str, location: str) -> bool:
        exceptions = self._exceptions()
        return bool(exceptions.items) and exceptions.allowed(detector, value, location, self._now())

    def _version(self) -> tuple[str, ...]:
        """Names of the exceptions in force now."""
        now = self._now() if self._exceptions().items else None
        return tuple(
            item.id
            for item in self._exceptions().items
            if now and item.created <= now < item.expires
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def open_screens(  # noqa: PLR0913 - what it is made of
    settings: RedactionSettings,
    keys: RedactionKeys,
    *,
    state: Path,
    listeners: Sequence[str],
    exceptions: Callable[[], Exceptions],
    where: Callable[..., str] = lambda *path: ".".join(map(str, path)),
) -> Screens | None:
    """Redaction of a gateway; None where no listener has any.

    Args:
        settings: As read.
        keys: Of the installation.
        state: Folder of proctor's own, 0700.
        listeners: Names of the listeners.
        exceptions: What was marked as harmless, as it is now.
        where: Makes `file:line` of a path of keys, for errors.

    Raises:
        ConfigurationError: Something is missing, wrong or open to others.
    """
    treatments = Treatments(settings)
    if not any(treatments.on(name).types for name in listeners):
        return None
    # Not at the top: as in `load_detector`.
    from proctor.redaction.users import load_users  # noqa: PLC0415

    users = load_users(settings.recognizers, settings.deny)
    with ExitStack() as closing:
        detector = load_detector(
            settings,
            cache=folder_of(settings, state),
            where=where,
            closing=closing,
            users=users,
            canaries=(state / CANARIES, keys.digest),
        )
        vault = Vault(
            state / VAULT,
            keys,
            retention=settings.vault.retention,
            max_entries=settings.vault.max_entries,
        )
        return Screens(
            settings,
            detector,
            keys,
            vault,
            listeners=listeners,
            exceptions=exceptions,
            added=users.entities,
            phrases=_phrases(settings),
            closing=closing.pop_all(),
        )


def _phrases(settings: RedactionSettings) -> Iterator[str]:
    """What streams must not let go of by halves."""
    for words in settings.deny.values():
        yield from words
    if settings.known_values:
        from proctor.redaction.recognizers.known import KnownValues  # noqa: PLC0415 - as above

        yield from KnownValues(settings.known_values).spellings
