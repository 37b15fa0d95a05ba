"""What the record says of one message."""

from proctor.errors import AuthenticationError, RefusedError
from proctor.stdio.exchange import Exchange, refusal_of
from tests.support.desks import NOW
from tests.support.stdio import line


def exchange(kept: bytes = b"") -> Exchange:
    return Exchange(flow_id="f-1", listener="stdio", server="files", started_at=NOW, kept=kept)


def test_an_opening() -> None:
    made = exchange(b"{}").opening()
    assert (made.method, made.scheme, made.host, made.port) == ("STDIO", "stdio", "files", 0)
    assert made.body == b"{}"
    assert exchange().opening().body is None


def test_a_call() -> None:
    this = exchange(line("tools/call", 1, name="read", arguments={"path": "a"}))
    call = this.call()
    assert call
    assert (call.id, call.name, call.verdict) == ("f-1", "mcp__files__read", "allow")
    this.approval_id = "ap_1"
    assert (held := this.call())
    assert (held.verdict, held.approval_id) == ("hold", "ap_1")
    refused = this.call(RefusedError("policy-denied", "no", rule_id="r"))
    assert refused
    assert (refused.verdict, refused.rule_id) == ("deny", "r")
    assert exchange(line("tools/list", 1)).call() is None
    assert exchange(b"no json").call() is None


def test_a_refusal() -> None:
    assert refusal_of(RefusedError("policy-denied", "no", rule_id="r")).rule_id == "r"
    assert refusal_of(AuthenticationError("token-expired", "late")).rule_id == "token-expired"


def test_its_repr_holds_nothing_of_it() -> None:
    this = exchange(b"hunter2")
    this.sent = b"hunter2"
    assert "hunter2" not in repr(this)
