"""A log for tests: leaves, a key, checkpoints, and what a witness is sent."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proctor.tlog.checkpoint import Checkpoint
from proctor.tlog.note import Note, Signer, VerifierKey, signed
from proctor.tlog.proof import consistency_proof, inclusion_proof
from proctor.tlog.prooffile import ConsistencyFile, InclusionFile
from proctor.tlog.tree import leaf_hash, root_of

ORIGIN = f"proctor/{'4f' * 16}/w0"


@dataclass
class Log:
    """A log that grows, or forks."""

    origin: str = ORIGIN
    seed: int = 1
    data: list[bytes] = field(default_factory=list)

    @property
    def signer(self) -> Signer:
        return Signer(self.origin, Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32))

    @property
    def key(self) -> VerifierKey:
        return self.signer.public

    @property
    def array(self) -> bytes:
        return b"".join(map(leaf_hash, self.data))

    def leaves(self, start: int, end: int) -> bytes:
        return self.array[start * 32 : end * 32]

    def add(self, count: int, word: str = "record") -> "Log":
        self.data += [f"{word} {len(self.data) + n}".encode() for n in range(count)]
        return self

    def note(self, size: int | None = None, *lines: str) -> Note:
        size = len(self.data) if size is None else size
        text = Checkpoint(self.origin, size, root_of(self.leaves(0, size)), lines)
        return signed(str(text), [self.signer])

    def request(self, old: int, size: int | None = None, *lines: str) -> ConsistencyFile:
        size = len(self.data) if size is None else size
        proof = consistency_proof(self.leaves, old, size)
        return ConsistencyFile(old=old, proof=proof, note=self.note(size, *lines))

    def proof(self, index: int) -> InclusionFile:
        return InclusionFile(
            index=index,
            proof=inclusion_proof(self.leaves, index, len(self.data)),
            note=self.note(),
            extra=self.data[index],
        )
