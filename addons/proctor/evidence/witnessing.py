"""A witness as the gateway sees it: checkpoints go there with a proof, cosignatures come back.

C2SP tlog-witness, add-checkpoint, the client's side.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import certifi
import httpx

from proctor.errors import ClientError, InternalError, UpstreamError
from proctor.evidence import cosigned
from proctor.evidence.cosigned import Cosigned
from proctor.evidence.hot import all_leaves
from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.cosignature import CosignerKey, parse_lines, signers
from proctor.tlog.note import Note
from proctor.tlog.proof import Leaves, consistency_proof, grow
from proctor.tlog.prooffile import ConsistencyFile
from proctor.tlog.text import decimal_of
from proctor.tlog.tree import Frontier

MAX_ANSWER: Final = 64 * 1024
_TOTAL = 15.0
_STEP = 5.0
_OK = 200
_CONFLICT = 409
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    body: bytes = field(repr=False)


type Post = Callable[[str, bytes], Awaitable[Reply]]
"""Posts a body to a URL; raises UpstreamError, code `anchor-unreachable`, if nothing came back."""


class HttpPost:
    """Post over httpx: limits on size and time, no proxy and no redirects."""

    def __init__(self, ca: Path | None = None) -> None:
        """No connection is made yet.

        Args:
            ca: The only CA to be trusted; None for the usual ones.
        """
        self._ca = ca
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, url: str, body: bytes) -> Reply:
        """See Post."""
        try:
            async with asyncio.timeout(_TOTAL):
                return await self._ask(url, body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UpstreamError(
                "anchor-unreachable",
                "The witness does not answer",
                got=type(error).__name__,
                expected=f"an answer from {url}",
            ) from None

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, url: str, body: bytes) -> Reply:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=ssl.create_default_context(cafile=self._ca or certifi.where()),
                trust_env=False,
                follow_redirects=False,
                timeout=_STEP,
            )
        headers = {"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"}
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            found = bytearray()
            async for part in response.aiter_raw():
                found += part
                if len(found) > MAX_ANSWER:
                    raise _strange("an answer that is too large")
        return Reply(status=response.status_code, body=bytes(found))


class WitnessAnchor:
    """One witness, for one writer. `take` is not to be called again before it has ended."""

    def __init__(
        self,
        url: str,
        key: CosignerKey,
        *,
        writers: Path,
        post: Post,
        clock: Callable[[], datetime],
    ) -> None:
        """Nothing is read or sent yet.

        Args:
            url: Where, as in `audit.anchors`.
            key: The witness's.
            writers: The folder of all writers. The one whose checkpoint it is has its leaves
                there, and cosignatures are kept beside them.
            post: Sends.
            clock: The time, UTC.
        """
        self.name = url
        self._url = f"{url.rstrip('/')}/add-checkpoint"
        self._key = key
        self._writers = writers
        self._post = post
        self._clock = clock
        # The tree as the witness has it, as far as we know; None until we have looked.
        self._seen: Frontier | None = None

    async def take(self, note: Note, checkpoint: Checkpoint) -> None:
        """Get a cosignature and keep it.

        Args:
            note: A checkpoint of ours, signed.
            checkpoint: The same, read.

        Raises:
            UpstreamError: Codes `anchor-unreachable`, `anchor-refused`, `anchor-answer`.
            InternalError: Codes `anchor-ahead`, `anchor-forked` (both are alarms), `leaves-short`.
            OSError: The cosignature cannot be kept.
            ValueError: The ones before cannot be read.
        """
        folder = self._writers / checkpoint.origin.rpartition("/")[2]
        leaves = await asyncio.to_thread(all_leaves, folder, checkpoint.size)
        if self._seen is None:
            before = await asyncio.to_thread(
                cosigned.newest, folder, checkpoint.origin, self._key.name
            )
            size = 0 if before is None else min(before.size, checkpoint.size)
            self._seen = await asyncio.to_thread(_tree, leaves, size)
        reply, after = await self._send(note, checkpoint, leaves, self._seen)
        if reply.status == _CONFLICT:
            size = _size(reply.body)
            if size > checkpoint.size:
                raise InternalError(
                    "anchor-ahead",
                    "The witness has seen more of the record than there is",
                    got=f"{size} records at {self.name}",
                    expected=f"at most {checkpoint.size}",
                    hint="The record was put back to an older state, or its key signs elsewhere.",
                )
            self._seen = await asyncio.to_thread(_tree, leaves, size)
            reply, after = await self._send(note, checkpoint, leaves, self._seen)
        self._refuse(reply)
        await self._keep(folder, note, checkpoint, reply.body)
        self._seen = after

    async def _send(
        self, note: Note, checkpoint: Checkpoint, leaves: Leaves, seen: Frontier
    ) -> tuple[Reply, Frontier]:
        proof, after = await asyncio.to_thread(_prove, checkpoint, leaves, seen)
        request = ConsistencyFile(old=seen.size, proof=proof, note=note)
        return await self._post(self._url, str(request).encode()), after

    def _refuse(self, reply: Reply) -> None:
        if reply.status == _OK:
            return
        if reply.status == _UNPROCESSABLE:
            raise InternalError(
                "anchor-forked",
                "The witness has seen another history of the record",
                got=f"status {reply.status} from {self.name}",
                expected="that the record only grew since",
                hint="Compare its checkpoints, GET /checkpoints/ORIGIN?history, with the record's.",
            )
        hints = {
            403: "Tell the witness the key that is in force: `proctor witness log add`.",
            404: "Tell the witness this log: `proctor witness log add`.",
        }
        raise UpstreamError(
            "anchor-refused",
            "The witness did not sign the checkpoint",
            got=f"status {reply.status} from {self.name}",
            expected=f"status {_OK}",
            hint=hints.get(reply.status, ""),
        )

    async def _keep(self, folder: Path, note: Note, checkpoint: Checkpoint, body: bytes) -> None:
        try:
            answer = parse_lines(body.decode(), note.text)
            times = self._key.times(answer)
        except (UnicodeDecodeError, ClientError):
            raise _strange("lines that do not verify") from None
        if not times:
            raise _strange("no line by the key that is trusted")
        at = self._clock().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        found = Cosigned(
            checkpoint=cosigned.text_hash(note.text),
            origin=checkpoint.origin,
            size=checkpoint.size,
            at=at,
            line=signers(answer, [self._key])[0].line(),
        )
        await asyncio.to_thread(cosigned.keep, folder, found)


def _prove(
    checkpoint: Checkpoint, leaves: Leaves, seen: Frontier
) -> tuple[tuple[bytes, ...], Frontier]:
    """The proof from what the witness has seen, and the tree as it will have seen it then."""
    after = seen.copy()
    grow(after, leaves, checkpoint.size)
    if after.root() != checkpoint.root:
        raise InternalError(
            "anchor-forked",
            "The record's list of leaf hashes is not what the checkpoint says",
            got=f"another root at {checkpoint.size} records",
            expected="the root that was signed",
            hint="`proctor verify` says where.",
        )
    return consistency_proof(leaves, seen.size, checkpoint.size, known=seen), after


def _tree(leaves: Leaves, size: int) -> Frontier:
    tree = Frontier()
    grow(tree, leaves, size)
    return tree


def _size(body: bytes) -> int:
    """What stands in a 409: a size and a newline."""
    text = body.decode("ascii", "replace")
    found = decimal_of(text[:-1]) if text.endswith("\n") else None
    if found is None:
        raise _strange("status 409 without a size")
    return found


def _strange(got: str) -> UpstreamError:
    return UpstreamError(
        "anchor-answer",
        "What answers is not the witness that is trusted",
        got=got,
        expected="a cosignature by its key (C2SP tlog-witness)",
    )
