"""The listeners through which something can be sent again."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from proctor.replay.places import places
from proctor.settings import Listener
from proctor.testing import tls


def listener(**more: Any) -> Listener:
    given = {
        "name": "claude", "kind": "reverse", "listen": "127.0.0.1:0", "speaks": "anthropic",
        "upstream": "https://api.example",
    }  # fmt: skip
    return Listener.model_validate(given | more)


@pytest.mark.parametrize(
    ("address", "reached"),
    [("127.0.0.1:8080", "127.0.0.1:8080"), ("0.0.0.0:81", "127.0.0.1:81"), ("[::]:82", "[::1]:82")],
)
def test_where(address: str, reached: str) -> None:
    (found,) = places([listener()], {"claude": address}).values()
    assert (found.address, found.upstream) == (reached, "https://api.example")
    assert found.speaks == "anthropic"
    (api,) = places([listener(speaks="http")], {"claude": address}).values()
    assert api.speaks == "http"


def test_its_own_certificate_is_all_that_is_trusted(tmp_path: Path) -> None:
    made = tls.make(tmp_path)
    cert = {"cert": str(made.cert), "key": str(made.key)}
    (found,) = places([listener(tls=cert)], {"claude": "127.0.0.1:9"}).values()
    assert found.url == "https://127.0.0.1:9"
    assert found.trust().verify_mode is ssl.CERT_REQUIRED
    context = found.trust()
    assert context.cert_store_stats()["x509"] == 1
    made.cert.write_bytes(made.cert.read_bytes() + made.ca.read_bytes())
    assert found.trust().cert_store_stats() == context.cert_store_stats()  # its issuer is not
    made.cert.write_text("nothing")
    with pytest.raises(ValueError, match="PEM"):
        found.trust()
    asks = listener(tls={**cert, "client_ca": cert["cert"]})
    assert places([asks], {"claude": "127.0.0.1:9"}) == {}


def test_others_are_not_there() -> None:
    assert places([listener()], {}) == {}
    assert places([listener(speaks="mcp")], {"claude": "127.0.0.1:1"}) == {}
    forward = Listener.model_validate(
        {"name": "claude", "kind": "forward", "listen": "127.0.0.1:0",
         "destinations": ({"host": "api.example", "speaks": "anthropic"},)}
    )  # fmt: skip
    assert places([forward], {"claude": "127.0.0.1:1"}) == {}
