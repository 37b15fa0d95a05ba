"""Texts that are the same but for what was taken out of the record."""

from hypothesis import given
from hypothesis import strategies as st

from proctor.redaction.surrogates import hashed, masked, surrogate
from proctor.replay.same import Redacted

KEY = b"k" * 32
MAIL = surrogate(KEY, "https://idp#alice", "EMAIL_ADDRESS", "a@b.example")
KNOWN = Redacted({"PASSWORD", "EMAIL_ADDRESS"})


def test_plain_texts() -> None:
    assert KNOWN.same("one", "one")
    assert KNOWN.differs("one two", "one too") == (5, 5)
    assert KNOWN.differs("one", "one and") == (3, 3)


def test_a_redacted_place_matches_anything() -> None:
    for place in (MAIL, masked("PASSWORD"), hashed(KEY, "PASSWORD", "x")):
        recorded = f"tell {place} that it is {place}, please"
        assert KNOWN.same(recorded, recorded)
        assert KNOWN.same(recorded, "tell a@b.example that it is c\n@d, please")
        assert KNOWN.same(recorded, "tell  that it is , please")
        assert KNOWN.differs(recorded, "ask a@b.example that it is x, please") == (0, 0)
        assert KNOWN.differs(recorded, "tell a@b.example: it is x, please") is not None
        assert KNOWN.differs(recorded, "tell a@b.example that it is x") is not None


def test_the_end_is_not_the_beginning() -> None:
    # What stands before and after a place may not overlap in what is asked.
    assert not KNOWN.same(f"aba{MAIL}aba", "aba")
    assert not KNOWN.same(f"aba{MAIL}aba", "ababa")
    assert KNOWN.same(f"aba{MAIL}aba", "abaaba")


def test_a_tag_is_no_mask() -> None:
    assert not KNOWN.same("a <B> c", "a <I> c")
    assert not Redacted().same("a <PASSWORD> c", "a x c")


@given(st.lists(st.text(max_size=8), min_size=2, max_size=6), st.lists(st.text(max_size=8)))
def test_whatever_stood_there(parts: list[str], values: list[str]) -> None:
    real = parts[0] + "".join(
        (values[n] if n < len(values) else "") + part for n, part in enumerate(parts[1:])
    )
    assert KNOWN.same(MAIL.join(parts), real)


@given(st.text(alphabet="ab", max_size=12), st.text(alphabet="ab", max_size=12))
def test_where_they_part(one: str, other: str) -> None:
    found = KNOWN.differs(one, other)
    if one == other:
        assert found is None
    else:
        assert found is not None
        at = found[0]
        assert one[:at] == other[:at]
        assert one[at : at + 1] != other[at : at + 1]
