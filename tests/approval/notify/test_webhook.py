"""Plain JSON, signed."""

import asyncio
import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.approval.notify.webhook import Webhook, body, key_of, sign
from proctor.approval.notify.wire import DeliveryError, Wire, make_client
from proctor.errors import ConfigurationError
from proctor.testing.http1 import Received
from proctor.testing.webhooks import verify
from tests.approval.notify.samplemessages import AT, HELD
from tests.approval.notify.standins import WHSEC, Said, look_in, serve, settings
from tests.support.installation import REPOSITORY

GOLDEN = REPOSITORY / "tests/golden/notify/webhook.json"


def test_what_is_posted() -> None:
    assert json.loads(body(HELD)) == json.loads(GOLDEN.read_text())


def test_the_signature_of_the_specification() -> None:
    # The vector of the project's own libraries: github.com/standard-webhooks/standard-webhooks.
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "ops")
    signed = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_check_it() -> None:
    came: list[Received] = []

    def answer(request: Received) -> Said:
        came.append(request)
        return Said(204, b"")

    async def main() -> None:
        async with serve(answer) as origin:
            look = look_in({"webhook_URL": f"{origin}/in", "webhook_SECRET": WHSEC})
            wire = Wire(make_client(), clock=lambda: AT)
            channel = Webhook(settings("webhook"), look, wire, lambda: AT)
            await channel.check()
            assert await channel.deliver(HELD, "") == ""
            await wire.close()

    asyncio.run(main())
    (request,) = came
    event = verify(dict(request.headers), request.body, WHSEC, AT.timestamp())
    assert event["type"] == "approval.pending"
    assert request.header("webhook-id") == HELD.id


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        base64.b64encode(b"x" * 32).decode(),
        "whsec_not-base64!" * 3,
    ],
)
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        key_of(secret, "ops")
    assert caught.value.code == "secret-malformed"
    assert secret == "whsec_" or secret not in str(caught.value)


@given(st.text())
def test_any_secret(secret: str) -> None:
    try:
        key = key_of(secret, "ops")
    except ConfigurationError:
        return
    assert 24 <= len(key) <= 64


def test_no_is_an_error() -> None:
    async def main() -> None:
        async with serve(lambda _: Said(410)) as origin:
            look = look_in({"webhook_URL": origin, "webhook_SECRET": WHSEC})
            wire = Wire(make_client(), clock=lambda: AT)
            with pytest.raises(DeliveryError, match="status-410"):
                await Webhook(settings("webhook"), look, wire, lambda: AT).deliver(HELD, "")
            await wire.close()

    asyncio.run(main())
