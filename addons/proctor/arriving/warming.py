"""What is looked for in what comes in, made ready beside the start of a process."""

import threading

from proctor.arriving.patterns import warm
from proctor.config import Config
from proctor.redaction.compiled import folder_of, usable


def warm_beside(config: Config) -> None:
    """Begin with it in a thread of its own; compiling takes a quarter of a minute, once."""
    cache = usable(folder_of(config.redaction, config.state))
    threading.Thread(target=warm, args=(cache,), name="signs", daemon=True).start()
