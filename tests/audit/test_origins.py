"""Where values came from, as the record says."""

from proctor.audit.origins import origins

ROW = {
    "argument": "input.command",
    "kind": "host",
    "source": "WebFetch of pasta.example",
    "flow_id": "f1",
    "at": "2026-03-01T10:00:00+00:00",
    "score": 0.99,
}


def test_each_place_and_source_is_told_once_in_words() -> None:
    rows = [ROW, {**ROW, "kind": "command"}, {**ROW, "argument": "input.url", "score": 0.0}]
    first, second = origins([{"origins": rows}, {"origins": [ROW]}, {}])
    assert first.words == (
        "input.command: its host came from WebFetch of pasta.example, 10:00:00 (exchange f1);"
        " signs of prompt injection, 0.99 of 1"
    )
    assert second.argument == "input.url"
    assert "signs" not in second.words


def test_records_that_say_nothing_of_it_and_long_ones() -> None:
    assert origins([{}, {"origins": None}]) == ()
    many = [{**ROW, "argument": f"input[{n}]"} for n in range(100)]
    assert len(origins([{"origins": many}])) == 20
