"""The kill switch."""

from pathlib import Path

import pytest

from tests.console.samples import BOB, CAROL
from tests.console.stand import Stand, asked, words


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, reviewer=CAROL)


def test_kill_and_lift(stand: Stand) -> None:
    assert "No kill is in force." in asked(stand, "/kills").text
    sent = {"scope": "session", "target": "3f2a7c1e", "reason": "It runs in circles"}
    assert asked(stand, "/kills", fields=sent).status == 303
    text = words(asked(stand, "/kills").text)
    assert "session 3f2a7c1e “It runs in circles” carol , 10:42:31 , ki_0000000000000000" in text
    name = next(iter(stand.desk.killed))
    assert asked(stand, f"/kills/{name}/lift", fields={"reason": "done"}).status == 303
    text = words(asked(stand, "/kills").text)
    assert "No kill is in force." in text
    assert "Lifted What Why By Lifted session 3f2a7c1e" in text


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"scope": "everything", "reason": "x"}, 400, "What is to be ended?"),
        ({"scope": "all", "reason": "x"}, 400, "Nothing was ended"),
        ({"scope": "session", "target": "", "reason": "x"}, 400, "not clear what is to be ended"),
        ({"scope": "session", "target": "a", "reason": ""}, 400, "A reason is needed"),
    ],
)
def test_what_is_not_clear_ends_nothing(
    stand: Stand, sent: dict[str, str], status: int, said: str
) -> None:
    answer = asked(stand, "/kills", fields=sent)
    assert (answer.status, said in answer.text) == (status, True)
    assert stand.desk.killed == {}


def test_everything_needs_one_more_click(stand: Stand) -> None:
    asked(stand, "/kills", fields={"scope": "all", "target": "x", "reason": "y", "sure": "yes"})
    (kill,) = stand.desk.killed.values()
    assert (kill.scope.value, kill.target) == ("all", "")


def test_only_admins(stand: Stand) -> None:
    stand.reviewer = BOB
    assert "Only admins kill and lift." in asked(stand, "/kills").text
    sent = {"scope": "session", "target": "a", "reason": "b"}
    assert asked(stand, "/kills", fields=sent).status == 403
    assert stand.desk.killed == {}


def test_a_link_fills_the_form_in(stand: Stand) -> None:
    shown = asked(stand, "/kills?scope=session&target=%22%3E%3Cb%3E").text
    assert '<option value="session" selected>' in shown
    assert 'value="&#34;&gt;&lt;b&gt;"' in shown
