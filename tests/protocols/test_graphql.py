"""GraphQL: what counts is everything that the server might run."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proctor.protocols.graphql import MAX_DOCUMENTS, MAX_SOURCE, MAX_TOKENS, GraphQL, read_graphql


def operation(said: object, query: list[tuple[str, str]] | None = None) -> str | None:
    found = read_graphql(said, query or [])
    return None if found is None else found.operation


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{viewer{login}}", "query viewer"),
        ("query Q{repository(owner:1){id} viewer{login}}", "query repository,viewer"),
        ("mutation{deleteIssue(input:{id:1}){id}}", "mutation deleteIssue"),
        ("subscription S{added}", "subscription added"),
        ("{safe: deleteAll}", "query deleteAll"),
        ("{...F} fragment F on Query{a ...G} fragment G on Query{b ...F}", "query a,b"),
        ("mutation{... on Mutation @skip(if:true){a}...{b}}", "mutation a,b"),
        ("query A{a} mutation B{b}", "mutation a,b"),
        ("query A{a} subscription B{b}", "subscription a,b"),
        ('"what it does" query A{a}', "query a"),
        ("\ufeff # query\n ,, {a}", "query a"),
        ("{...Missing a}", "unread a"),
        ("{a", "unread"),
        ("mutation {a}}", "unread"),
        ("fragment F on Query{a}", "unread"),
        ("{}", "query"),
        ("query " + "x " * MAX_TOKENS, "unread"),
        ("{" * 3000, "unread"),
        ("#" + "x" * 300_000 + "\n{a}", "unread"),
        ("{a(b:" + "[" * 900 + "]" * 900 + ")}", "unread"),
    ],
)
def test_documents(document: str, said: str) -> None:
    assert operation({"query": document}) == said
    assert operation(document) == said
    assert operation(None, [("query", document)]) == said
    assert operation([{"query": document}]) == said


@pytest.mark.parametrize(
    "said",
    [
        None,
        1,
        [],
        {},
        {"query": 1},
        {"query": ""},
        {"query": "shoes size 9"},
        {"query": None},
        {"documentId": "x"},
        {"variables": {}},
        {"extensions": {}},
        {"extensions": "{"},
        {"operations": "[]"},
        {"operations": "[", "map": "{}"},
    ],
)
def test_what_is_no_graphql(said: object) -> None:
    assert read_graphql(said) is None


def test_what_calls_itself_graphql_is_never_none() -> None:
    assert operation("shoes") == "unread"
    assert operation("") == "unread"


def test_name_and_count() -> None:
    said = [{"query": "query A{a}"}, {"query": "{b}"}, {"query": "mutation C{c} mutation D{d}"}]
    assert read_graphql(said) == GraphQL(
        kind="mutation", name="A", fields=("a", "b", "c", "d"), operations=4
    )


def test_every_place_counts() -> None:
    """Some servers take the query string before the body, some the other way round."""
    assert operation({"query": "{a}"}, [("query", "mutation{b}")]) == "mutation a,b"
    assert operation(None, [("query", "{a}"), ("query", "mutation{b}")]) == "mutation a,b"
    assert operation("{a}", [("query", "mutation{b}")]) == "mutation a,b"
    assert operation({"query": "{a}", "Query": "mutation{b}"}) == "mutation a,b"
    assert operation({"query": ["{a}", "mutation{b}"]}) == "mutation a,b"
    upload = {"operations": json.dumps({"query": "mutation{up}"}), "map": "{}", "0": "file"}
    assert operation(upload) == "mutation up"
    assert operation({**upload, "query": "{a}"}) == "mutation a,up"


def persisted(digest: object, text: str | None = None) -> dict[str, Any]:
    said = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
    return said if text is None else {**said, "query": text}


def test_a_document_that_is_only_named() -> None:
    digest = hashlib.sha256(b"{a}").hexdigest()
    unknown = GraphQL(kind="", persisted=True)
    assert read_graphql(persisted(digest)) == unknown
    assert read_graphql(persisted(None)) == unknown
    assert read_graphql({"extensions": {"persistedQuery": 1}}) == unknown
    assert read_graphql(None, [("extensions", json.dumps(persisted(digest)["extensions"]))]) == (
        unknown
    )
    assert read_graphql({"documentId": "x", "variables": {}}) == unknown
    assert read_graphql({"doc_id": "1", "operationName": "a"}) == unknown
    assert operation([{"query": "{a}"}, persisted(digest)]) == "persisted a"
    assert operation({"query": "{a}", "documentId": "x", "variables": {}}) == "persisted a"


def test_a_hash_beside_its_own_text() -> None:
    digest = hashlib.sha256(b"{a}").hexdigest()
    assert operation(persisted(digest.upper(), "{a}")) == "query a"
    assert operation(persisted(digest, "{b}")) == "persisted b"


def test_limits_hold_for_a_request_as_a_whole() -> None:
    wide = "{" + "a " * (MAX_TOKENS // 2) + "}"
    assert operation({"query": wide}) == "query a"
    assert operation([{"query": wide}, {"query": wide}]) == "unread a"
    long = "{a}#" + "x" * (MAX_SOURCE // 2)
    assert operation({"query": long}) == "query a"
    assert operation([{"query": long}, {"query": long}]) == "unread a"
    assert operation([{"query": "{a}"}] * MAX_DOCUMENTS) == "query a"
    assert operation([{"query": "{a}"}] * (MAX_DOCUMENTS + 1)) == "unread a"


TOKENS = st.sampled_from(
    ["query", "mutation", "fragment F on X", "...F", "...", "{", "}", "(", ")", ":", "a", "$v", '"']
)


@given(st.lists(TOKENS | st.text(max_size=3)).map(" ".join))
@example('{a(b:"\ud800")}')
def test_any_text(text: str) -> None:
    found = read_graphql(text)
    assert found is not None
    assert found.kind or not found.persisted
    assert found.operation.startswith(found.kind or "unread")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["query", "extensions", "persistedQuery", "operations", "map", "id"]
                ),
                inner,
                max_size=3,
            )
        ),
    )
)
def test_any_json(said: object) -> None:
    found = read_graphql(said)
    assert found is None or found.operation


@pytest.mark.parametrize("end", range(len("mutation M{a:b(c:1){d}}")))
def test_every_cut(end: int) -> None:
    """Half a document is never a weaker one."""
    said = operation({"query": "mutation M{a:b(c:1){d}}"[:end]})
    assert said == "unread" if end >= len("mutation") else said is None
