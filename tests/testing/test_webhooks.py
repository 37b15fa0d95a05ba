"""What a receiver checks."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.webhook import key_of, sign
from proctor.testing.webhooks import WebhookError, verify

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"type": "approval.pending"}'
NOW = 1_780_000_000


def headers(at: int = NOW, body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    signature = sign(key_of(secret, "ops"), "ap_a.7", at, body)
    return {"Webhook-Id": "ap_a.7", "Webhook-Timestamp": str(at), "Webhook-Signature": signature}


@pytest.mark.parametrize("at", [NOW, NOW - 300, NOW + 300])
def test_it_is_believed(at: int) -> None:
    assert verify(headers(at), BODY, SECRET, NOW) == {"type": "approval.pending"}


def test_one_of_several_signatures_is_enough() -> None:
    both = headers() | {"Webhook-Signature": f"v1,AAAA {headers()['Webhook-Signature']}"}
    assert verify(both, BODY, SECRET, NOW)


OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("given_", "body"),
    [
        (headers(NOW - 301), BODY),
        (headers(NOW + 301), BODY),
        (headers(), BODY + b" "),
        (headers(secret=OTHER), BODY),
        (headers() | {"Webhook-Id": "ap_b.7"}, BODY),
        (headers() | {"Webhook-Timestamp": str(NOW + 1)}, BODY),
        (headers() | {"Webhook-Timestamp": "soon"}, BODY),
        (headers() | {"Webhook-Signature": ""}, BODY),
        ({"webhook-id": "ap_a.7"}, BODY),
    ],
)
def test_it_is_not_believed(given_: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookError):
        verify(given_, body, SECRET, NOW)


@given(st.text(), st.text(), st.binary())
def test_nobody_guesses(at: str, signature: str, body: bytes) -> None:
    guess = {"webhook-id": "x", "webhook-timestamp": at, "webhook-signature": signature}
    with pytest.raises(WebhookError):
        verify(guess, body, SECRET, NOW)
