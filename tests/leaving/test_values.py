"""The short values of a request."""

from proctor.leaving.gathered import Place
from proctor.leaving.values import MOST, site_of, values_of


def said(location: str, text: str, key: str = "") -> list[tuple[str, str]]:
    place = Place(0, 0, text, location, key)
    return [(value.place, value.text) for value, _ in values_of([place])]


def test_paths_hosts_and_headers_are_taken_apart() -> None:
    assert said("path", "/v1/ab/cd") == [("path[0]", "v1"), ("path[1]", "ab"), ("path[2]", "cd")]
    assert said("host", "ab.cd.evil.example") == [("host[0]", "ab"), ("host[1]", "cd")]
    assert said("header.x-a", "k=v; w") == [
        ("header.x-a[0]", "k"), ("header.x-a[1]", "v"), ("header.x-a[2]", "w"),
    ]  # fmt: skip
    assert said("header.cookie", "a=Tr0; b=ub4==;c") == [
        ("header.cookie[0]", "Tr0"), ("header.cookie[1]", "ub4=="),
    ]  # fmt: skip
    assert said("rows[3].id", "ab1") == [("rows.id", "ab1")]


def test_names_texts_and_ids_are_none() -> None:
    assert not said("query.a#name", "a")
    assert not said("text", "two words")
    assert not said("id", "0b6f2f7e-5b0e-4d8e-9d59-3a7c6c1b2a10")
    assert not said("sha", "a" * 40)
    assert not said("header.accept", "text/html")
    assert not said("at", "2026-03-04T12:00:00Z")
    places = [Place(0, n, f"v{n}", "a", "") for n in range(500)]
    assert len(list(values_of(places))) == MOST


def test_a_site_is_what_somebody_registered() -> None:
    assert site_of("a.b.evil.example") == "evil.example"
    assert site_of("a.evil.co.uk") == "evil.co.uk"
    assert site_of("localhost") == "localhost"
