"""Long texts and their seams."""

import pytest

from proctor.redaction.model import PRIVATE_KEY, Budget, RedactionError, Spot
from proctor.redaction.pieces import OVERLAP, PIECE, analyze
from tests.redaction.reading import KEY, Analyzer, ample

BLOCK = (
    "-" * 5 + "BEGIN X" + "-" * 5 + "\n" + ("Zq3v" * 16 + "\n") * 40 + "-" * 5 + "END X" + "-" * 5
)


class Blocks(Analyzer):
    def analyze(self, text: str, budget: Budget) -> list[Spot]:
        start, end = text.find("-----BEGIN"), text.find("END X-----")
        if start < 0 or end < 0:
            return []
        return [Spot(start, end + 10, PRIVATE_KEY, "test:key", 1.0, text[start : end + 10])]


@pytest.mark.parametrize("filler", ["some words in a line\n", "words ", "x,", "é\n"])
@pytest.mark.parametrize("back", [0, 1, 20, 38, 39, OVERLAP])
def test_nothing_is_lost_at_a_seam(filler: str, back: int) -> None:
    before = (filler * PIECE)[: PIECE - back - 1]
    text = f"{before} {KEY} {filler * 1000}"

    spots = analyze(Analyzer(), text, ample())

    assert {(spot.start, spot.end, spot.value) for spot in spots} == {
        (PIECE - back, PIECE - back + len(KEY), KEY)
    }


@pytest.mark.parametrize("back", range(0, len(BLOCK) + 80, 211))
def test_a_block_is_not_parted(back: int) -> None:
    text = "line of words\n" * (PIECE // 14) + "."
    text = text[: PIECE - back] + "\n" + BLOCK + "\n" + "line of words\n" * 5000

    spots = analyze(Blocks(), text, ample())

    assert {spot.value for spot in spots} == {BLOCK}


def test_a_token_that_goes_on_after_the_seam_is_taken_whole() -> None:
    class Tokens(Analyzer):
        def analyze(self, text: str, budget: Budget) -> list[Spot]:
            start = text.find("key_")
            return (
                []
                if start < 0
                else [Spot(start, len(text), "API_KEY", "test:key", 1.0, text[start:])]
            )

    token = "key_" + "a" * 3 * OVERLAP
    text = "," * (PIECE - 100) + token + "," * PIECE

    spots = analyze(Tokens(), text, ample())

    assert (PIECE - 100, PIECE - 100 + len(token), token) in {
        (spot.start, spot.end, spot.value) for spot in spots
    }


def test_short_texts_are_one_piece_and_long_ones_ask_for_time() -> None:
    analyzer = Analyzer()
    analyze(analyzer, "x" * PIECE, ample())
    assert analyzer.texts == ["x" * PIECE]

    with pytest.raises(RedactionError):
        analyze(analyzer, "x" * 3 * PIECE, Budget(-1.0, 1, lambda: 0.0))


def test_pieces_end_even_where_blocks_never_do() -> None:
    analyzer = Analyzer()

    analyze(analyzer, "-----BEGIN X-----" * (3 * PIECE // 17), ample())

    assert len(analyzer.texts) < 8
