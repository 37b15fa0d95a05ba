"""What is said of what was found; how answers wait is in test_gitfetch.py."""

from proctor.errors import RefusedError, UpstreamError
from proctor.model import Finding
from proctor.stages.githeld import told, words_of


def found(kind: str, location: str) -> Finding:
    return Finding(type=kind, location=location, direction="response", score=1.0)


def test_a_path_that_is_marked_comes_first() -> None:
    both = (found("API_KEY", "a:3"), found("SECRET_PATH", "b/.env"))
    assert told(both) == "b/.env is marked secret"
    assert told(both[:1]) == "a:3 holds a secret (API_KEY)"
    assert told(()) == ""


def test_words_name_the_rule() -> None:
    assert words_of(RefusedError("x", "No", rule_id="mine")) == "No (rule mine)"
    assert words_of(UpstreamError("x", "No", got="this")) == "No; got this"
