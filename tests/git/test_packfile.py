"""Packs, read object by object; what is wrong with one is told before it costs anything."""

import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.git.packfile import BLOB, Object, Pack
from proctor.git.packreport import PackError, PackLimits
from tests.support import packing
from tests.support.packing import pack, whole

TEXT = b"hello, world"
NAME = packing.name_of("blob", TEXT)


def read(data: bytes, limits: PackLimits | None = None, algorithm: str = "sha1") -> list[Object]:
    return list(Pack(data, limits or PackLimits(), algorithm=algorithm).objects())


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_whole_objects(algorithm: str) -> None:
    found = read(
        pack([whole("blob", TEXT), whole("blob", b"")], algorithm=algorithm), None, algorithm
    )
    assert found == [
        Object(BLOB, packing.name_of("blob", TEXT, algorithm), TEXT),
        Object(BLOB, packing.name_of("blob", b"", algorithm), b""),
    ]


def test_no_object_is_a_pack() -> None:
    assert read(pack([])) == []


def chain(length: int) -> list[bytes]:
    """Each object rests on the one before it, the second by name."""
    objects, text = [whole("blob", TEXT)], TEXT
    for step in range(length):
        change = packing.delta(text, b"!")
        last = packing.name_of("blob", text)
        objects.append(
            packing.by_offset(len(objects[-1]), change) if step else packing.by_name(last, change)
        )
        text += b"!"
    return objects


def test_deltas() -> None:
    found = read(pack(chain(5)))
    assert [item.data for item in found] == [TEXT + b"!" * step for step in range(6)]
    assert all(item.id == packing.name_of("blob", item.data) for item in found)


def test_a_delta_may_stand_before_what_it_rests_on() -> None:
    first = packing.by_name(NAME, packing.delta(TEXT, b"!"))
    assert {item.data for item in read(pack([first, whole("blob", TEXT)]))} == {TEXT, TEXT + b"!"}


def test_what_rests_on_something_elsewhere_is_told() -> None:
    thin = packing.by_name(NAME, packing.delta(TEXT, b"!"))
    above = packing.by_offset(len(thin), packing.delta(TEXT + b"!", b"?"))
    found = Pack(pack([thin, above]), PackLimits())
    assert list(found.objects()) == []
    assert found.missing == {NAME}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut off"),
        (b"PACK", "cut off"),
        (b"KCAP" + pack([])[4:], "does not begin"),
        (pack([])[:-1] + b"x", "checksum"),
        (b"PACK\0\0\0\4" + pack([])[8:], "version"),
        (pack([whole("blob", TEXT)], count=2), "fewer objects"),
        (pack([whole("blob", TEXT)], count=0), "more in it"),
        (pack([whole("blob", TEXT), b"garbage"], count=1), "more in it"),
        (pack([packing.head(0, 3) + zlib.compress(b"abc")]), "kind"),
        (pack([packing.head(5, 3) + zlib.compress(b"abc")]), "kind"),
        (pack([packing.head(3, 2) + zlib.compress(b"abc")]), "broken"),
        (pack([packing.head(3, 4) + zlib.compress(b"abc")]), "broken"),
        (pack([packing.head(3, 4) + b"no zlib at all"]), "broken"),
        (pack([b"\xbf" + b"\xff" * 12]), "size that is none"),
        (pack([whole("blob", TEXT), packing.by_offset(3, packing.delta(TEXT, b"!"))]), "no object"),
        (pack([whole("blob", TEXT), packing.by_name(NAME, b"")]), "broken"),
        (pack([whole("blob", TEXT), packing.by_name(NAME, packing.delta(b"else", b"!"))]), "else"),
        (
            pack(
                [
                    whole("blob", TEXT),
                    packing.by_name(NAME, packing.number(12) + packing.number(99) + b"\x90\x0c"),
                ]
            ),
            "broken",
        ),
    ],
    ids=range(18),
)
def test_what_is_no_pack(data: bytes, said: str) -> None:
    with pytest.raises(PackError) as caught:
        read(data)
    assert caught.value.code == "git-pack-unreadable"
    assert said in caught.value.got


def test_deltas_that_rest_on_each_other_are_never_made() -> None:
    one, other = b"1" * 20, b"2" * 20
    change = packing.delta(TEXT, b"!")
    found = Pack(pack([packing.by_name(one, change), packing.by_name(other, change)]), PackLimits())
    assert list(found.objects()) == []
    assert found.missing == {one, other}


@pytest.mark.parametrize(
    ("objects", "limits"),
    [
        ([whole("blob", TEXT)] * 3, PackLimits(objects=2)),
        ([whole("blob", b"x" * 1000)], PackLimits(object=999)),
        ([whole("blob", b"x" * 600), whole("blob", b"y" * 600)], PackLimits(inflated=1000)),
        (chain(4), PackLimits(depth=3)),
        (
            [
                whole("blob", TEXT),
                packing.by_name(NAME, packing.number(12) + packing.number(2**40) + b"\x90\x0c"),
            ],
            PackLimits(),
        ),
        ([packing.head(3, 2**50) + zlib.compress(b"")], PackLimits()),
    ],
    ids=["objects", "size", "inflated", "depth", "delta-bomb", "claim"],
)
def test_too_much(objects: list[bytes], limits: PackLimits) -> None:
    with pytest.raises(PackError) as caught:
        read(pack(objects), limits)
    assert caught.value.code == "git-pack-limit"


def test_time_is_bounded() -> None:
    ticks = iter(range(0, 1000, 10))
    found = Pack(pack(chain(20)), PackLimits(seconds=50), clock=lambda: float(next(ticks)))
    with pytest.raises(PackError, match="50 s"):
        list(found.objects())


def test_cut_at_every_byte() -> None:
    data = pack([*chain(3), whole("tree", b"")])
    for end in range(len(data)):
        with pytest.raises(PackError):
            read(data[:end])


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_byte_changed_is_noticed(place: int, change: int) -> None:
    data = bytearray(pack(chain(3)))
    data[place % len(data)] ^= change
    with pytest.raises(PackError):
        read(bytes(data))


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_is_an_error_of_ours(parts: list[bytes]) -> None:
    with suppress(PackError):  # and nothing else is raised
        read(pack(parts))
