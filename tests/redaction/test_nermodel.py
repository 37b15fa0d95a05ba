"""The program in the other process, spoken to as ner.py does."""

import ast
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy

from proctor.redaction.nermodel import load_spacy
from tests.support.installation import REPOSITORY

FAKE = Path(__file__).with_name("fakener.py")


class Talk:
    """The other end of its socket."""

    def __init__(self, model: str = "") -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(30)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-I", str(FAKE), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stderr=subprocess.DEVNULL,
                env={},
            )
        self.socket = ours
        self.lines = ours.makefile("rwb")
        self.say({"path": [*sys.path, "/none/there"], "model": model})

    def say(self, value: object) -> None:
        self.lines.write(json.dumps(value).encode() + b"\n")
        self.lines.flush()

    def hear(self) -> Any:
        return json.loads(self.lines.readline())

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def talk() -> Iterator[Talk]:
    found = Talk()
    yield found
    found.close()
    found.process.kill()
    found.process.wait()


def test_it_answers_line_by_line(talk: Talk) -> None:
    assert talk.hear() == "ready"
    talk.say(["Jane Roe\nis in Berlin", "", "ä Roe"])
    assert talk.hear() == [[[0, 8, "PERSON"], [15, 21, "GPE"]], [], [[2, 5, "PERSON"]]]
    talk.say([])
    assert talk.hear() == []


def test_it_ends_with_the_other_end(talk: Talk) -> None:
    assert talk.hear() == "ready"
    talk.close()
    assert talk.process.wait(timeout=30) == 0


def test_it_ends_on_nonsense(talk: Talk) -> None:
    assert talk.hear() == "ready"
    talk.lines.write(b"{not json\n")
    talk.lines.flush()
    assert talk.process.wait(timeout=30) == 1


def test_no_text_can_get_into_a_file_or_a_core(talk: Talk) -> None:
    assert talk.hear() == "ready"
    talk.say(["LIMITS"])
    assert talk.hear() == [[[0, 1, "[(0, 0), (0, 0)]"]]]


def test_it_looks_for_modules_where_the_gateway_does(talk: Talk) -> None:
    assert talk.hear() == "ready"
    talk.say(["PATHS"])
    assert talk.hear()[0][0][2].endswith("/none/there")


def test_it_loads_nothing_of_the_gateway() -> None:
    tree = ast.parse((REPOSITORY / "addons/proctor/redaction/nermodel.py").read_text())
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names | {"collections.abc"}


def test_only_what_finds_names_is_kept(tmp_path: Path) -> None:
    made = spacy.blank("en")
    made.add_pipe("sentencizer")
    made.add_pipe("tok2vec")
    made.add_pipe("ner").add_label("PERSON")  # type: ignore[attr-defined]  # its type says any component
    made.initialize()
    made.to_disk(tmp_path / "model")
    find: Any = load_spacy(str(tmp_path / "model"))
    nlp = find.__closure__[0].cell_contents
    assert nlp.pipe_names == ["ner"]
    assert find("Jane Roe") == find("Jane Roe")
    assert find("") == []


def test_a_shared_layer_stays(tmp_path: Path) -> None:
    made = spacy.blank("en")
    made.add_pipe("sentencizer")
    made.add_pipe("tok2vec")
    listening = {
        "model": {
            "@architectures": "spacy.TransitionBasedParser.v2",
            "state_type": "ner",
            "extra_state_tokens": False,
            "hidden_width": 16,
            "maxout_pieces": 1,
            "use_upper": False,
            "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 96},
        }
    }
    made.add_pipe("ner", config=listening).add_label("PERSON")  # type: ignore[attr-defined]  # the same
    made.initialize()
    made.to_disk(tmp_path / "model")
    find: Any = load_spacy(str(tmp_path / "model"))
    nlp = find.__closure__[0].cell_contents
    assert nlp.pipe_names == ["tok2vec", "ner"]
