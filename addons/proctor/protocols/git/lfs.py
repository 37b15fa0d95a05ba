"""The API of Git LFS: what a client asks for by the batch API, and where it is sent for it.

docs/api/batch.md and basic-transfers.md of git-lfs. Of the ways to transfer, `basic` alone is one
that can be looked at: an object in one GET or PUT, named by its SHA-256.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from proctor.errors import ClientError

TYPE: Final = "application/vnd.git-lfs+json"
MAX_BODY: Final = 8 * 2**20
MAX_OBJECTS: Final = 10_000
MAX_LINK: Final = 16_384

_OID: Final = re.compile(r"[0-9a-f]{64}")
_DOWNLOAD: Final = ("download",)
_UPLOAD: Final = ("upload", "verify")
_METHODS: Final = {"download": "GET", "upload": "PUT", "verify": "POST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is asked for.

    Attributes:
        upload: Whether it is to be uploaded, else downloaded.
        objects: SHA-256 in hex → bytes.
        ref: Full name of the ref that it is for; "" where none is told.
        body: The request as it goes on.
    """

    upload: bool
    objects: Mapping[str, int]
    ref: str = ""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where an object is.

    Attributes:
        method: `GET`, `PUT` or `POST`.
        action: `download`, `upload` or `verify`.
        href: The address.
        oid: Of the object.
        size: Its bytes.
    """

    method: str
    action: str
    href: str = field(repr=False)
    oid: str
    size: int


def read_batch(body: bytes) -> Batch:
    """The body of `POST …/info/lfs/objects/batch`.

    Raises:
        ClientError: `git-lfs-malformed`.
    """
    said = _object(body)
    operation = said.get("operation")
    transfers = said.get("transfers", ["basic"])
    if operation not in {"upload", "download"}:
        raise malformed("an operation that is not known")
    if not isinstance(transfers, list) or "basic" not in transfers:
        raise malformed("no transfer that can be looked at", expected="basic among `transfers`")
    if said.get("hash_algo", "sha256") != "sha256":
        raise malformed("another hash than sha256")
    objects = dict(_objects(said))
    ref = said.get("ref")
    name = ref.get("name") if isinstance(ref, dict) else ""
    said["transfers"] = ["basic"]
    return Batch(
        upload=operation == "upload",
        objects=objects,
        ref=name[:1000] if isinstance(name, str) else "",
        body=json.dumps(said).encode(),
    )


def read_links(
    body: bytes, batch: Batch, leads: Callable[[str], str | None]
) -> tuple[bytes, list[Link]]:
    """The answer to it, with what the client may follow.

    Args:
        body: As the server sent it.
        batch: What was asked for.
        leads: An address → the one that the client is told, or None where it must not go there.

    Returns:
        The answer for the client, and where the server says that its objects are.

    Raises:
        ClientError: `git-lfs-malformed`.
    """
    said = _object(body)
    if said.get("transfer", "basic") != "basic":
        raise malformed("another transfer than the one that was asked for")
    links: list[Link] = []
    items = said.get("objects")
    if not isinstance(items, list) or len(items) > MAX_OBJECTS:
        raise malformed("no list of objects")
    out: list[Any] = []
    for item in items:
        if not isinstance(item, dict) or item.get("oid") not in batch.objects:
            raise malformed("an object that nobody asked for")
        out.append(_linked(item, batch, leads, links))
    return json.dumps({**said, "transfer": "basic", "objects": out}).encode(), links


def _linked(
    item: dict[str, Any], batch: Batch, leads: Callable[[str], str | None], links: list[Link]
) -> dict[str, Any]:
    """One object of an answer as the client gets it."""
    oid, actions = item["oid"], item.get("actions") or {}
    if not isinstance(actions, dict):
        raise malformed("actions that are none")
    kept: dict[str, Any] = {}
    for name in _UPLOAD if batch.upload else _DOWNLOAD:
        action = actions.get(name)
        if action is None:
            continue
        href = action.get("href") if isinstance(action, dict) else None
        if not isinstance(href, str) or len(href) > MAX_LINK:
            raise malformed("an action without an address")
        shown = leads(href)
        if shown is None:
            where = "proctor: the object is at a host that is no destination in proctor.yaml"
            error = {"code": 403, "message": where}
            return {"oid": oid, "size": batch.objects[oid], "error": error}
        links.append(
            Link(method=_METHODS[name], action=name, href=href, oid=oid, size=batch.objects[oid])
        )
        kept[name] = {**action, "href": shown}
    return {**item, "actions": kept} if kept else {k: v for k, v in item.items() if k != "actions"}


def error(message: str) -> bytes:
    """How a client is told (docs/api/batch.md, Response Errors)."""
    return json.dumps({"message": message}).encode()


def _objects(said: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    items = said.get("objects")
    if not isinstance(items, list) or not 0 < len(items) <= MAX_OBJECTS:
        raise malformed("no objects, or too many", expected=f"1 to {MAX_OBJECTS}")
    for item in items:
        oid, size = (item.get("oid"), item.get("size")) if isinstance(item, dict) else ("", 0)
        if not isinstance(oid, str) or not _OID.fullmatch(oid):
            raise malformed("an object whose name is no SHA-256")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise malformed("an object whose size is none")
        yield oid, size


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise malformed(f"{len(body)} bytes")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed("what is no JSON") from None
    if not isinstance(said, dict):
        raise malformed("what is no object")
    return said


def malformed(got: str, expected: str = "") -> ClientError:
    """What is said of what is not LFS's API."""
    return ClientError(
        "git-lfs-malformed",
        "This is not the API of Git LFS as its documentation has it",
        got=got,
        expected=expected,
    )
