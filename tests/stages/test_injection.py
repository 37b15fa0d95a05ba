"""The real credential."""

from tests.support.origin import Origin
from tests.support.stand import OK, house, listener, post, running


def test_a_missing_credential_lets_nothing_out() -> None:
    with Origin(OK) as origin:
        this = house(listener(origin.port))
        this.keys.missing = True
        with running(this) as proxy:
            assert proxy.request("claude", post()).startswith(b"HTTP/1.1 503 ")
    assert origin.connections == 0
