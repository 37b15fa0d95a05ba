"""What a page shows, and what it hides: HTML and Markdown, read in one pass.

No browser: style sheets are read for the rules that hide a class or a name, and no more.
"""

import html
import re
import sys
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"<!--(.*?)(?:-->|\Z)|<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})([^<>]{0,8000})>", re.DOTALL
)
_HTML: Final = re.compile(
    r"<(?:!--|!doctype|/?(?:html|head|body|div|span|p|a|br|img|ul|ol|li|table|td|tr|script"
    r"|style|meta"
    r"|template|noscript|h[1-6]|b|i|em|strong|font|section|article|input|svg|details|form|button"
    r"|pre|code|iframe|object|label|title)[\s/>])",
    re.IGNORECASE,
)
_HIDING: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*(?:0(?:\.0\d*)?"
    r"|\.0\d*)(?![.\d])"
    r"|font-size\s*:\s*(?:0|0?\.\d+|1)(?:px|pt|em|rem|%)?\s*(?:[;\"'}!]|$)"
    r"|(?:left|top|right|bottom|text-indent|margin-left|margin-top)\s*:\s*-\d{3,}"
    r"|clip(?:-path)?\s*:\s*(?:rect\(\s*[01](?:px)?[ ,]+[01](?:px)?[ ,]+[01]|inset\(\s*(?:50|100)%)"
    r"|transform\s*:\s*scale\(\s*0(?:\.0\d*)?\s*\)|z-index\s*:\s*-\d{3,}"
    r"|color\s*:\s*(?:transparent|rgba\([^)]{0,30},\s*0(?:\.0\d*)?\s*\))"
    r"|(?:max-)?(?:height|width)\s*:\s*[01](?:px)?\s*;[^\"'{}]{0,200}overflow\s*:\s*hidden"
    r"|overflow\s*:\s*hidden[^\"'{}]{0,200}(?:;|\s)(?:max-)?(?:height|width)\s*:\s*[01]"
    r"(?:px)?\s*(?:[;\"'}]|$)",
    re.IGNORECASE,
)
_COLOR: Final = re.compile(
    r"(?<![\w-])(background(?:-color)?|color)\s*[:=]\s*[\"']?\s*(#[0-9a-f]{3,8}|[a-z]{3,20}"
    r"|rgba?\([^)]{0,40}\))",
    re.IGNORECASE,
)
_WHITE: Final = re.compile(
    r"white|#(?:f{3,4}|f{6}|f{8}|fe{2}fe{2}fe|f[c-f]f[c-f]f[c-f])|snow|ivory"
    r"|rgba?\(\s*25[3-5]\s*,\s*25[3-5]\s*,\s*25[3-5].{0,10}\)",
    re.IGNORECASE,
)
_SHORT: Final = re.compile(r"#[0-9a-f]{3}")
_RULE: Final = re.compile(r"([^{}]{1,400})\{([^{}]{0,2000})\}")
_NAME: Final = re.compile(r"[.#][\w-]{1,80}")
_ATTRIBUTE: Final = re.compile(
    r"([a-zA-Z][\w:-]{0,60})(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?"
)
_SAID: Final = re.compile(
    r"(?:alt|title|content|value|placeholder|summary|label|aria-[a-z]+|data-.+|longdesc|srcdoc"
    r"|onerror|onclick|abbr|cite|name)",
    re.IGNORECASE,
)
_LETTERS: Final = re.compile(r"&#(x[0-9a-f]{2,5}|[0-9]{2,6});", re.IGNORECASE)
_VOID: Final = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
_UNSHOWN: Final = frozenset({"template", "noscript", "noembed", "noframes", "object", "datalist"})
_INLINE: Final = frozenset(
    {
        "b",
        "i",
        "em",
        "strong",
        "span",
        "font",
        "u",
        "s",
        "a",
        "small",
        "big",
        "wbr",
        "mark",
        "sub",
        "sup",
        "tt",
        "ins",
        "del",
        "bdi",
        "bdo",
        "abbr",
    }
)
_QUOTING: Final = frozenset({"code", "pre", "samp", "kbd", "q", "blockquote", "tt", "textarea"})
_LONG: Final = 12
"""Characters from which on an attribute may say something."""

_DEEP: Final = 256
_REFERENCE: Final = re.compile(
    r"^[ \t]{0,3}\[[^\]\n]{1,80}\]:[ \t]{0,4}\S{0,300}[ \t]{1,4}[\"'(]"
    r"([^\n]{12,2000})[\"')][ \t]*$",
    re.MULTILINE,
)


class Region(NamedTuple):
    """A stretch of the text that a page would not show, or that it quotes."""

    start: int
    end: int
    kind: str


class Read(NamedTuple):
    """A text as it reads.

    Attributes:
        text: Without marks.
        hidden: Stretches of it that a page does not show; attributes stand at its end.
        quoted: Stretches that are code or quotation.
    """

    text: str
    hidden: tuple[Region, ...] = ()
    quoted: tuple[Region, ...] = ()


def read(text: str) -> Read:
    """Take marks off; texts without any stay as they are."""
    if "<" not in text or not _HTML.search(text):
        found = (
            [Region(*each.span(1), "title") for each in _REFERENCE.finditer(text)]
            if "]:" in text
            else []
        )
        return Read(text, tuple(found))
    return _Reader().read(_LETTERS.sub(_letter, text))


def _letter(found: re.Match[str]) -> str:
    """A letter that was written as its number; signs stay, since they may be shown on purpose."""
    digits = found[1]
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
    char = chr(code) if code <= sys.maxunicode else ""
    return char if char.isalnum() or char == " " else found[0]


class _Reader:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._size = 0
        self._hidden: list[Region] = []
        self._quoted: list[Region] = []
        self._stack: list[tuple[str, bool, bool]] = []
        self._depth = 0
        self._quotes = 0
        self._names: set[str] = set()
        self._said: list[str] = []
        self._skip = ""

    def read(self, text: str) -> Read:
        at = 0
        if "{" in text:
            self._sheets(text)
        for found in _TOKEN.finditer(text):
            self._text(text[at : found.start()])
            at = found.end()
            if found[3] is None:
                if not self._skip:
                    self._add(f" {found[1]} ", "comment")
            else:
                self._tag(found[3].lower(), found[4] or "", closing=bool(found[2]))
        self._text(text[at:])
        for said in self._said:
            self._add(f"\n{said}\n", "attribute")
        return Read("".join(self._out), tuple(self._hidden), tuple(self._quoted))

    def _sheets(self, text: str) -> None:
        for found in re.finditer(
            r"<style[^>]{0,200}>(.{0,100000}?)</style", text, re.DOTALL | re.IGNORECASE
        ):
            for rule in _RULE.finditer(found[1]):
                if _hides(rule[2]):
                    self._names.update(_NAME.findall(rule[1]))

    def _text(self, text: str) -> None:
        if text and not self._skip:
            self._add(html.unescape(text) if "&" in text else text, "hidden" if self._depth else "")

    def _add(self, text: str, kind: str) -> None:
        if not text:
            return
        if kind:
            self._hidden.append(Region(self._size, self._size + len(text), kind))
        elif self._quotes:
            self._quoted.append(Region(self._size, self._size + len(text), "quoted"))
        self._out.append(text)
        self._size += len(text)

    def _tag(self, name: str, inner: str, *, closing: bool) -> None:
        if self._skip:
            if closing and name == self._skip:
                self._skip = ""
            return
        if name not in _INLINE:
            self._add("\n", "")
        if closing:
            self._close(name)
            return
        attributes = _attributes(inner) if inner else {}
        if name == "style":
            self._skip = name
            return
        # HTML 4.8.7: without data an object shows what is in it; in code it is a type.
        empty = name == "object" and not {"data", "type"} & attributes.keys()
        hides = (name in _UNSHOWN and not empty) or self._is_hidden(name, attributes)
        self._said += [
            html.unescape(value)
            for key, value in attributes.items()
            if len(value) >= _LONG and " " in value and _SAID.fullmatch(key)
        ]
        if name in _VOID or inner.endswith("/") or len(self._stack) >= _DEEP:
            return
        quotes = name in _QUOTING
        self._stack.append((name, hides, quotes))
        self._depth += hides
        self._quotes += quotes

    def _close(self, name: str) -> None:
        for back in range(1, min(len(self._stack), 30) + 1):
            if self._stack[-back][0] == name:
                for _, hides, quotes in self._stack[-back:]:
                    self._depth -= hides
                    self._quotes -= quotes
                del self._stack[-back:]
                return

    def _is_hidden(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "script":
            return "json" in attributes.get("type", "")
        if "hidden" in attributes or attributes.get("aria-hidden") == "true":
            return True
        if _hides(attributes.get("style", "")):
            return True
        if name == "font" and (
            _WHITE.fullmatch(attributes.get("color", "")) or attributes.get("size") == "0"
        ):
            return True
        names = [f".{each}" for each in attributes.get("class", "").split()[:50]]
        return not self._names.isdisjoint([*names, f"#{attributes.get('id', '')}"])


def _attributes(inner: str) -> dict[str, str]:
    return {
        found[1].lower(): found[2] or found[3] or found[4] or ""
        for found in _ATTRIBUTE.finditer(inner)
    }


def _hides(style: str) -> bool:
    """Whether a style hides: not shown, off the page, without size, in the ground's colour."""
    if _HIDING.search(style):
        return True
    if "color" not in style.lower():
        return False
    colors = {key.lower().partition("-")[0]: value.lower() for key, value in _COLOR.findall(style)}
    color, ground = _spelled(colors.get("color")), _spelled(colors.get("background"))
    if color is None:
        return False
    return color == ground or (ground is None and bool(_WHITE.fullmatch(color)))


def _spelled(color: str | None) -> str | None:
    """A colour in one spelling: `#fff` is `#ffffff`, and both are white."""
    if color is None:
        return None
    if _SHORT.fullmatch(color):
        color = "#" + "".join(sign * 2 for sign in color[1:])
    return "#ffffff" if color == "white" else color
