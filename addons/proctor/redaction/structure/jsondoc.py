"""JSON (RFC 8259) as it comes: strict, as other parsers let it pass, or several values in a row."""

from collections.abc import Mapping

from proctor.protocols.jsonspan import not_json
from proctor.redaction.structure.charset import UTF8
from proctor.redaction.structure.codec import verbatim
from proctor.redaction.structure.jsonwalk import add_json, add_text
from proctor.redaction.structure.layout import BODY, Layout, Path
from proctor.redaction.structure.walking import UnreadableError


def read_json(
    raw: bytes, *, prefix: str = "", base: Path = (), exempt: Mapping[Path, str] | None = None
) -> Layout:
    """Read one JSON value as strictly as `protocols.jsonspan` does.

    Args:
        raw: The value, UTF-8, whole; it may be a part of a larger body.
        prefix: What the locations begin with, such as `messages[2]`.
        base: What the paths begin with; those in `exempt` do not.
        exempt: Strings that are not looked at, by path from this value, and why.

    Raises:
        ClientError: `body-not-json`.
        RedactionError: `redaction-size`.
    """
    try:
        layout = Layout(raw.decode(), UTF8, base=base)
        add_json(layout, BODY, prefix=prefix, strict=True, exempt=exempt)
    except UnicodeDecodeError as error:
        raise not_json(f"bytes that are not UTF-8 at offset {error.start}") from None
    except UnreadableError as error:
        raise not_json(str(error)) from None
    return layout


def add_any_json(  # noqa: PLR0913  # as add_json
    layout: Layout,
    holder: int,
    *,
    prefix: str = "",
    path: Path = (),
    key: str = "",
    exempt: Mapping[Path, str] | None = None,
) -> bool:
    """Add the leaves of a holder that may be JSON: strict, or with what other parsers let pass.

    Names given twice, NaN, a byte order mark, halves of surrogate pairs and several values in a row
    are all read; nothing is lost by it, since whatever is text becomes a leaf. Fields are exempt in
    strict JSON only: in other JSON somebody might read them differently. The arguments are those of
    `add_json`.

    Returns:
        Whether it was JSON; if not, nothing was added.

    Raises:
        RedactionError: `redaction-size`.
    """
    mark = layout.mark()
    for strict, many in ((True, False), (False, False), (False, True)):
        spared = exempt if strict else None
        try:
            add_json(
                layout,
                holder,
                prefix=prefix,
                path=path,
                key=key,
                strict=strict,
                many=many,
                exempt=spared,
            )
        except UnreadableError:
            layout.back(mark)
        else:
            return True
    return False


def add_json_lines(layout: Layout, holder: int, *, prefix: str = "", path: Path = ()) -> None:
    """Add the leaves of JSON values in a row, one a line as a rule; a line that is none is text.

    Args:
        layout: What they are added to.
        holder: What they are written in.
        prefix: What the locations begin with.
        path: What the paths begin with.

    Raises:
        RedactionError: `redaction-size`.
    """
    mark = layout.mark()
    try:
        add_json(layout, holder, prefix=prefix, path=path, many=True)
    except UnreadableError:
        layout.back(mark)
    else:
        return
    text, start, number = layout.text(holder), 0, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if line := text[start:end].strip(" \t\r\x1e"):
            begin = text.index(line, start)
            add_text(
                layout,
                line,
                f"{prefix}[{number}]",
                "",
                holder,
                begin,
                begin + len(line),
                verbatim,
                path,
                number,
            )
            number += 1
        start = end + 1
