"""A second person: somebody who signs in to the console in Chromium and decides what is held."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from proctor.testing.gateway import COMMAND, environment

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 30.0
SHOTS = os.environ.get("PROCTOR_SHOTS")
"""A folder for screenshots, for whoever wants to look at them."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none, except in CI."""
    if CHROMIUM is None:
        why = "chromium is not there; scripts/setup-chromium installs it"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        # Without its own sandbox where it is root, as in a container; it sees these pages only.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody before the console.

    Attributes:
        page: What they look at.
        address: Of the console, such as `http://127.0.0.1:9090`.
    """

    page: Page
    address: str

    @classmethod
    def sits_down(cls, browser: Browser, address: str) -> "Person":
        """A new window, in which nobody is signed in."""
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(PATIENCE * 1000)
        return cls(page, address)

    def pastes(self, token: str) -> None:
        """Sign in with a token of the local issuer; under --dev only."""
        self.page.goto(self.address)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in with it").click()
        expect(self.page.locator("#count")).to_be_visible()

    def signs_in(self, name: str) -> None:
        """Sign in at the provider of `oidc_provider_mock`."""
        self.page.goto(f"{self.address}/login/start")
        self.page.get_by_role("button", name=f"Authorize as {name}", exact=True).click()
        self.page.wait_for_url(f"{self.address}/**")

    def logs_in(self, config: Path, home: Path) -> str:
        """`proctor login` by this person, who is signed in already, in a home of their own."""
        with subprocess.Popen(
            [*COMMAND, "login", "--no-browser", "--console", self.address],
            cwd=config.parent,
            env=environment() | {"HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr
                told = process.stderr.readline()
                found = re.search(r"Sign in here: (\S+)", told)
                assert found, told + process.stderr.read()
                self.page.goto(found[1])
                self.page.get_by_role("button", name="Yes, let it").click()
                expect(self.page.get_by_role("heading")).to_have_text("Back to the terminal")
                return process.communicate(timeout=PATIENCE)[0]
            finally:
                process.kill()

    def waits(self) -> None:
        """Look at the inbox."""
        self.page.goto(self.address)
        expect(self.page.locator("#count")).to_be_visible()

    def sees(self, text: str) -> None:
        """Wait at the inbox until an action with this in its summary shows up; open its card."""
        row = self.page.locator(".row", has_text=text)
        expect(row).to_have_count(1, timeout=PATIENCE * 1000)
        row.click()
        expect(self.page.locator("#card")).to_contain_text(text)

    def approves(self, reason: str = "") -> None:
        """What is on the card."""
        self._answers("Approve", reason, "Your answer is on record.")

    def denies(self, reason: str = "") -> None:
        """What is on the card."""
        self._answers("Deny", reason, "Your answer is on record.")

    def keeps(self, name: str) -> None:
        """Keep a screenshot of the page, if anybody wants one."""
        if SHOTS:
            self.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)

    def _answers(self, button: str, reason: str, then: str) -> None:
        card = self.page.locator("#card")
        card.locator("#reason").fill(reason)
        card.get_by_role("button", name=button).first.click()
        expect(card.get_by_role("status")).to_have_text(then)
