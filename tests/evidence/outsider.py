"""A verifier that shares nothing with proctor: written from docs/evidence-format.md alone.

outsider.py RECORD KEY      KEY: a public key of the trail, base64 of its 32 bytes
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SLACK = timedelta(seconds=10)
DASH = "\u2014 "


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if not leaves:
        return sha256(b"")
    level = leaves
    while len(level) > 1:
        # A node without a sibling goes up as it is: the same tree as by powers of two.
        pairs = [sha256(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]


def signed(note: str, name: str, public: bytes) -> bool:
    """Whether a C2SP signed note carries a signature of this key under this name."""
    text, _, below = note.rpartition("\n\n")
    key_id = sha256(name.encode() + b"\n\x01" + public)[:4]
    for line in below.splitlines():
        if not line.startswith(DASH):
            return False
        signer, _, encoded = line[len(DASH) :].partition(" ")
        blob = base64.b64decode(encoded, validate=True)
        if signer == name and blob[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], f"{text}\n".encode())
            except InvalidSignature:
                return False
            return True
    return False


@dataclass
class Checkpoint:
    origin: str
    size: int
    root: bytes
    time: datetime
    due: datetime | None
    after: bytes
    lines: int
    head: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        origin, size, tree, time, due, after, ledger = text.splitlines()
        names = [line.partition(" ")[0] for line in (time, due, after, ledger)]
        if names != ["time", "due", "after", "ledger"]:
            raise ValueError("not the lines of a checkpoint")
        lines, head = ledger.split(" ")[1:]
        until = due.split(" ")[1]
        return cls(
            origin=origin,
            size=int(size),
            root=base64.b64decode(tree, validate=True),
            time=datetime.fromisoformat(time.split(" ")[1]),
            due=None if until == "never" else datetime.fromisoformat(until),
            after=base64.b64decode(after.split(" ")[1], validate=True),
            lines=int(lines),
            head=base64.b64decode(head, validate=True),
        )


@dataclass
class Verifier:
    path: Path
    problems: list[str] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    def verify(self, key: bytes, now: datetime | None = None) -> list[str]:
        self.id = json.loads((self.path / "store.json").read_bytes())["id"]
        copied = self.optional("bundle.json") or self.optional("backup.json") or {}
        self.bundle = copied if "bundle" in copied else None
        self.now = now or datetime.now(UTC)
        self.trail()
        if key not in self.keys:
            return [*self.problems, "the key is not one of the trail's"]
        if (self.path / "copy.note").exists():
            self.copy("bundle.json" if self.bundle else "backup.json")
        else:
            self.check(self.bundle is None, "what the bundle says is not signed")
        self.blocks: dict[tuple[str, int], bytes] = {}
        self.salts: dict[str, bytes] = {}
        self.raws: list[bytes] = []
        named: set[str] = set()
        for folder in sorted((self.path / "writers").iterdir()):
            named |= self.writer(folder)
        there = {f.relative_to(self.path).as_posix() for f in self.path.glob("*/w*.parquet")}
        if self.bundle is None:
            self.check(there == named, f"files and ledger differ: {sorted(there ^ named)}")
        self.contents()
        return self.problems

    def check(self, right: object, problem: str) -> None:
        if not right:
            self.problems.append(problem)

    def optional(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        return json.loads(path.read_bytes()) if path.exists() else None

    def trail(self) -> None:
        name = f"proctor/{self.id}/keys"
        after = bytes(32)
        for number, path in enumerate(sorted((self.path / "keys").glob("*.note")), 1):
            note = path.read_text()
            text = note.rpartition("\n\n")[0] + "\n"
            origin, said, encoded, _, before = text.splitlines()
            public = base64.b64decode(encoded, validate=True)
            self.check(path.name == f"{number:06d}.note", f"{path.name} is out of order")
            self.check((origin, said) == (name, str(number)), f"key {number} is of another record")
            self.check(
                before == f"after {base64.b64encode(after).decode()}", f"key {number} follows not"
            )
            for signer in (public, *self.keys[-1:]):
                self.check(signed(note, name, signer), f"key {number} is not signed")
            self.keys.append(public)
            after = sha256(text.encode())

    def copy(self, file: str) -> None:
        name = f"proctor/{self.id}/copy"
        note = (self.path / "copy.note").read_text()
        text = note.rpartition("\n\n")[0] + "\n"
        origin, time, of, *writers = text.splitlines()
        self.check(origin == name, "the copy is another record's")
        self.check(any(signed(note, name, key) for key in self.keys), "the copy is not signed")
        digest = base64.b64encode(sha256((self.path / file).read_bytes())).decode()
        self.check(of == f"of {digest}", f"{file} is not what was signed")
        newest = []
        for folder in sorted((self.path / "writers").iterdir()):
            last = [json.loads(each) for each in lines_of(folder / "checkpoints.jsonl")][-1:]
            head = sha256((last[0].rpartition("\n\n")[0] + "\n").encode()) if last else bytes(32)
            ledger = folder / "ledger.jsonl"
            files = [ledger.read_bytes() if ledger.exists() else b""]
            files += [path.read_bytes() for path in sorted(folder.glob("[0-9]*.jsonl"))]
            held = sha256(b"".join(map(sha256, files)))
            both = " ".join(base64.b64encode(each).decode() for each in (head, held))
            newest.append(f"{folder.name} {both}")
        self.check(writers == newest, "the copy has come further, or less far")
        self.now = datetime.fromisoformat(time.split(" ")[1])

    def writer(self, folder: Path) -> set[str]:
        name = folder.name
        checkpoints = self.checkpoints(folder)
        if not checkpoints:
            return set()
        files, heads = self.ledger(folder)
        for each in checkpoints:
            self.check(
                each.lines < len(heads) and heads[each.lines] == each.head,
                f"{name}: the ledger is not the one that was signed over {each.size}",
            )
        records = self.records(folder, set(files))
        leaves = self.leaves(folder, records, checkpoints[-1].size)
        for each in checkpoints:
            right = each.size <= len(leaves) and root(leaves[: each.size]) == each.root
            self.check(right, f"{name}: the root over {each.size} is not the one that was signed")
        last = checkpoints[-1]
        self.check(last.due is None or self.now <= last.due + SLACK, f"{name}: ended unannounced")
        self.raws += records.values()
        return set(files)

    def checkpoints(self, folder: Path) -> list[Checkpoint]:
        origin = f"proctor/{self.id}/{folder.name}"
        found: list[Checkpoint] = []
        after = bytes(32)
        for line in lines_of(folder / "checkpoints.jsonl"):
            note = json.loads(line)
            text = note.rpartition("\n\n")[0] + "\n"
            each = Checkpoint.parse(text)
            where = f"{folder.name}: the checkpoint over {each.size}"
            self.check(each.origin == origin, f"{where} is another's")
            self.check(each.after == after, f"{where} does not follow the one before")
            self.check(any(signed(note, origin, key) for key in self.keys), f"{where} is unsigned")
            if found:
                self.check(each.size >= found[-1].size, f"{where} goes back")
            found.append(each)
            after = sha256(text.encode())
        return found

    def ledger(self, folder: Path) -> tuple[dict[str, str], list[bytes]]:
        files: dict[str, str] = {}
        heads = [bytes(32)]
        for number, line in enumerate(lines_of(folder / "ledger.jsonl")):
            said = json.loads(line)
            self.check(said["i"] == number, f"{folder.name}: the ledger's line {number} is another")
            heads.append(sha256(heads[-1] + line))
            if said["op"] == "made":
                files[said["file"]] = said["sha256"]
            elif said["op"] == "gone":
                files.pop(said["file"], None)
        for file, digest in files.items() if self.bundle is None else ():
            path = self.path / file
            right = path.exists() and sha256(path.read_bytes()).hex() == digest
            self.check(right, f"{file} is not what the ledger says")
        return files, heads

    def records(self, folder: Path, files: set[str]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}

        def take(seq: int, raw: bytes) -> None:
            self.check(found.setdefault(seq, raw) == raw, f"{folder.name} {seq} is there twice")

        for path in folder.glob("[0-9]*.jsonl"):
            for line in lines_of(path):
                if line.startswith(b'{"v":1,'):
                    take(json.loads(line)["seq"], line)
                else:
                    self.block(json.loads(line))
        for path in sorted(self.path.glob(f"segments/{folder.name}-*.parquet")):
            for row in pq.read_table(path).to_pylist():
                said = json.loads(row["raw"])
                take(said["seq"], row["raw"].encode())
                for column in ("writer", "seq", "kind", "principal", "verdict", "session_id"):
                    self.check(row[column] == said.get(column), f"{path.name}: {column} differs")
        for path in sorted(self.path.glob(f"content/{folder.name}-*.parquet")):
            for row in pq.read_table(path).to_pylist():
                self.block(row)
        return found

    def leaves(self, folder: Path, records: dict[int, bytes], size: int) -> list[bytes]:
        name = folder.name
        made = {seq: sha256(b"\x00" + raw) for seq, raw in records.items()}
        for seq, raw in sorted(records.items()):
            said = json.loads(raw)
            self.check((said["writer"], said["seq"]) == (name, seq), f"{name} {seq} is another's")
            if seq - 1 in made:
                self.check(said["prev"] == made[seq - 1].hex(), f"{name} {seq}: prev is wrong")
        if self.bundle is None:
            self.check(sorted(made) == list(range(len(made))), f"{name}: a record is missing")
            return [made.get(seq, b"") for seq in range(max(made, default=-1) + 1)]
        said = self.bundle["records"][name]
        kept = [seq for first, last in said["kept"] for seq in range(first, last + 1)]
        self.check(said["size"] == size, f"{name}: another size than its newest checkpoint's")
        self.check(sorted(made) == kept, f"{name}: not the records that bundle.json says")
        array = (folder / "leaves").read_bytes()
        return [made.get(seq) or array[seq * 32 : seq * 32 + 32] for seq in range(size)]

    def block(self, row: dict[str, Any]) -> None:
        if row.get("salt"):
            self.salts[row["scope"]] = bytes.fromhex(row["salt"])
            return
        text = row["text"]
        data = base64.b64decode(text, validate=True) if row.get("b64") else text.encode()
        self.blocks[row["scope"], row["no"]] = data

    def contents(self) -> None:
        for raw in self.raws:
            for each in references(json.loads(raw)):
                salt = self.salts.get(each["scope"])
                numbers = [(each["scope"], number) for number in ranges(each["blocks"])]
                if salt is None or any(number not in self.blocks for number in numbers):
                    self.problems.append(f"content of {each['scope']} is missing")
                    continue
                data = b"".join(self.blocks[number] for number in numbers)
                digest = hashlib.blake2b(data, key=salt, digest_size=32).hexdigest()
                right = (digest, len(data)) == (each["hash"], each["size"])
                self.check(right, f"content of {each['scope']} was changed")


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if {"scope", "hash", "size", "enc", "blocks"} <= value.keys():
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def ranges(text: str) -> Iterator[int]:
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def proved(proof: str, origin: str, key: bytes) -> bytes | None:
    """The record that a proof file proves, or None (C2SP tlog-proof; RFC 9162, 2.1.3.2)."""
    head, _, note = proof.partition("\n\n")
    header, extra, index, *hashes = head.split("\n")
    if header != "c2sp.org/tlog-proof@v1" or not signed(note, origin, key):
        return None
    said = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
    raw = base64.b64decode(extra.removeprefix("extra "), validate=True)
    number, last = int(index.removeprefix("index ")), said.size - 1
    node: Callable[[bytes, bytes], bytes] = lambda left, right: sha256(b"\x01" + left + right)  # noqa: E731 - short
    found = sha256(b"\x00" + raw)
    if said.origin != origin or not 0 <= number <= last:
        return None
    for sibling in (base64.b64decode(each, validate=True) for each in hashes):
        if last == 0:
            return None
        if number & 1 or number == last:
            found = node(sibling, found)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found = node(found, sibling)
        number, last = number >> 1, last >> 1
    return raw if last == 0 and found == said.root else None


if __name__ == "__main__":
    wrong = Verifier(Path(sys.argv[1])).verify(base64.b64decode(sys.argv[2]))
    sys.stdout.write("".join(f"{re.sub(r'[^ -~]', '?', line)}\n" for line in wrong))
    sys.exit(bool(wrong))
