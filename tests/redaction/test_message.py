"""One message of a conversation: read, looked at, and written anew."""

import asyncio
import json
from pathlib import Path

import pytest

from proctor.errors import RefusedError
from proctor.redaction.across import Across
from proctor.redaction.message import DETECTOR, PIECES, Looked, look_at, texts_of
from proctor.redaction.model import Direction
from proctor.redaction.screen import Screen
from tests.support.parts import ALICE
from tests.support.screened import KEY, MAIL, screens


def looked(
    screen: Screen,
    data: bytes,
    *,
    text: bool = True,
    direction: Direction = Direction.REQUEST,
    across: Across | None = None,
) -> Looked:
    across = across or Across(screen.parts.redactor.detector)
    found: Looked = asyncio.run(look_at(screen, direction, across, text=text, data=data))
    return found


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize(
    "shape", ['{"n": 1, "note": "use %s now", "x": [true]}', "use %s now", '["%s"', '"%s"']
)
def test_a_key_is_taken_out_and_all_else_stays(
    tmp_path: Path, shape: str, direction: Direction
) -> None:
    with screens(tmp_path) as ours:
        screen = ours.on("api")
        assert screen
        it = looked(screen, (shape % KEY).encode(), direction=direction)
        sent, kept = it.taken_out({}, ALICE, None)
        assert sent == kept == (shape % "<API_KEY>").encode()
        (finding,) = it.findings({})
        assert (finding.type, finding.direction) == ("API_KEY", direction.value)


def test_escapes_do_not_hide_a_key(tmp_path: Path) -> None:
    with screens(tmp_path) as ours:
        screen = ours.on("api")
        assert screen
        hidden = "".join(f"\\u{ord(sign):04x}" for sign in KEY)
        it = looked(screen, b'{"a": "%s"}' % hidden.encode())
        assert it.taken_out({}, ALICE, None)[0] == b'{"a": "<API_KEY>"}'


def test_a_rule_can_have_it_blocked(tmp_path: Path) -> None:
    with screens(tmp_path) as ours:
        screen = ours.on("api")
        assert screen
        it = looked(screen, f"mail {MAIL}".encode())
        with pytest.raises(RefusedError) as caught:
            it.taken_out({"EMAIL_ADDRESS": "block"}, ALICE, None)
        assert caught.value.code == "redaction-blocked"
        assert MAIL.encode() not in it.kept({"EMAIL_ADDRESS": "block"}, ALICE)


@pytest.mark.parametrize("before", [b"", b"\x00\xff\xfe", "ü".encode(), b"PNG\x00"])
def test_a_binary_message_is_not_changed_but_refused(tmp_path: Path, before: bytes) -> None:
    with screens(tmp_path) as ours:
        screen = ours.on("api")
        assert screen
        clean = looked(screen, before + b" nothing", text=False)
        assert clean.taken_out({}, ALICE, None)[0] == before + b" nothing"
        it = looked(screen, before + KEY.encode() + b"\x00", text=False)
        with pytest.raises(RefusedError) as caught:
            it.taken_out({}, ALICE, None)
        assert caught.value.got == "API_KEY"
        assert KEY.encode() not in it.kept({}, ALICE)


def test_the_message_that_completes_a_secret(tmp_path: Path) -> None:
    with screens(tmp_path) as ours:
        screen = ours.on("api")
        assert screen
        across = Across(screen.parts.redactor.detector)
        first = json.dumps({"seq": "1", "data": KEY[:12]}).encode()
        second = json.dumps({"seq": "2", "data": KEY[12:]}).encode()
        assert looked(screen, first, across=across).taken_out({}, ALICE, None)[0] == first
        across.passed(texts_of(first, text=True))
        it = looked(screen, second, across=across)
        (finding,) = it.findings({})
        assert (finding.type, finding.detector) == (PIECES, DETECTOR)
        assert finding.location == "data (API_KEY in 2 messages)"
        with pytest.raises(RefusedError) as caught:
            it.taken_out({}, ALICE, None)
        assert caught.value.code == "redaction-pieces"
        assert KEY[12:] not in str(caught.value)
        assert it.kept({}, ALICE) == b""


def test_pieces_pass_where_keys_do(tmp_path: Path) -> None:
    with screens(tmp_path, entities={"API_KEY": {"request": "detect"}}) as ours:
        screen = ours.on("api")
        assert screen
        across = Across(screen.parts.redactor.detector)
        across.passed(texts_of(KEY[:9].encode(), text=True))
        assert looked(screen, KEY[9:].encode(), across=across).pieces == ()
