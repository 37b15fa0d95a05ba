"""Forms, and what templates say of times, people and durations."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request

from proctor.console.rendering import (
    address,
    clock_time,
    environment,
    form,
    person,
    span,
    who,
)
from proctor.errors import ClientError
from tests.console.samples import BOB, DAVE, NOW

FORM = "application/x-www-form-urlencoded"


def posted(body: bytes, kind: str = FORM) -> Request:
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(sent)

    headers = [(b"content-type", kind.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers, "state": {}}, receive)


def test_a_form_is_read() -> None:
    fields = asyncio.run(form(posted(b"reason=+not+on+a+Friday+&answer=deny&empty=")))
    assert fields == {"reason": "not on a Friday", "answer": "deny", "empty": ""}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=" + b"x" * 40_000, FORM, 413),
        (b"{}", "application/json", 415),
        (b"a=1", "multipart/form-data; boundary=x", 415),
        (b"answer=deny&answer=approve", FORM, 400),
        (b"a=%ff", FORM, 400),
        (b"\xff", FORM, 400),
        (b"&".join(b"f%d=1" % n for n in range(50)), FORM, 400),
    ],
)
def test_other_forms_are_not(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(ClientError) as caught:
        asyncio.run(form(posted(body, kind)))
    assert caught.value.status == status


def test_pages_are_for_people_with_a_role() -> None:
    request = posted(b"")
    for reviewer, status in ((None, 401), (DAVE, 403)):
        request.state.reviewer = reviewer
        with pytest.raises(ClientError) as caught:
            person(request)
        assert caught.value.status == status
    request.state.reviewer = BOB
    assert person(request) is BOB


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert span(seconds) == span(timedelta(seconds=seconds)) == text


def test_times_people_and_addresses() -> None:
    assert clock_time(NOW, NOW) == "10:42:31"
    assert clock_time(NOW - timedelta(days=1), NOW) == "2026-01-01 10:42"
    assert who("https://idp#bob https://idp#carol") == "bob, carol"
    assert who("proctor") == "proctor"
    assert address("/x", a="1 &#", b="") == "/x?a=1%20%26%23"


def test_every_template_escapes() -> None:
    made = environment().from_string("{{ text }}{{ text|e }}")
    assert made.render(text="<b>\"'") == "&lt;b&gt;&#34;&#39;" * 2
