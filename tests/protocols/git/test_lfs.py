"""The batch API of Git LFS."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.errors import ClientError
from proctor.protocols.git.lfs import error, read_batch, read_links

OID, OTHER = "a" * 64, "b" * 64


def asked(operation: str = "download", **more: Any) -> bytes:
    said = {"operation": operation, "objects": [{"oid": OID, "size": 3}], **more}
    return json.dumps(said).encode()


def answered(**actions: Any) -> bytes:
    return json.dumps({"objects": [{"oid": OID, "size": 9, "actions": actions}]}).encode()


def test_a_batch() -> None:
    body = asked(transfers=["tus", "basic", "ssh"], ref={"name": "refs/heads/main"})
    found = read_batch(body)
    assert not found.upload
    assert found.objects == {OID: 3}
    assert found.ref == "refs/heads/main"
    assert json.loads(found.body)["transfers"] == ["basic"]
    assert read_batch(asked("upload")).upload


@pytest.mark.parametrize(
    "body",
    [
        asked("delete"),
        asked(transfers=["ssh"]),
        asked(hash_algo="sha512"),
        asked(objects=[]),
        asked(objects=[{"oid": "x", "size": 3}]),
        asked(objects=[{"oid": OID, "size": -1}]),
        asked(objects=[{"oid": OID, "size": True}]),
        asked(objects="x"),
        b"[]",
        b"{",
        b"[" * 100_000,
    ],
    ids=range(11),
)
def test_what_is_no_batch(body: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        read_batch(body)
    assert caught.value.code == "git-lfs-malformed"


def test_links() -> None:
    batch = read_batch(asked())
    link = {"href": "https://store/x", "header": {"a": "b"}}
    more = {"upload": {"href": "https://store/y"}}
    body, links = read_links(answered(download=link, **more), batch, lambda href: href + "?told")
    (item,) = json.loads(body)["objects"]
    assert item["actions"] == {"download": {"href": "https://store/x?told", "header": {"a": "b"}}}
    assert [(each.method, each.href, each.oid, each.size) for each in links] == [
        ("GET", "https://store/x", OID, 3)
    ]
    up = {"upload": {"href": "https://s/u"}, "verify": {"href": "https://s/v"}}
    _, links = read_links(answered(**up), read_batch(asked("upload")), lambda href: href)
    assert [(each.method, each.action) for each in links] == [("PUT", "upload"), ("POST", "verify")]


def test_an_object_that_lies_where_nothing_leads() -> None:
    body, links = read_links(
        answered(download={"href": "https://evil/x"}), read_batch(asked()), lambda _href: None
    )
    (item,) = json.loads(body)["objects"]
    assert "actions" not in item
    assert item["error"]["code"] == 403
    assert "no destination" in item["error"]["message"]
    assert links == []


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        json.dumps({"objects": [{"oid": OTHER, "size": 3}]}).encode(),
        json.dumps({"objects": [], "transfer": "tus"}).encode(),
        answered(download={"href": 3}),
        answered(download="x"),
        json.dumps({"objects": [{"oid": OID, "actions": "x"}]}).encode(),
        answered(download={"href": "https://x/" + "y" * 20_000}),
    ],
    ids=range(7),
)
def test_an_answer_that_is_none(body: bytes) -> None:
    with pytest.raises(ClientError):
        read_links(body, read_batch(asked()), lambda href: href)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda kids: (
            st.lists(kids)
            | st.dictionaries(
                st.sampled_from(["objects", "oid", "actions", "download", "href"]), kids
            )
        ),
    )
)
def test_any_json_is_an_answer_or_none(value: Any) -> None:
    with suppress(ClientError):  # and nothing else is raised
        read_links(json.dumps(value).encode(), read_batch(asked()), lambda href: href)


def test_an_error() -> None:
    assert json.loads(error('no "way"')) == {"message": 'no "way"'}
