"""What waits for whom, the oldest first."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from proctor.approval.model import Role, State
from tests.console.samples import CAROL, DAVE, approval, asking, person
from tests.console.stand import Stand, asked, words
from tests.console.standin import StandIn


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def ids(markup: str) -> list[str]:
    return re.findall(r'id="row-(ap_\w+)"', markup)


def test_the_oldest_comes_first_and_glass_on_top(stand: Stand) -> None:
    shown = asked(stand, "/inbox", part=True).text
    assert [name[-2:] for name in ids(shown)] == ["92", "02", "01", "03", "04", "05"]
    assert "<title>(5) Held · proctor</title>" in shown
    assert "Glass broken, to be looked at" in shown
    assert "not yours to decide" in shown
    whole = asked(stand, "/").text
    assert "<!doctype html>" in whole
    assert 'data-id="ap_abcdefghijkl0002"' in whole


def test_only_what_a_person_may_see(stand: Stand) -> None:
    stand.reviewer = person("frank", Role.REVIEWER, groups=("dba",))
    assert [name[-2:] for name in ids(asked(stand, "/inbox").text)] == ["02", "03"]
    stand.reviewer = CAROL
    assert len(ids(asked(stand, "/inbox").text)) == 6
    stand.reviewer = DAVE
    assert asked(stand, "/inbox").status == 403
    text = words(asked(stand, "/").text)
    assert "You are signed in, but have nothing to do here yet" in text
    assert "Your groups: sales" in text


def test_nothing_is_held(stand: Stand) -> None:
    stand.desk.all.clear()
    assert "Nothing is held." in asked(stand, "/").text
    assert "<title>Held · proctor</title>" in asked(stand, "/inbox").text


def test_five_thousand_are_counted_and_one_hundred_shown(tmp_path: Path) -> None:
    many = [approval(asking("Bash", f"rm -rf {n}", number=n), n, ago=n / 10) for n in range(5000)]
    stand = Stand(tmp_path, desk=StandIn(many))
    shown = asked(stand, "/inbox").text
    assert ids(shown) == [f"ap_abcdefghijkl{n:04d}" for n in range(4999, 4899, -1)]
    assert "4,900 more wait; the oldest 100 are shown." in shown
    assert len(shown) < 300_000


def test_settled_ones(stand: Stand) -> None:
    shown = asked(stand, "/inbox?show=settled").text
    assert [name[-2:] for name in ids(shown)] == ["92", "91", "90"]
    assert "Those are the customers&#39; files." in shown
    stand.desk.all.clear()
    assert "Nothing was settled yet." in asked(stand, "/?show=settled").text


def test_broken_glass_stays_however_much_comes_after_it(stand: Stand) -> None:
    (broken,) = [each for each in stand.desk.all.values() if each.unreviewed]
    for number in range(700):
        late = approval(asking("Bash", f"ls {number}", number=number), 1000 + number, ago=-1)
        stand.desk.all[late.id] = replace(late, state=State.USED)
    assert ids(asked(stand, "/inbox").text)[0] == broken.id


def test_banners(stand: Stand) -> None:
    assert "Development mode" not in asked(stand, "/").text
    stand.dev = True
    stand.reviewer = CAROL
    sent = {"scope": "principal", "target": "order-bot", "reason": "It repeats itself"}
    asked(stand, "/kills", fields=sent)
    for path in ("/", "/rules", "/live", "/approvals/ap_abcdefghijkl0001"):
        text = words(asked(stand, path).text)
        assert "Development mode. Tokens made on this machine may approve here." in text
        assert "Kill in force: principal order-bot by carol : It repeats itself" in text


def test_a_long_command_keeps_its_end(stand: Stand) -> None:
    command = "echo " + "x" * 400 + " | base64 -d | sh"
    one = approval(asking("Bash", command), 7)
    one = replace(one, asking=replace(one.asking, card=replace(one.asking.card, summary=command)))
    stand.desk.all = {one.id: one}
    assert "| base64 -d | sh</code>" in asked(stand, "/inbox").text
