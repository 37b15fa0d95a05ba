"""What the envelope of a message says of it."""

import pytest

from proctor.model import Finding, HttpFields, WsFields
from proctor.policy.recordedfields import WS, WS_JSON
from proctor.policy.recordedmessage import cut_of, findings_of, message_of

HTTP = HttpFields(scheme="https", host="feed.internal", port=443, path="/v1")


@pytest.mark.parametrize(
    ("type_", "size", "body", "json", "known"),
    [
        ("text", 8, b'{"a": 1}', {"a": 1}, True),
        ("text", 2, b"no", None, True),
        ("text", 8, None, None, False),
        ("text", 0, None, None, True),
        ("binary", 8, None, None, True),
    ],
)
def test_what_is_known_of_it(
    type_: str, size: int, body: bytes | None, json: object, *, known: bool
) -> None:
    said = {"type": type_, "bytes": size, "direction": "client"}
    action, told = message_of(said, body, HTTP, "out")
    assert action.ws == WsFields(direction="client", type=type_, json=json)
    assert (action.size, action.http, action.listener) == (size, HTTP, "out")
    assert told == ((WS, WS_JSON) if known else (WS,))


def test_what_was_found() -> None:
    row = {"entity_type": "API_KEY", "location": "a", "direction": "request", "score": 0.9}
    said = {"findings": [{**row, "action": "detect"}]}
    found = Finding(type="API_KEY", location="a", direction="request", score=0.9)
    assert findings_of(said) == (found,)
    assert not cut_of(said)
    assert cut_of({"findings": [{**row, "action": "mask"}]})
    assert (findings_of({}), cut_of({})) == ((), False)
