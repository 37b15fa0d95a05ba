"""Content: every block against its name, every reference against the blocks it lists.

A block's name and a reference's hash are BLAKE2b, keyed with the salt of the scope. References
stand in records, so what they say is signed; a name only helps to find which block was changed.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import Hot, object_of
from proctor.evidence.verify.reader import REFERENCE
from proctor.evidence.verify.snapshot import File

_COLUMNS: Final = ["n", "scope", "no", "hash", "text", "b64", "salt", "principal", "session_id"]
# Scopes are looked at together up to so many rows, of 64 KiB at most.
_ROWS: Final = 8_000
_MAX_BLOCKS: Final = 10**7


@dataclass(slots=True)
class _Scope:
    salt: bytes | None = None
    principal: str | None = None
    blocks: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Contents:
    """What was found.

    Attributes:
        blocks: That were checked.
        references: That were checked.
        gone: References whose content is gone, as the record says.
    """

    blocks: int = 0
    references: int = 0
    gone: int = 0


@dataclass(slots=True, kw_only=True)
class Excuses:
    """Which content may be missing.

    Attributes:
        gone: Says of a scope whether something of it may: it was erased, or is old enough.
        ranges: Numbers of lines that went.
        any: Anything may.
    """

    gone: Callable[[str], bool]
    ranges: list[tuple[int, int]] = field(default_factory=list)
    any: bool = False


class ContentCheck:
    """One writer's content.

    Args:
        root: The record's folder.
        writer: Whose.
        files: Its files of content.
        hot: Its journals.
        excuses: What may be missing.
        findings: Takes what is wrong.
    """

    def __init__(  # noqa: PLR0913 - what it takes, by name
        self,
        root: Path,
        writer: str,
        *,
        files: Sequence[File],
        hot: Hot,
        excuses: Excuses,
        findings: Findings,
    ) -> None:
        self._root = root
        self._writer = writer
        self._files = files
        self._hot = hot
        self._excuses = excuses
        self._findings = findings
        self._done = Contents()

    def sequence(self) -> None:
        """No line between the first and the last is missing."""
        there = sorted(
            [(file.first, file.last) for file in self._files]
            + [(number, number) for number in self._hot.blocks]
            + self._excuses.ranges
        )
        end = 0
        for first, last in there:
            if first > end and not self._excuses.any:
                self._problem(
                    "content-missing",
                    "Content is missing between what is there",
                    found=f"nothing from {end} to {first - 1}",
                )
            end = max(end, last + 1)

    def outside(self, believed: set[str]) -> tuple[set[str], int | None]:
        """What is not in files whose bytes are as they were signed.

        Args:
            believed: Those files.

        Returns:
            The scopes, and the least number of a line that none of the files holds, if there is
            one.
        """
        runs = [(file.first, file.last) for file in self._files if file.name in believed]
        scopes = {str(block.get("scope")) for block in self._hot.blocks.values()}
        numbers: list[object] = [*self._hot.blocks]
        for file in self._files:
            if file.name not in believed:
                for columns in self._columns(file, ["n", "scope"], None):
                    scopes.update(map(str, columns["scope"]))
                    numbers += columns["n"]
        return scopes, _lowest(numbers, runs)

    def check(
        self,
        references: Mapping[bytes, int],
        tick: Callable[[int], None],
        only: set[str] | None = None,
    ) -> Contents:
        """Checks blocks and references.

        Args:
            references: As they stand in records, with the first record of each.
            tick: Told the blocks that were checked.
            only: Scopes that are looked at; None for all.
        """
        wanted: dict[str, list[tuple[bytes, int]]] = {}
        for reference, number in references.items():
            named = scope_of(reference)
            if named is not None:
                wanted.setdefault(named, []).append((reference, number))
        for batch in self._batches(only) if only is None or only else ():
            for name, scope in self._load(batch).items():
                tick(len(scope.blocks))
                self._refer(name, scope, wanted.pop(name, []))
        for name, rest in wanted.items():
            if only is None or name in only:
                self._refer(name, _Scope(), rest)
        return self._done

    def _batches(self, only: set[str] | None) -> Iterator[dict[str, tuple[int, int]]]:
        """Scopes by name, with the first and last number of their lines."""
        spans: dict[str, list[int]] = {}
        for number, name in self._names():
            if only is None or name in only:
                span = spans.setdefault(name, [number, number, 0])
                span[0], span[1] = min(span[0], number), max(span[1], number)
                span[2] += 1
        batch: dict[str, tuple[int, int]] = {}
        rows = 0
        for name, (first, last, count) in sorted(spans.items(), key=lambda item: item[1][0]):
            if batch and rows + count > _ROWS:
                yield batch
                batch, rows = {}, 0
            batch[name] = (first, last)
            rows += count
        if batch:
            yield batch

    def _names(self) -> Iterator[tuple[int, str]]:
        for file in self._files:
            for columns in self._columns(file, ["n", "scope"], None):
                yield from zip(columns["n"], columns["scope"], strict=True)
        for number, block in self._hot.blocks.items():
            yield number, str(block.get("scope"))

    def _columns(
        self, file: File, names: list[str], scopes: Iterable[str] | None
    ) -> Iterator[dict[str, list[Any]]]:
        from pyarrow import parquet  # noqa: PLC0415 - ships no types; slow

        try:
            table = parquet.read_table(
                self._root / file.name,
                columns=names,
                filters=None if scopes is None else [("scope", "in", list(scopes))],
                partitioning=None,
            )
            yield table.to_pydict()
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a broken file makes Arrow raise; it is said
            self._problem(
                "file-unreadable",
                "A file cannot be read",
                file=file.name,
                found=type(error).__name__,
            )

    def _load(  # noqa: C901 - files, journals, salts, blocks
        self, batch: dict[str, tuple[int, int]]
    ) -> dict[str, _Scope]:
        """Reads these scopes and checks each block against its name."""
        first = min(span[0] for span in batch.values())
        last = max(span[1] for span in batch.values())
        rows: dict[int, tuple[Any, ...]] = {}
        for file in self._files:
            if file.last < first or file.first > last:
                continue
            for columns in self._columns(file, _COLUMNS, batch):
                for row in zip(*(columns[name] for name in _COLUMNS), strict=True):
                    self._row(rows, row, file.name)
        for block in self._hot.blocks.values():
            if block.get("scope") in batch:
                row = tuple(block.get(name) for name in _COLUMNS)
                self._row(rows, (*row[:5], block.get("b64") is not None, *row[6:]), "journal")
        scopes = {name: _Scope() for name in batch}
        for row in rows.values():
            scope = scopes[row[1]]
            if row[6] is not None:
                scope.salt, scope.principal = _salt(row[6]), row[7]
        for row in rows.values():
            if row[6] is None:
                self._block(scopes[row[1]], row)
        return scopes

    def _row(self, rows: dict[int, tuple[Any, ...]], row: tuple[Any, ...], file: str) -> None:
        if rows.setdefault(row[0], row) != row:
            self._problem(
                "copies-differ",
                "Content is in two places, and they do not agree",
                file=file,
                at=f"content {row[0]}",
            )

    def _block(self, scope: _Scope, row: tuple[Any, ...]) -> None:
        number, name, no, digest, text, coded, *_ = row
        self._done.blocks += 1
        try:
            data = b64decode(text, validate=True) if coded else text.encode()
        except (Base64Error, ValueError, AttributeError, TypeError):
            data = None
        right = (
            data is not None
            and scope.salt is not None
            and isinstance(no, int)
            and blake2b(data, key=scope.salt, digest_size=16).hexdigest() == digest
        )
        if right and data is not None and no not in scope.blocks:
            scope.blocks[no] = data
        elif scope.salt is not None or not self._may_miss(name):
            file, byte = self._place(number)
            self._problem(
                "content-changed",
                "A block of content is not what its name says, or its scope has no beginning",
                at=f"{byte}content {number}, block {no} of {name}",
                file=file,
            )

    def _refer(self, name: str, scope: _Scope, references: list[tuple[bytes, int]]) -> None:
        """Checks a scope's references; what they begin with in common is hashed once."""
        parsed = []
        for reference, number in references:
            match = REFERENCE.fullmatch(reference)
            if match:
                parsed.append((_numbers(match[4].decode()), match, number))
        states: list[blake2b] = []
        before: list[int] = []
        for numbers, match, number in sorted(parsed, key=lambda item: item[0] or []):
            self._done.references += 1
            missing = numbers is None or any(each not in scope.blocks for each in numbers)
            if scope.salt is None or missing or numbers is None:
                self._miss(name, number, broken=numbers is None)
                continue
            common = _common(before, numbers)
            states = states[: common + 1] or [blake2b(key=scope.salt, digest_size=32)]
            for each in numbers[common:]:
                state = states[-1].copy()
                state.update(scope.blocks[each])
                states.append(state)
            before = numbers
            size = sum(len(scope.blocks[each]) for each in numbers)
            if states[-1].hexdigest() != match[2].decode() or size != int(match[3]):
                self._problem(
                    "content-changed",
                    "Content is not what the record that refers to it says",
                    seq=number,
                    found=f"other bytes in scope {name}",
                )
        self._own(name, scope, references)

    def _own(self, name: str, scope: _Scope, references: list[tuple[bytes, int]]) -> None:
        """Whose a scope says it is, for those whose beginning no checkpoint covers yet."""
        if scope.principal is None:
            return
        for _, number in references[:1]:
            raw = self._hot.raws.get(number)
            whose = object_of(raw).get("principal") if raw else scope.principal
            if whose != scope.principal:
                self._problem(
                    "content-foreign",
                    "The beginning of a scope names somebody else than its records",
                    seq=number,
                    found=f"another principal in scope {name}",
                )

    def _miss(self, name: str, number: int, *, broken: bool) -> None:
        if self._may_miss(name) and not broken:
            self._done.gone += 1
            return
        self._problem(
            "content-missing",
            "Content that a record refers to is not there, and nothing says that it was erased",
            seq=number,
            found=f"no salt, or not all blocks, of scope {name}",
        )

    def _may_miss(self, name: str) -> bool:
        return self._excuses.any or self._excuses.gone(name)

    def _place(self, number: int) -> tuple[str, str]:
        """The file that holds this content, and the byte, where it is a journal."""
        if number in self._hot.content_where:
            file, offset = self._hot.content_where[number]
            return file, f"byte {offset}, "
        named = (file.name for file in self._files if file.first <= number <= file.last)
        return next(named, "content"), ""

    def _problem(self, code: str, what: str, **where: str | int | None) -> None:
        self._findings.problem(code, what, **{"writer": self._writer, **where})


def scope_of(reference: bytes) -> str | None:
    """The scope that a reference names."""
    match = REFERENCE.fullmatch(reference)
    return match[1].decode("utf-8", "replace") if match else None


def _lowest(numbers: Iterable[object], runs: Sequence[tuple[int, int]]) -> int | None:
    """The least of these that is in none of the runs; -1 for what is no number."""
    at = 0
    runs = sorted(runs)
    for number in sorted(each if isinstance(each, int) else -1 for each in numbers):
        while at < len(runs) and runs[at][1] < number:
            at += 1
        if at == len(runs) or number < runs[at][0]:
            return number
    return None


def _salt(text: object) -> bytes | None:
    try:
        return bytes.fromhex(str(text)) or None
    except ValueError:
        return None


def _numbers(text: str) -> list[int] | None:
    """Block numbers of `0-2,60`; None where that is none."""
    found: list[int] = []
    for run in text.split(",") if text else ():
        first, _, last = run.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return None
        end = int(last or first)
        if not int(first) <= end < int(first) + _MAX_BLOCKS:
            return None
        found += range(int(first), end + 1)
    return found


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
