"""What a GraphQL request asks for: the kind of operation and its top-level fields.

The specification is GraphQL, September 2025; how it travels is "GraphQL over HTTP". A document may
hold several operations and a body several documents; which of them the server runs is its own
affair, so each counts, and the strongest kind stands for all.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from graphql import GraphQLError, parse
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from proctor.protocols.jsonspan import loads

MAX_TOKENS: Final = 4000
"""Of all documents of a request together; the parser takes about 6 µs for each."""
MAX_SOURCE: Final = 64 * 1024
"""Characters of all documents together; the parser takes about 0.3 µs for each."""
MAX_DOCUMENTS: Final = 100

type Kind = Literal["query", "mutation", "subscription", ""]

# What is not known may be anything, so it is the strongest.
_STRENGTH: Final[tuple[Kind, ...]] = ("query", "subscription", "mutation", "")
# A document begins with one of these (GraphQL 2.2), after what is ignored (2.1.7).
_BEGINNINGS: Final = ("{", "query", "mutation", "subscription", "fragment", "#", '"')
_IGNORED: Final = "\ufeff \t\r\n,"
# Names of a stored document; too common a word alone, so `_COMPANIONS` stand beside it.
_STORED: Final = frozenset(("documentid", "doc_id", "queryid", "query_id"))
_COMPANIONS: Final = frozenset(("variables", "operationname", "extensions"))


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQL:
    """What a request asks for.

    Attributes:
        kind: The strongest kind among its operations; "" where one is not known: a stored
            document that is only named, or one that cannot be read here.
        name: The operation's name, of several the first.
        fields: Real names of all top-level fields, also those in fragments and behind aliases,
            sorted.
        operations: How many operations it holds.
        persisted: Some document is only named, by a hash or an id.
    """

    kind: Kind
    name: str = ""
    fields: tuple[str, ...] = ()
    operations: int = 0
    persisted: bool = False

    @property
    def operation(self) -> str:
        """`http.operation`: kind and fields, such as `query repository,viewer`.

        The kind is `persisted` or `unread` where it is not known; `mutation deleteIssue,viewer`
        stands for a mutation and a query in one request.
        """
        word = self.kind or ("persisted" if self.persisted else "unread")
        return f"{word} {','.join(self.fields)}".rstrip()


def read_graphql(said: object, query: Iterable[tuple[str, str]] = ()) -> GraphQL | None:
    """Read a request; its body and its query string both count, since servers differ in the order.

    Args:
        said: The JSON body, the fields of a form, or as a str the text of `application/graphql`.
        query: Names and values of the query string.

    Returns:
        None where nothing in it is GraphQL: no document stands in `query`, none is named.
    """
    reader = _Reader()
    if isinstance(said, str):
        reader.document(said, sure=True)
    else:
        reader.message(said)
    reader.request(list(query))
    return reader.result()


class _Reader:
    def __init__(self) -> None:
        self._room = MAX_TOKENS
        self._length = MAX_SOURCE
        self._documents = 0
        self._kinds: set[Kind] = set()
        self._names: list[str] = []
        self._fields: set[str] = set()
        self._operations = 0
        self._persisted = False

    def result(self) -> GraphQL | None:
        if not self._kinds:
            return None
        return GraphQL(
            kind=max(self._kinds, key=_STRENGTH.index),
            name=self._names[0] if self._names else "",
            fields=tuple(sorted(self._fields)),
            operations=self._operations,
            persisted=self._persisted,
        )

    def message(self, said: object) -> None:
        """A JSON body: one request, or a list of them."""
        for one in said if isinstance(said, list) else [said]:
            if isinstance(one, Mapping):
                self.request(list(one.items()))
                # Uploads name it `operations`, as JSON in a form (GraphQL multipart request).
                inner = one.get("operations")
                if isinstance(inner, str) and "map" in one:
                    self.message(_json(inner))

    def request(self, members: list[tuple[str, object]]) -> None:
        """One request's members; some servers do not tell capitals from small letters."""
        texts: list[str] = []
        hashes: list[str] = []
        names: set[str] = set()
        for key, value in members:
            name = key.lower()
            names.add(name)
            for one in value if isinstance(value, list) else [value]:
                if name == "query" and isinstance(one, str) and one:
                    texts.append(one)
                elif name == "extensions":
                    hashes.extend(_hashes(_json(one) if isinstance(one, str) else one))
        for text in texts:
            self.document(text)
        stored = not names.isdisjoint(_STORED) and not names.isdisjoint(_COMPANIONS)
        known = {hashlib.sha256(text.encode(errors="replace")).hexdigest() for text in texts}
        # A server may take the document that it knows by the hash, whatever text comes with it.
        if stored or any(digest.lower() not in known for digest in hashes):
            self._persisted = True
            self._kinds.add("")

    def document(self, text: str, *, sure: bool = False) -> None:
        """Count a document's operations; `sure` where it was declared to be one."""
        self._documents += 1
        likely = sure or text.lstrip(_IGNORED).startswith(_BEGINNINGS)
        if not likely:
            return
        try:
            document = self._parsed(text)
        except (GraphQLError, RecursionError, ValueError):
            document = None
        if document is None or not self._read(document):
            self._kinds.add("")

    def _parsed(self, text: str) -> DocumentNode | None:
        self._length -= len(text)
        if self._documents > MAX_DOCUMENTS or self._room < 1 or self._length < 0:
            return None
        document = parse(
            text,
            no_location=True,
            max_lexical_tokens=self._room,
            max_comments=MAX_TOKENS,
        )
        self._room -= document.token_count
        return document

    def _read(self, document: DocumentNode) -> bool:
        """Whether it holds operations and all their fields were found."""
        fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        operations = [n for n in document.definitions if isinstance(n, OperationDefinitionNode)]
        complete = bool(operations)
        for node in operations:
            self._operations += 1
            self._kinds.add(node.operation.value)
            if node.name:
                self._names.append(node.name.value)
            found = set(_top(node.selection_set, fragments))
            complete &= None not in found
            self._fields |= {field for field in found if field is not None}
        return complete


def _top(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Iterator[str | None]:
    """Names of the fields of an operation's root; None for a fragment that is not there."""
    waiting = [selections]
    seen: set[str] = set()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                yield node.name.value
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
                seen.add(node.name.value)
                fragment = fragments.get(node.name.value)
                if fragment is None:
                    yield None
                else:
                    waiting.append(fragment.selection_set)


def _hashes(extensions: object) -> Iterator[str]:
    """Of `extensions.persistedQuery` (Apollo): the hash; "" where there is none that is text."""
    if isinstance(extensions, Mapping) and extensions.get("persistedQuery") is not None:
        named = extensions["persistedQuery"]
        digest = named.get("sha256Hash") if isinstance(named, Mapping) else None
        yield digest if isinstance(digest, str) else ""


def _json(text: str) -> object:
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None
