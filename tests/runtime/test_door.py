"""A refusal as mitmproxy holds it."""

from proctor.runtime.door import Refusal


def test_a_refusal_becomes_a_response_with_its_length() -> None:
    refusal = Refusal(status=451, headers=((b"content-type", b"text/plain"),), body=b"no")
    response = refusal.response()
    assert (response.status_code, response.raw_content) == (451, b"no")
    assert response.headers["content-length"] == "2"
    assert response.headers["content-type"] == "text/plain"
    assert response.reason == "Unavailable For Legal Reasons"


def test_it_says_why_beside_the_status() -> None:
    refusal = Refusal(status=451, headers=(), body=b"")
    assert refusal.response("proctor: kept").reason == "proctor: kept"
