"""JSON (RFC 8259) as leaves; a string that is itself an array or object of it is walked in turn."""

import re
from collections.abc import Mapping

from proctor.redaction.structure.codec import Codec
from proctor.redaction.structure.layout import Layout, Path, Place, Step, joined
from proctor.redaction.structure.walking import OPENING, UnreadableError

try:
    from proctor.redaction.structure._walk import Walk
except ImportError:  # it was installed without a compiler
    from proctor.redaction.structure.walking import Walk

_embedded = re.compile(r"[ \t\n\r]*[\[{]").match


def add_text(  # noqa: PLR0913, PLR0917  # as Layout.add
    layout: Layout,
    text: str,
    location: str,
    key: str,
    holder: int,
    start: int,
    end: int,
    codec: Codec,
    parent: Path,
    step: Step,
) -> None:
    """Add a text, or its leaves where it is JSON itself. The arguments are those of `Layout.add`.

    Raises:
        RedactionError: `redaction-size`.
    """
    if text[:1] in OPENING and _embedded(text) and text.rstrip(" \t\n\r")[-1] in "]}":
        mark = layout.mark()
        inner = layout.hold(text, holder, start, end, codec)
        if inner is not None:
            path = joined(parent, step)
            try:
                add_json(layout, inner, prefix=f"{location}→", path=path, key=key)
            except UnreadableError:
                layout.back(mark)
            else:
                return
    layout.add(text, location, key, holder, start, end, codec, parent, step)


def add_json(  # noqa: PLR0913  # what a value's surroundings say of it
    layout: Layout,
    holder: int,
    *,
    prefix: str = "",
    path: Path = (),
    key: str = "",
    strict: bool = False,
    many: bool = False,
    exempt: Mapping[Path, str] | None = None,
) -> None:
    """Add the leaves of a holder that is JSON.

    Args:
        layout: What they are added to.
        holder: Whose text is walked.
        prefix: What the locations begin with.
        path: Of the value.
        key: The nearest name before it.
        strict: Refuse what two parsers may read differently.
        many: Several values may follow one another; they are numbered.
        exempt: Strings that are not looked at, by path, and why.

    Raises:
        UnreadableError: It is not JSON; some leaves may have been added.
        RedactionError: `redaction-size`.
    """
    walk = Walk(layout, holder, strict=strict, exempt=exempt or {}, embedded=add_text)
    walk.start(many=many)
    number = 0
    while True:
        if many:
            walk.one(f"{prefix}[{number}]", path, number, key)
            number += 1
        else:
            walk.one(prefix, path, Place.HERE, key)
        walk.blank(many=many)
        if walk.at == len(walk.text):
            return
        if not many:
            raise walk.unexpected()
