"""A report in words."""

from proctor.policy.backtest import Change
from proctor.policy.backtestshown import ROWS, markdown, rows_of, summary
from tests.policy.reports import HOSTILE, report, row


def test_words() -> None:
    found = report(
        row(),
        settings=(("r", "count", "1", "2"),),
        lacking={"http.json is not on record": 2},
        by_grant=1, cut=2, fixed=3, others=4, asks_left_out=5, decide_us=(10.0, 12.5),
        changes={Change.DENIED: 4, Change.UNKNOWN: 2},
    )  # fmt: skip
    text = "\n".join(summary(found))
    for said in (
        "9 recorded actions", "Newly denied: 4 (1 person).", "Could not be told: 2.",
        "Approvals: 1.5 a day, 0.0 before; 1 person waits.", "Decisions asked of ops or sec: 6.",
        "Approval of r: count was 1, is 2.", "A grant let 1 held", "Not told, 2 times: http.json",
        "2 actions were judged by what redaction left", "3 actions were not decided by a rule",
        "4 changed actions more", "at least this", "+0.003 ms an action",
    ):  # fmt: skip
        assert said in text, said
    assert "Could not be told" not in "\n".join(summary(report()))


def test_other_detectors() -> None:
    found = {
        "texts": 2, "bytes": 2048, "parts": 1, "of_parts": 3, "failed": 1,
        "ms_a_text": {"before": 1.0, "now": 2.0}, "no_longer_found": {"PERSON": 1},
        "rows": [{"type": "EMAIL_ADDRESS", "where": "prompt", "principal": "i#alice", "count": 2,
                  "detector": "d", "looks_like": ["xx@xx.xx"], "examples": ["f"]}],
    }  # fmt: skip
    text = "\n".join(summary(report(findings=found)))
    for said in (
        "the youngest part of the record alone", "Newly found: EMAIL_ADDRESS in prompt of i#alice",
        "xx@xx.xx", "No longer found: PERSON", "1 texts could not", "2.00 ms to look at",
    ):  # fmt: skip
        assert said in text, said


def test_a_list() -> None:
    (found,) = rows_of(report(row()))
    assert (found["change"], found["groups"], found["examples"]) == (
        "newly-denied",
        "dev",
        "flow-1",
    )


def test_markdown_holds_nothing_of_others() -> None:
    text = markdown(report(row(what=HOSTILE, principal=f"i#{HOSTILE}")), [HOSTILE], checked=True)
    assert "1 surprises" in text
    for bad in ("<script>", "@alice", "](", "\x1b", "\u202e", "http://"):
        assert bad not in text, bad
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {8}


def test_markdown_says_whether_it_was_expected() -> None:
    assert "As expected" in markdown(report(), [], checked=True)
    assert "xpected" not in markdown(report(), [], checked=False)
    many = report(*(row(what=f"w{n}") for n in range(ROWS + 2)))
    assert "2 rows more" in markdown(many, [], checked=False)
