"""What is added to an index, and when a text counts as the same one."""

from dataclasses import replace

from proctor.model import ContentRef
from proctor.search.adding import known_as
from proctor.search.documents import Part, Text

REF = ContentRef(scope="w0.a", hash="h", size=3, encoding="utf8", blocks="0")


def test_the_same_text_filtered_alike_is_the_same() -> None:
    text = Text(part=Part.INPUT, ref=REF, tool="Bash", call="toolu_1", verdict="allow")
    assert known_as(text) == known_as(replace(text, call="toolu_2"))
    others = [
        replace(text, ref=replace(REF, scope="w0.b")),
        replace(text, ref=replace(REF, hash="i")),
        replace(text, part=Part.OUTPUT),
        replace(text, tool="Read"),
        replace(text, verdict="deny"),
    ]
    assert len({known_as(text), *map(known_as, others)}) == 1 + len(others)
    assert all(0 <= known_as(each) < 2**63 for each in others)
