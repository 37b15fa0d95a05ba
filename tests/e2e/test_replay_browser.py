"""The console's player in a real browser."""

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.console.samples import CAROL
from tests.console.stand import Stand, served
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, record, story
from tests.support.reviewing import chromium

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = f"/sessions/replay?id={SESSION}&principal={quote(ALICE.key, safe='')}"


def test_a_session_plays_by_keyboard(tmp_path: Path) -> None:
    record(tmp_path / "recordings", story)
    with served(Stand(tmp_path, reviewer=CAROL)) as address, chromium() as browser:
        page = browser.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address + PAGE)
        button, lines = page.locator("#replay-play"), page.locator("#replay-film li")
        expect(button).to_be_enabled()
        whole = lines.count()
        page.select_option("#replay-speed", "100")
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(" ")
        expect(button).to_have_text("Play")  # it has come to its end
        expect(page.locator("#replay-film li:visible")).to_have_count(whole)
        expect(page.locator("#replay-film")).to_contain_text("[ESC]]0;owned[BEL]")
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        assert 0 < page.locator("#replay-film li:visible").count() < whole
        expect(page.locator("#replay-clock")).to_contain_text("0:00 / ")
        assert wrong == []
