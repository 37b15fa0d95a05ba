"""Content against the records that refer to it."""

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from proctor.evidence.verify import contents
from proctor.evidence.verify.contents import ContentCheck, Contents, Excuses
from proctor.evidence.verify.findings import Findings
from proctor.evidence.verify.hot import Hot
from proctor.evidence.verify.snapshot import File

SALT = bytes(range(32))
SCOPE = "w0.0123"


def block(number: int, text: str, **more: Any) -> dict[str, Any]:
    digest = blake2b(text.encode(), key=SALT, digest_size=16).hexdigest()
    return {"n": number, "scope": SCOPE, "no": number - 1, "hash": digest, "text": text} | more


def reference(text: str, blocks: str, **more: Any) -> bytes:
    """As it stands in a record."""
    digest = blake2b(text.encode(), key=SALT, digest_size=32).hexdigest()
    said = {"scope": SCOPE, "hash": digest, "size": len(text), "enc": "utf8", "blocks": blocks}
    return json.dumps(said | more, separators=(",", ":")).encode()


BEGIN = {"n": 0, "scope": SCOPE, "salt": SALT.hex(), "principal": "i#alice", "session_id": "s"}
LINES = [BEGIN, block(1, "one "), block(2, "two "), block(3, "three")]
REFERENCES = {reference("one two three", "0-2"): 4, reference("one three", "0,2"): 5}


def check(
    lines: list[dict[str, Any]], references: dict[bytes, int], excuses: Excuses | None = None
) -> tuple[Contents, Findings]:
    findings = Findings()
    part = ContentCheck(
        Path("record"),
        "w0",
        files=[],
        hot=Hot(blocks={line["n"]: line for line in lines}),
        excuses=excuses or Excuses(gone=lambda _: False),
        findings=findings,
    )
    part.sequence()
    return part.check(references, lambda _: None), findings


def test_what_is_whole() -> None:
    done, findings = check(LINES, REFERENCES)
    assert not findings.counts
    assert (done.blocks, done.references, done.gone) == (3, 2, 0)


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (1, {"text": "ones"}),
        (1, {"text": None}),
        (1, {"text": "!", "b64": 1}),
        (1, {"hash": "ff" * 16}),
        (1, {"no": None}),
        (1, {"no": 1}),
        (0, {"salt": "00" * 32}),
        (0, {"salt": ""}),
        (0, {"salt": "zz"}),
    ],
)
def test_a_line_that_was_changed(line: int, change: dict[str, Any]) -> None:
    lines = [*LINES]
    lines[line] = lines[line] | change
    found = check(lines, REFERENCES)[1]
    assert found.codes() & {"content-changed", "content-missing"}
    assert {4, 5} & {each.seq for each in found.listed}


def test_a_line_that_is_missing_is_named_by_who_misses_it() -> None:
    found = check([LINES[0], LINES[1], LINES[3]], REFERENCES)[1]
    assert found.codes() == {"content-missing"}
    assert [each.seq for each in found.listed] == [None, 4]


@pytest.mark.parametrize(
    "more", [{"blocks": "0-1"}, {"blocks": "2,0"}, {"blocks": "9-1"}, {"blocks": "0-99999999999"},
             {"blocks": "-"}, {"size": 12}],
)  # fmt: skip
def test_a_reference_that_says_something_else(more: dict[str, Any]) -> None:
    found = check(LINES, {reference("one two three", **({"blocks": "0-2"} | more)): 4})[1]
    assert found.problems
    assert {each.seq for each in found.listed} == {4}


def test_what_may_be_gone() -> None:
    done, findings = check([], REFERENCES, Excuses(gone=lambda scope: scope == SCOPE))
    assert (done.gone, findings.problems) == (2, 0)
    other: Callable[[str], bool] = lambda scope: scope != SCOPE  # noqa: E731 - short
    assert check([], REFERENCES, Excuses(gone=other))[1].codes() == {"content-missing"}


def test_a_changed_block_of_a_journal_is_named_by_file_and_byte() -> None:
    findings = Findings()
    lines = [*LINES[:2], LINES[2] | {"text": "twx"}, LINES[3]]
    part = ContentCheck(
        Path("record"),
        "w0",
        files=[],
        hot=Hot(
            blocks={line["n"]: line for line in lines},
            content_where={2: ("writers/w0/3.jsonl", 99)},
        ),
        excuses=Excuses(gone=lambda _: False),
        findings=findings,
    )
    part.check(REFERENCES, lambda _: None)
    (found,) = [each for each in findings.listed if each.code == "content-changed"]
    assert (found.file, found.at) == (
        "writers/w0/3.jsonl",
        f"byte 99, content 2, block 1 of {SCOPE}",
    )


def test_numbers_of_blocks() -> None:
    assert contents._numbers("0-2,60") == [0, 1, 2, 60]
    for text in ("a", "1-", "-1", "2-1", "1,,2", "\u0661", "0-" + "9" * 30):
        found = contents._numbers(text)
        assert found is None or all(number >= 0 for number in found)


def test_what_is_outside_of_files_that_are_as_they_were_signed() -> None:
    def outside(*names: str) -> tuple[set[str], int | None]:
        ranges = {"one": (0, 1), "two": (2, 3)}
        return ContentCheck(
            Path("record"),
            "w0",
            files=[
                File(name=name, kind="content", writer="w0", level=0, first=first, last=last)
                for name, (first, last) in ranges.items()
                if name in names
            ],
            hot=Hot(blocks={line["n"]: line for line in LINES}),
            excuses=Excuses(gone=lambda _: False),
            findings=Findings(),
        ).outside(set(names))

    assert outside() == ({SCOPE}, 0)
    assert outside("one") == ({SCOPE}, 2)
    assert outside("two") == ({SCOPE}, 0)
    assert outside("one", "two") == ({SCOPE}, None)
