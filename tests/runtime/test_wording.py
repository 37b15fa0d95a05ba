"""What is told of a failure on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.runtime.wording import told


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("unexpected server response: b'my words'", "unexpected server response"),
        (
            'Cannot parse HTTP response: Bad HTTP response line: b"it\'s my words"',
            "Cannot parse HTTP response: Bad HTTP response line",
        ),
        ("Received invalid header name: 'my words' from server", "Received invalid header name"),
        ("Unknown pseudo headers: {b':my': b'words'}", "Unknown pseudo headers"),
        ("Header block b'my'\nwords", "Header block"),
        ("[Errno 111] Connect call failed ('127.0.0.1', 9)", "[Errno 111] Connect call failed"),
        ("this address is not this listener's upstream", None),
        ("Response body exceeds mitmproxy's body_size_limit.", None),
        ("server closed connection", None),
        ("Connection killed.", None),
        ("", None),
    ],
)
def test_messages(message: str, words: str | None) -> None:
    assert told(message) == (message if words is None else words)


@given(st.text("ab :({[", max_size=20), st.binary(min_size=1, max_size=20))
def test_no_quoted_bytes_are_told(before: str, data: bytes) -> None:
    assert repr(data)[1:] not in told(f"{before}: {data!r} and more")
    assert repr(data.decode("latin-1")) not in told(
        f"{before}: {data.decode('latin-1')!r} and more"
    )
