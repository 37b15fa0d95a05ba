"""What is remembered, and what is not."""

from proctor.redaction.cache import SpotCache
from proctor.redaction.model import PASSWORD, Spot

TEXT = "password = hunter2hunter, and more"
PLAIN = Spot(11, 24, PASSWORD, "test:password", 0.5, TEXT[11:24])
DECODED = Spot(0, 8, PASSWORD, "test:password", 0.5, "decoded")


def test_what_was_put_comes_back() -> None:
    cache = SpotCache(10_000, "one")
    key = cache.key(TEXT)

    assert cache.get(key, TEXT) is None
    cache.put(key, TEXT, (DECODED, PLAIN))
    assert cache.get(key, TEXT) == (DECODED, PLAIN)


def test_a_value_that_stands_in_the_text_is_not_kept() -> None:
    cache = SpotCache(10_000, "one")
    cache.put(cache.key(TEXT), TEXT, (PLAIN,))

    assert PLAIN.value not in repr(cache._entries)


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    cache = SpotCache(1_000, "one")
    texts = ["first", "second", "third", "fourth"]
    for text in texts[:3]:
        cache.put(cache.key(text), text, ())
    cache.get(cache.key("first"), "first")
    cache.put(cache.key("fourth"), "fourth", ())

    assert [cache.get(cache.key(text), text) for text in texts] == [(), None, (), ()]


def test_the_same_text_again_costs_nothing_more() -> None:
    cache = SpotCache(1_000, "one")
    for _ in range(10):
        cache.put(cache.key(TEXT), TEXT, (PLAIN,))
    cache.put(cache.key("other"), "other", ())

    assert cache.get(cache.key(TEXT), TEXT) == (PLAIN,)


def test_what_is_too_large_is_not_kept() -> None:
    cache = SpotCache(100, "one")
    cache.put(cache.key(TEXT), TEXT, (PLAIN,))

    assert cache.get(cache.key(TEXT), TEXT) is None
    assert not cache._entries
    assert cache._left == 100


def test_keys_tell_nothing_and_half_characters_have_one() -> None:
    assert SpotCache(1, "one").key(TEXT) != SpotCache(1, "one").key(TEXT)
    cache = SpotCache(1, "one")
    assert cache.key("\ud800") != cache.key("\ud801")
