"""The program of the process in which a language model finds names; see ner.py.

It is run as a script, so that nothing of the gateway is loaded beside the model. It is told what to
do over one socket and answers over it, a JSON value a line: nothing stands in its arguments, in its
environment or in a file. It ends when the other end of the socket does.
"""

import importlib
import json
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

type Find = Callable[[str], list[tuple[int, int, str]]]
"""First character, the one after the last, and label of every name in a text."""

_USED: Final = frozenset({"tok2vec", "transformer", "ner"})


def load_spacy(folder: str) -> Find:
    """A spaCy model, of which only what finds names is kept.

    Args:
        folder: Where its `config.cfg` is.
    """
    # Not at the top: a gateway reads this file, too, and spaCy is large.
    spacy: Any = importlib.import_module("spacy")
    config: Any = spacy.util.load_config(f"{folder}/config.cfg")
    nlp: Any = spacy.load(
        folder, exclude=[name for name in config["nlp"]["pipeline"] if name not in _USED]
    )
    layers = nlp.get_pipe("ner").model.walk()
    if not any("listener" in layer.name for layer in layers):
        # It has vectors of its own, and the common ones would be made for nobody.
        for name in set(nlp.pipe_names) - {"ner"}:
            nlp.remove_pipe(name)

    def find(text: str) -> list[tuple[int, int, str]]:
        # Each text by itself: its names must not depend on its company. In a zone: else the model
        # would remember every word it ever saw.
        with nlp.memory_zone():
            return [(span.start_char, span.end_char, span.label_) for span in nlp(text).ents]

    return find


def serve(load: Callable[[str], Find]) -> None:
    """Answer until the other end is closed.

    Args:
        load: Makes what finds names, from the model that the first line says.
    """
    lines = socket.socket(fileno=int(sys.argv[1])).makefile("rwb")
    start = json.loads(lines.readline())
    sys.path[:] = start["path"]
    find = load(start["model"])
    # From here on it has texts: they may not get into a file, not even by a crash.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    answer: object = "ready"
    while True:
        lines.write(json.dumps(answer).encode() + b"\n")
        lines.flush()
        line = lines.readline()
        if not line:
            return
        answer = [find(text) for text in json.loads(line)]


if __name__ == "__main__":
    serve(load_spacy)
