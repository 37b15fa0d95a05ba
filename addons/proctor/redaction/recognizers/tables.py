# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Columns of tables whose header names a secret: CSV, TSV, Markdown, what database shells print."""

import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.recognizers.assignments import classify, keeps
from proctor.redaction.recognizers.shapes import Found, Shape

_ROWS: Final = 2000
_RULE: Final = re.compile(r"[-+=|: ─┼├┤│]{3,8192}\r?\Z")  # between the header and the rows
_NAME: Final = re.compile(r"[\w ./#-]{0,40}(?:\([\w ./#-]{0,20}\))?[ ]{0,40}")


def find_columns(text: str, at: int) -> Iterator[Found]:
    """Columns of a table whose header names a secret.

    Args:
        text: The whole text.
        at: Somewhere in the header's line.
    """
    start = text.rfind("\n", max(0, at - 512), at) + 1
    stop = text.find("\n", at, at + 1024)
    if stop < 0 or (start == 0 and at > 512):
        return
    header = text[start:stop].rstrip("\r")
    delimiter = next((mark for mark in "|│\t;," if mark in header), "")
    if "||" in header and header.startswith("||"):  # Jira and Confluence double the header's bars
        header = header.replace("||", "|")
    if '":"' in header or ': "' in header:  # the table is a string in JSON
        start += header.rfind('"', 0, at - start) + 1
        header = text[start:stop].rstrip("\r")
    names = [name.strip(" \"'") for name in header.split(delimiter)] if delimiter else []
    if len(names) < 2 or not all(map(_NAME.fullmatch, names)):
        return
    wanted = {i: kind for i, name in enumerate(names) if (kind := classify(name.replace(" ", "_")))}
    # Asked once for each name in the header: the first one answers for all.
    if not wanted or _before(text[start:at], delimiter) != min(wanted):
        return
    position = stop + 1
    for _ in range(_ROWS):
        end = text.find("\n", position)
        row = text[position : end if end >= 0 else len(text)]
        if not _RULE.match(row):
            if row.count(delimiter) != len(names) - 1 or len(row) > 8192:
                return
            yield from _cells(row, position, delimiter, wanted)
        if end < 0:
            return
        position = end + 1


def _before(row: str, delimiter: str) -> int:
    return (row.replace("||", "|") if row.startswith("||") else row).count(delimiter)


def _cells(
    row: str, offset: int, delimiter: str, wanted: dict[int, tuple[str, int]]
) -> Iterator[Found]:
    for i, field in enumerate(row.split(delimiter)):
        value = field.strip(" \"'\r").partition('"')[0]
        if i in wanted and value and keeps(value, wanted[i][1]):
            begin = offset + field.index(value)
            yield Found(begin, begin + len(value), wanted[i][0])
        offset += len(field) + 1


SHAPES: Final = (
    Shape(
        name="secret-column",
        trigger=r"(?i)(?:passw(?:or)?[dt]|passphrase|pwd|secret|token|key|\bpass|kennwort|contrase|senha|"
        r"wachtwoord|de passe)[\w\x80-\xff]{0,8}[ \"']{0,40}(?:[|,;\t\r\n]|\xe2\x94\x82)",
        find=find_columns,
    ),
)
