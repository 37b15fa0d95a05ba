"""Small answers of git servers, changed before they go on."""

import pytest

from proctor.errors import ClientError, UpstreamError
from proctor.stages import gitanswer
from proctor.stages.gitanswer import Collected


def test_collected_and_changed() -> None:
    answer = Collected(bytes.upper)
    assert answer.feed(b"a").client == answer.feed(b"b").client == b""
    found = answer.finish()
    assert (found.client, found.record) == (b"AB", b"AB")
    assert answer.idle
    assert not answer.more
    assert answer.released().client == answer.ping() == b""
    assert answer.broken(UpstreamError("x", "y")) is None


def test_what_is_kept_may_be_less() -> None:
    answer = Collected(lambda body: body, record=b"{}")
    answer.feed(b"with a signature")
    assert answer.finish().record == b"{}"


def test_what_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_body: bytes) -> bytes:
        raise ClientError("git-malformed", "no", got="something")

    with pytest.raises(UpstreamError, match="something"):
        Collected(fail).finish()
    monkeypatch.setattr(gitanswer, "MOST", 3)
    with pytest.raises(UpstreamError, match="at most"):
        Collected(fail).feed(b"abcd")
