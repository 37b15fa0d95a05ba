"""The rules in force."""

from pathlib import Path

from tests.console.stand import Stand, asked, words
from tests.support.recorded import record, story


def test_rules_with_their_hits(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    empty = words(asked(stand, "/rules").text)
    assert "Rules in force 5" in empty
    record(tmp_path / "recordings", story)
    text = words(asked(stand, "/rules").text)
    for shown in (
        "no-remote-features rules/corp.yaml:7 The model is not to search the web.",
        "deny llm.request when llm.features.size() > 0 1 03:06:17",
        "destructive-shell rules/corp.yaml:12",
        "match Bash(rm -rf *) match Bash(git push --force *)",
        "1 from platform waits 4 min, ends after 30 min, grants up to 1 h",
        "only observes",
    ):
        assert shown in text, shown


def test_a_record_that_cannot_be_read_leaves_the_rules(tmp_path: Path) -> None:
    stand = Stand(tmp_path)
    record(tmp_path / "recordings", story)
    (tmp_path / "recordings" / "store.json").write_text('{"version": 999}')
    answer = asked(stand, "/rules")
    assert answer.status == 200
    assert "How often rules spoke is not known now" in answer.text
    assert "destructive-shell" in answer.text
