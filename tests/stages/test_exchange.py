"""Stamps and what was judged."""

import pytest
from mitmproxy import http

from proctor.credentials.injection import PutHeader
from proctor.model import Deny
from proctor.protocols.anthropic.request import MessagesRequest
from proctor.protocols.anthropic.routes import RouteKind
from proctor.stages.exchange import Exchange, Leaving, Stamp, asked, judged


def test_all_is_every_stamp() -> None:
    each = [value for name, value in vars(Stamp).items() if name.isupper() and name != "ALL"]
    assert sum(each) == Stamp.ALL


def test_what_was_judged_is_equal_only_to_itself() -> None:
    first = http.Request.make("POST", "http://a/x", b"body", http.Headers(a="1"))
    assert judged(first) == judged(first.copy())
    for name, value in [("path", b"/y"), ("host", "b"), ("port", 1), ("content", b"c")]:
        other = first.copy()
        setattr(other.data, name, value)
        assert judged(first) != judged(other), name


def test_done_is_refused_or_ended() -> None:
    assert not Exchange(listener="l").done
    assert Exchange(listener="l", refused=Deny(rule_id="r", reason="")).done
    assert Exchange(listener="l", ended=True).done


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://a/v1/messages", RouteKind.MESSAGES),
        ("http://a/v1/messages?beta=true", RouteKind.MESSAGES),
        ("http://a/v1/messages?x=1", RouteKind.OTHER),
        ("http://a/v1/files", RouteKind.OTHER),
    ],
)
def test_the_route_takes_path_and_query(url: str, kind: RouteKind) -> None:
    assert asked(http.Request.make("POST", url)) is kind


def test_a_credential_is_in_no_repr() -> None:
    exchange = Exchange(listener="l", credential=PutHeader("x-api-key", "sk-real"))
    assert "sk-real" not in repr(exchange)


def test_nothing_that_was_said_is_in_a_repr() -> None:
    request = http.Request.make("POST", "http://a/words", b"words", http.Headers(a="words"))
    exchange = Exchange(
        listener="l",
        what=judged(request),
        message=MessagesRequest(model="m", prompt="words"),
        leaving=Leaving(b"/words", ((b"a", b"words"),), b"words"),
    )
    assert "words" not in repr(exchange)
