"""What somebody looks for: `words "in a row" begin* !without`.

All words must be there, whatever their order, in one text. A `-` is as good as a blank: `rm -rf`
and `git push --force` are what they look like. Nothing of SQLite's own query language is handed
through: every word is quoted, so no text is an error but one that says nothing.
"""

from dataclasses import dataclass

from proctor.errors import ClientError
from proctor.search.words import TAG, Place, place, spaced, tokens

MAX_LENGTH = 500
MAX_TERMS = 32
_SPACE = " \t\r\n\u3000"  # CJK's own blank, too
_NOT = "!"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words in a row.

    Attributes:
        words: Folded; at least one.
        text: As the index takes it.
        prefix: The last one may go on.
        wanted: It must be there; else it must not.
    """

    words: tuple[str, ...]
    text: str
    prefix: bool
    wanted: bool

    @property
    def expression(self) -> str:
        """In FTS5's language (https://sqlite.org/fts5.html, 3)."""
        quoted = self.text.replace('"', " ").replace("\0", " ")
        return f'"{quoted}"' + (" *" if self.prefix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for."""

    terms: tuple[Term, ...]

    def expression(self, tags: tuple[str, ...] = ()) -> str:
        """In FTS5's language.

        Args:
            tags: Expressions that must hold, too.
        """
        wanted = [term.expression for term in self.terms if term.wanted]
        without = [term.expression for term in self.terms if not term.wanted]
        all_of = " AND ".join([*tags, *wanted])
        return f"({all_of}) NOT ({' OR '.join(without)})" if without else all_of

    def rows(self) -> list[tuple[str, ...]]:
        """Whole words in a row that must be there, folded."""
        found = (
            term.words[:-1] if term.prefix else term.words for term in self.terms if term.wanted
        )
        return [words for words in found if len(words) > 1]

    def places(self) -> list[Place]:
        """Find in a folded text what is to be marked."""
        return [place(term.words, prefix=term.prefix) for term in self.terms if term.wanted]


def parse(text: str) -> Query:
    """What `text` asks for.

    Raises:
        ClientError: Code `search-malformed`.
    """
    if len(text) > MAX_LENGTH:
        raise _malformed("The search is too long", f"at most {MAX_LENGTH} characters")
    text = text.encode("utf-8", "replace").decode().replace(TAG, " ").replace("\0", " ")
    terms: list[Term] = []
    at = 0
    while at < len(text):
        if text[at] in _SPACE:
            at += 1
            continue
        term, at = _term(text, at)
        if term is not None:
            terms.append(term)
        if len(terms) > MAX_TERMS:
            raise _malformed("The search names too many words", f"at most {MAX_TERMS}")
    if not any(term.wanted for term in terms):
        raise _malformed(
            "Nothing is looked for" if not terms else "Only what must not be there is named",
            "at least one word, number or name without a `!` before it",
        )
    return Query(terms=tuple(terms))


def _term(text: str, at: int) -> tuple[Term | None, int]:
    """The term at `at`, None if it has neither letter nor digit, and where it ends."""
    wanted = text[at] != _NOT
    start = at + (not wanted)
    if text[start : start + 1] == '"':
        end = text.find('"', start + 1)
        if end < 0:
            raise _malformed("A quotation mark is not closed", 'words between two `"`')
        found, end = text[start + 1 : end], end + 1
        prefix = text[end : end + 1] == "*"
        end += prefix
    else:
        end = start
        while end < len(text) and text[end] not in _SPACE and text[end] != '"':
            end += 1
        found = text[start:end]
        prefix = found.endswith("*")
    words = tokens(found)
    if not words:
        return None, end
    return Term(words=tuple(words), text=spaced(found), prefix=prefix, wanted=wanted), end


def _malformed(message: str, expected: str) -> ClientError:
    return ClientError(
        code="search-malformed",
        message=message,
        expected=expected,
        hint='Such as: timeout "connection refused" orders* !test.',
    )
