"""Fields of a form, or of a URL's query: `application/x-www-form-urlencoded` (WHATWG URL, 5.1)."""

from proctor.redaction.structure.jsonwalk import add_text
from proctor.redaction.structure.layout import Layout, Path, Place, within
from proctor.redaction.structure.names import shown
from proctor.redaction.structure.percent import in_form, unquoted


def add_form(
    layout: Layout, holder: int, *, start: int = 0, prefix: str = "", path: Path = ()
) -> None:
    """Add names and values of a form; a value may itself be JSON.

    Args:
        layout: What they are added to.
        holder: What they are written in.
        start: Where there; it goes to the end.
        prefix: What the locations begin with.
        path: What the paths begin with.

    Raises:
        RedactionError: `redaction-size`.
    """
    where = within(prefix)
    text = layout.text(holder)
    while start < len(text):
        end = text.find("&", start)
        end = len(text) if end < 0 else end
        equals = text.find("=", start, end)
        middle = end if equals < 0 else equals
        name = unquoted(text[start:middle], plus=True)
        location = where + shown(name)
        if name:
            layout.add(
                name, f"{location}#name", "", holder, start, middle, in_form, path, Place.NAME
            )
        if middle + 1 < end:
            value = unquoted(text[middle + 1 : end], plus=True)
            add_text(layout, value, location, name, holder, middle + 1, end, in_form, path, name)
        start = end + 1
