"""What a server says of a push, however its answer is cut."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.protocols.git.pktline import FLUSH, pkt
from proctor.protocols.git.report import band
from proctor.protocols.git.said import MOST, PushSaid, Said

REPORT = pkt(b"unpack ok\n") + pkt(b"ng refs/heads/x no\n") + FLUSH
ANSWER = band(2, b"hello\n") + band(1, REPORT) + band(3, b"fatal\n") + FLUSH
WORDS = "hello\nunpack ok\nng refs/heads/x no\nfatal\n"


@given(st.lists(st.integers(0, len(ANSWER)), max_size=6))
def test_bands_and_report_wherever_they_are_cut(cuts: list[int]) -> None:
    read, last = PushSaid(side_band=True), 0
    for cut in (*sorted(cuts), len(ANSWER)):
        read.feed(ANSWER[last:cut])
        last = cut
    read.finish()
    assert read.said.text == WORDS
    assert read.said.size == len(WORDS)


def test_a_report_without_bands() -> None:
    read = PushSaid(side_band=False)
    read.feed(REPORT)
    read.finish()
    assert read.said.text == "unpack ok\nng refs/heads/x no\n"


def test_what_is_no_line_is_text_all_the_same() -> None:
    for answer in (b"zzzz it says", b"0009\x01zzzz it says", b"00ff it says"):
        read = PushSaid(side_band=True)
        read.feed(answer)
        read.feed(b" more")
        read.finish()
        assert read.said.text.endswith("it says more"), answer


@given(st.binary(max_size=80), st.booleans())
def test_nothing_raises(data: bytes, side_band: bool) -> None:  # noqa: FBT001 - a parameter
    read = PushSaid(side_band=side_band)
    read.feed(data)
    read.finish()


def test_it_is_kept_up_to_a_bound_and_handed_on_whole() -> None:
    said = Said()
    said.add(b"a" * MOST)
    assert said.take() == b"a" * MOST
    said.add(b"b" * 9)
    assert (said.take(), said.take()) == (b"b" * 9, b"")
    assert said.text == "a" * MOST
    assert said.size == MOST + 9
