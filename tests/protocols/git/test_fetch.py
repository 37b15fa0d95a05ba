"""What a fetch asks for, read and written anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.git.fetch import read_fetch, read_offer, read_refs
from proctor.protocols.git.pktline import DELIM, FLUSH, pkt

A, B = "a" * 40, "b" * 40


def v2(*arguments: str, command: str = "fetch", capabilities: tuple[str, ...] = ()) -> bytes:
    lines = [pkt(f"command={command}\n".encode()), *(pkt(item.encode()) for item in capabilities)]
    return b"".join([*lines, DELIM, *(pkt(f"{item}\n".encode()) for item in arguments), FLUSH])


def test_protocol_2() -> None:
    asked = ("thin-pack", "ofs-delta", f"want {A}", "want-ref refs/heads/main", "deepen 1")
    more = ("filter blob:none", f"have {B}", "packfile-uris https", "done")
    found = read_fetch(
        v2(*asked, *more, capabilities=("agent=git/2", "object-format=sha1")), version=2
    )
    assert (found.command, found.version, found.algorithm) == ("fetch", 2, "sha1")
    assert found.wants == (A,)
    assert found.refs == ("refs/heads/main",)
    assert (found.depth, found.filter, found.done) == ("1", "blob:none", True)
    assert found.body == v2(
        "ofs-delta",
        f"want {A}",
        "want-ref refs/heads/main",
        "deepen 1",
        "filter blob:none",
        f"have {B}",
        "done",
        capabilities=("agent=git/2", "object-format=sha1"),
    )


def test_protocol_0() -> None:
    body = b"".join(
        [
            pkt(f"want {A} multi_ack_detailed thin-pack side-band-64k ofs-delta\n".encode()),
            pkt(f"want {B}\n".encode()),
            pkt(b"deepen 3"),
            FLUSH,
            pkt(f"have {B}\n".encode()),
            pkt(b"done\n"),
        ]
    )
    found = read_fetch(body, version=0)
    assert found.wants == (A, B)
    assert found.side_band
    assert found.depth == "3"
    assert b"thin-pack" not in found.body
    assert len(read_fetch(found.body, version=0).wants) == 2


def test_other_commands() -> None:
    for command in ("ls-refs", "object-info"):
        body = v2("peel", "symrefs", "ref-prefix refs/", command=command)
        found = read_fetch(body, version=2)
        assert (found.command, found.body) == (command, body)
    assert read_fetch(FLUSH, version=2).command == ""


@pytest.mark.parametrize(
    "body",
    [
        v2(command="bundle-uri"),
        v2("want-nothing"),
        v2("want " + "z" * 40),
        v2(f"want {A} {B}"),
        v2(f"want {A}") + v2(f"want {B}"),
        v2(f"want {A}")[:-4],
        v2(f"want {A}")[:-1],
        v2(f"want {A}", capabilities=("object-format=md5",)),
        pkt(b"command=fetch") + DELIM + DELIM + FLUSH,
        b"PACK",
        b"",
    ],
    ids=range(11),
)
def test_what_is_no_fetch(body: bytes) -> None:
    with pytest.raises(ClientError):
        read_fetch(body, version=2)


@pytest.mark.parametrize(
    "body",
    [
        pkt(b"have " + A.encode()),
        pkt(f"want {A} side-band\n".encode()) + FLUSH,
        pkt(f"want {A}\n".encode()) + DELIM,
        pkt(f"want {A}\n".encode()) + pkt(b"else\n"),
    ],
    ids=range(4),
)
def test_what_is_no_older_fetch(body: bytes) -> None:
    with pytest.raises(ClientError):
        read_fetch(body, version=0)


def test_cut_at_every_byte() -> None:
    body = v2(f"want {A}", "done")
    for end in range(len(body)):
        with pytest.raises(ClientError):
            read_fetch(body[:end], version=2)


@given(st.lists(st.binary(min_size=1, max_size=30).map(pkt), max_size=5), st.sampled_from([0, 2]))
def test_garbage_is_an_error_of_ours(lines: list[bytes], version: int) -> None:
    try:
        found = read_fetch(b"".join(lines), version=version)
    except ClientError:
        return
    assert b"thin-pack" not in found.body


def test_an_offer_of_protocol_2() -> None:
    body = b"".join(
        [
            pkt(b"# service=git-upload-pack\n"),
            FLUSH,
            *map(pkt, (b"version 2\n", b"agent=git/2\n", b"ls-refs=unborn\n", b"bundle-uri\n")),
            *map(pkt, (b"fetch=shallow packfile-uris filter sideband-all\n", b"new-thing\n")),
            FLUSH,
        ]
    )
    changed, refs = read_offer(body)
    assert refs == {}
    assert b"bundle-uri" not in changed
    assert b"new-thing" not in changed
    assert pkt(b"fetch=shallow filter\n") in changed
    assert changed.count(FLUSH) >= 2


def test_an_offer_of_refs() -> None:
    said = b" multi_ack thin-pack side-band side-band-64k agent=git/2 symref=HEAD:refs/heads/main"
    body = b"".join(
        [
            pkt(b"# service=git-upload-pack\n"),
            FLUSH,
            pkt(A.encode() + b" HEAD\0" + said + b"\n"),
            pkt(B.encode() + b" refs/heads/main\n"),
            FLUSH,
        ]
    )
    changed, refs = read_offer(body)
    assert refs == {"HEAD": A, "refs/heads/main": B}
    assert b"thin-pack" not in changed
    assert b"side-band " not in changed
    assert b"multi_ack side-band-64k agent=git/2" in changed
    for end in range(1, len(body)):
        if body[:end].endswith((FLUSH, b"\n")):
            continue
        with pytest.raises(ClientError):
            read_offer(body[:end])


def test_refs_that_are_listed() -> None:
    body = pkt(f"{A} refs/heads/main symref-target:x\n".encode()) + pkt(b"unborn HEAD\n") + FLUSH
    assert read_refs(body) == {"refs/heads/main": A}
    assert read_refs(b"garbage") == {}
