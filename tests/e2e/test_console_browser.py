"""The console in a real browser: Debian's Chromium, driven by Playwright."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from proctor.approval.model import Reviewer, State
from tests.console.samples import (
    BOB,
    CAROL,
    DAVE,
    NOW,
    STRICT,
    approval,
    asking,
    held_in_story,
    hostile,
    put_on_record,
    samples,
    vote,
)
from tests.console.stand import Stand, served
from tests.console.standin import StandIn
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, others, record, story

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FIRST, TWO = "ap_abcdefghijkl0001", "ap_abcdefghijkl0002"
PAGES = ("/", "/?show=settled", "/sessions", "/rules", "/grants", "/kills", "/live")
SESSION_PAGE = f"/sessions/one?id={SESSION}&principal={ALICE.key.replace('#', '%23')}"


@dataclass
class Console:
    """A console that is served, and a browser before it."""

    stand: Stand
    address: str
    browser: Browser
    said: list[str]

    def open(
        self,
        path: str = "/",
        *,
        who: Reviewer = BOB,
        width: int = 1280,
        dark: bool = False,
        still: bool = False,
    ) -> Page:
        """A page, at the stand's time; what the browser complains of is noted."""
        self.stand.reviewer = who
        context = self.browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
        )
        page = context.new_page()
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        page.clock.install(time=NOW)
        page.goto(self.address + path)
        page.wait_for_function("document.getElementById('theme').textContent !== 'Theme'")
        return page

    def state(self, name: str) -> State:
        return self.stand.desk.all[name].state


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    record(folder / "recordings", story, others)
    put_on_record(folder / "recordings", held_in_story())
    return folder


@pytest.fixture(scope="module")
def browser(recordings: Path) -> Iterator[Browser]:  # noqa: ARG001 - made before this
    # After the record is made: Playwright has its own event loop run in this thread.
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not there; scripts/setup-chromium installs it")
        pytest.skip("chromium is not there; scripts/setup-chromium installs it")
    with sync_playwright() as playwright:
        # Without its own sandbox where it is root, as in a container; it sees this page only.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def console(browser: Browser, recordings: Path) -> Iterator[Console]:
    stand = Stand(recordings, desk=StandIn(samples()))
    with served(stand) as address:
        made = Console(stand, address, browser, [])
        yield made
        for context in browser.contexts:
            context.close()
    assert made.said == [], "the browser complained"


def rows(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".row", "each => each.map(row => row.dataset.id.slice(-2))"
    )
    return found


def test_the_inbox_updates_by_itself(console: Console) -> None:
    page = console.open()
    expect(page).to_have_title("(5) Held · proctor")
    console.stand.desk.put(approval(asking("Bash", "shred -u keys", number=7), 7, ago=-1))
    expect(page.locator("#row-ap_abcdefghijkl0007")).to_contain_text("shred -u keys")
    expect(page.locator("#row-ap_abcdefghijkl0007")).to_have_class(re.compile("fresh"))
    expect(page).to_have_title("(6) Held · proctor")
    expect(page.locator("#count")).to_have_text("6")
    expect(page.locator("#said")).to_have_text("1 new: Bash")
    one = console.stand.desk.all[FIRST]
    console.stand.desk.put(replace(one, state=State.EXPIRED, decided_at=NOW))
    expect(page.locator(f"#row-{FIRST}")).to_have_count(0)
    expect(page).to_have_title("(5) Held · proctor")


def test_all_tabs_hear_of_it_by_one_stream(console: Console) -> None:
    console.stand.reviewer = BOB
    context = console.browser.new_context()
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(console.address)
    expect(pages[-1].locator("#count")).to_have_text("5")
    console.stand.desk.put(approval(asking("Bash", "shred -u keys", number=7), 7, ago=-1))
    for page in pages:
        expect(page.locator("#count")).to_have_text("6")
    assert len(console.stand.desk.followers) == 1
    pages[0].close()
    console.stand.desk.put(approval(asking("Bash", "shred -u more", number=8), 8, ago=-1))
    expect(pages[-1].locator("#count")).to_have_text("7")


def test_keys(console: Console) -> None:
    page = console.open()
    chosen = page.locator(".row[aria-current]")
    card = page.locator("#card")
    expect(chosen).to_have_attribute("data-id", TWO)
    page.keyboard.press("j")
    expect(chosen).to_have_attribute("data-id", FIRST)
    expect(card).to_have_attribute("data-id", FIRST)
    page.keyboard.press("k")
    expect(card).to_have_attribute("data-id", TWO)
    page.keyboard.press("k")  # the broken glass on top
    expect(card).to_contain_text("kubectl rollout undo")
    page.keyboard.press("a")
    expect(page.locator("#said")).to_have_text("Nothing to decide here.")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(card).to_have_attribute("data-id", FIRST)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/approvals/{FIRST}$"))
    assert {each.state for each in console.stand.desk.all.values() if each.id in {FIRST, TWO}} == {
        State.PENDING
    }


def test_a_approves_what_is_shown_and_no_more(console: Console) -> None:
    page = console.open()
    page.keyboard.press("j")
    expect(page.locator("#card")).to_have_attribute("data-id", FIRST)
    page.keyboard.press("a")
    expect(page.locator("#card .done")).to_have_text("Your answer is on record.")
    assert console.state(FIRST) is State.APPROVED
    expect(page.locator(f"#row-{FIRST}")).to_have_count(0)
    # It stays on what was decided: another press must not decide what nobody has read.
    page.keyboard.press("a")
    expect(page.locator("#card")).to_have_attribute("data-id", FIRST)
    waiting = [each for each in console.stand.desk.all.values() if each.state is State.PENDING]
    assert len(waiting) == 4
    page.keyboard.press("j")
    expect(page.locator("#card")).to_have_attribute("data-id", "ap_abcdefghijkl0003")


def test_d_denies_with_the_words_of_the_reviewer(console: Console) -> None:
    page = console.open()
    page.keyboard.press("j")
    expect(page.locator("#card")).to_have_attribute("data-id", FIRST)
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("Not before the backup")  # a, d, j and k among it
    page.keyboard.press("Enter")  # no answer was chosen
    page.keyboard.press("Escape")
    assert console.state(FIRST) is State.PENDING
    page.keyboard.press("d")
    expect(page.locator("#card > header .state")).to_have_text("denied")
    assert console.stand.desk.all[FIRST].reason == "Not before the backup"


def test_a_rule_that_wants_a_reason_gets_one(console: Console) -> None:
    page = console.open()
    expect(page.locator("#card")).to_have_attribute("data-id", TWO)
    page.keyboard.press("d")
    expect(page.locator("#reason")).to_be_focused()
    expect(page.locator("#said")).to_have_text("The rule wants a reason.")
    assert console.state(TWO) is State.PENDING
    page.keyboard.type("Tell the team first")
    page.keyboard.press("Enter")
    expect(page.locator("#card > header .state")).to_have_text("denied")
    assert console.stand.desk.all[TWO].reason == "Tell the team first"


def test_somebody_else_decides_meanwhile(console: Console) -> None:
    page = console.open(f"/approvals/{TWO}")
    one = console.stand.desk.all[TWO]
    votes = (*one.votes, vote(CAROL, approve=False, reason="No"))
    console.stand.desk.put(replace(one, state=State.DENIED, by=CAROL.key, votes=votes))
    expect(page.locator("#card > header .state")).to_have_text("denied")
    expect(page.locator("#card form.decide")).to_have_count(0)


def test_what_was_typed_is_kept(console: Console) -> None:
    page = console.open(f"/approvals/{TWO}")
    page.locator("#reason").fill("I wonder")
    one = console.stand.desk.all[TWO]
    console.stand.desk.put(replace(one, state=State.EXPIRED, decided_at=NOW))
    expect(page.locator("#said")).to_have_text("This has changed meanwhile: now expired.")
    expect(page.locator("#reason")).to_have_value("I wonder")
    page.locator("[data-key=a]").click()
    expect(page.locator("#card [role=alert]")).to_contain_text("It is expired already")
    assert console.state(TWO) is State.EXPIRED


def test_choosing_again_what_is_shown_takes_nothing_away(console: Console) -> None:
    page = console.open()
    expect(page.locator("#card")).to_have_attribute("data-id", TWO)
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - it marks this
    page.locator("#reason").fill("I wonder")
    page.locator(f"#row-{TWO}").click()
    console.stand.desk.put(approval(asking("Bash", "shred -u keys", number=7), 7, ago=-1))
    expect(page.locator("#count")).to_have_text("6")
    cards = [each for each in asked if "/approvals/" in each.url and "/inbox" not in each.url]
    assert [each.url for each in cards if "hx-target" in each.headers] == []  # to be put there
    # Whether it has changed, when something else has, or when the stream of changes begins.
    assert {each.url for each in cards} == {f"{console.address}/approvals/{TWO}"}
    expect(page.locator("#reason")).to_have_value("I wonder")
    page.locator(f"#row-{FIRST}").click()
    expect(page.locator("#card")).to_have_attribute("data-id", FIRST)
    page.locator(f"#row-{TWO}").click()
    expect(page.locator("#card")).to_have_attribute("data-id", TWO)
    put = [each.url for each in asked if "hx-target" in each.headers and "/approvals/" in each.url]
    assert put == [f"{console.address}/approvals/{name}" for name in (FIRST, TWO)]


def test_grant_reveal_and_glass_by_mouse(console: Console) -> None:
    page = console.open(f"/approvals/{FIRST}")
    page.get_by_text("let the same pass for a while").click()
    page.get_by_label("At most").fill("2")
    page.get_by_role("button", name="Approve and grant").click()
    expect(page.locator("#card")).to_contain_text("gave the grant")
    page = console.open("/approvals/ap_abcdefghijkl0003", who=CAROL)
    page.get_by_label("Why do you need to see it?").fill("Is it a test customer?")
    page.get_by_role("button", name="Reveal, on record").click()
    expect(page.locator(".revealed")).to_contain_text("buyer@customer.example")
    page = console.open(f"/approvals/{TWO}", who=CAROL)
    page.get_by_text("Break the glass…").click()
    page.get_by_label("Why can it not wait?").fill("The shop is down")
    page.get_by_role("button", name="Break the glass and approve").click()
    assert console.state(TWO) is State.PENDING  # the box was not ticked
    page.get_by_label("I have read what would happen").check()
    page.get_by_role("button", name="Break the glass and approve").click()
    expect(page.locator("#card")).to_contain_text("by breaking the glass")
    assert console.stand.desk.all[TWO].break_glass


def test_asking_for_a_grant(console: Console) -> None:
    page = console.open("/grants")
    form = page.locator("form[data-api]")
    form.get_by_label("What is to pass").fill("Bash(rm -rf build)")
    form.get_by_label("Why").fill("All morning")
    form.get_by_role("button", name="Ask").click()
    expect(form.locator(".answer")).to_have_text("Asked. Reviewers see it as ap_abcdefghijkl0077.")


def test_kill_and_lift(console: Console) -> None:
    page = console.open("/kills", who=CAROL)
    page.get_by_label("Which").fill(SESSION)
    page.get_by_label("Why", exact=True).fill("It runs in circles")
    page.get_by_role("button", name="End it now").click()
    expect(page.locator(".banner.kill")).to_contain_text("It runs in circles")
    page.get_by_role("button", name="Lift").click()
    expect(page.locator(".banner.kill")).to_have_count(0)


def test_live_page(console: Console) -> None:
    page = console.open("/live", who=CAROL)
    expect(page.locator(".feed li").first).to_contain_text("git push --force")
    console.stand.desk.put(approval(asking("Bash", "shred -u keys", number=7), 7, ago=-1))
    expect(page.locator(".feed li").first).to_contain_text("shred -u keys")
    expect(page.get_by_role("region", name="The newest exchanges")).to_contain_text("bob")


def test_markup_stays_text_in_every_field(console: Console) -> None:
    console.stand.desk.put(hostile())
    for path in ("/", "/approvals/ap_abcdefghijkl0066", "/live"):
        page = console.open(path)
        assert page.locator("main img, main script").count() == 0
        expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.evaluate("document.scripts.length") == 2
    page = console.open("/")
    page.locator("#row-ap_abcdefghijkl0066").click()
    expect(page.locator("#card-title")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("#card img, #card script").count() == 0
    # That nothing was run, loaded or refused by the CSP is what the fixture checks.


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_page_scrolls_sideways(console: Console, width: int) -> None:
    console.stand.desk.put(hostile())
    console.stand.desk.put(
        approval(asking("Bash", "echo " + "x" * 3000, number=9, demands=(STRICT,)), 9, ago=2)
    )
    everything = (*PAGES, SESSION_PAGE, *(f"/approvals/{name}" for name in console.stand.desk.all))
    page = console.open("/", who=CAROL, width=width)
    for path in everything:
        page.goto(console.address + path)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    if width == 360:
        page.goto(console.address)
        expect(page.locator("#pane")).to_be_hidden()
        page.locator(f"#row-{FIRST}").click()
        expect(page).to_have_url(re.compile(f"/approvals/{FIRST}$"))


LUMINANCE = """() => {
  // WCAG 2.2, 1.4.3: contrast of text with what is behind it.
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const color = rgb(style.backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.textContent.trim());
    const box = node.getBoundingClientRect();
    if (!own || !box.width || node.closest(".away, .skip, dialog, [hidden]")) continue;
    const a = light(rgb(getComputedStyle(node).color)), b = light(behind(node));
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.push(`${node.className || node.tagName}: ${contrast.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_dark_and_light_are_readable(console: Console, *, dark: bool) -> None:
    console.stand.dev = True
    page = console.open("/", who=CAROL, dark=dark, still=True)
    for path in (*PAGES, SESSION_PAGE, *(f"/approvals/{name}" for name in console.stand.desk.all)):
        page.goto(console.address + path)
        assert page.evaluate(LUMINANCE) == [], path
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", color))) < 200) is dark


def test_the_theme_can_be_chosen_and_is_kept(console: Console) -> None:
    page = console.open()
    switch = page.locator("#theme")
    expect(switch).to_have_text("Auto")
    switch.click()
    expect(switch).to_have_text("Light")
    switch.click()
    expect(switch).to_have_text("Dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    switch.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


NAMELESS = """() => {
  const found = [];
  const name = (node) => node.getAttribute("aria-label") || node.innerText.trim() || node.title
    || (node.labels && [...node.labels].map((l) => l.textContent).join(" ").trim())
    || node.textContent.trim();
  const all = "a, button, input, select, summary, dialog";
  for (const node of document.querySelectorAll(all)) {
    if (node.type === "hidden") continue;
    if (!name(node) && !node.getAttribute("aria-labelledby"))
      found.push(node.outerHTML.slice(0, 80));
  }
  for (const node of document.querySelectorAll("[aria-labelledby]"))
    for (const id of node.getAttribute("aria-labelledby").split(" "))
      if (!document.getElementById(id)) found.push("no " + id);
  for (const table of document.querySelectorAll("table"))
    for (const head of table.querySelectorAll("th"))
      if (!head.scope) found.push("a th without scope");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (document.documentElement.lang !== "en") found.push("no language");
  if (!document.title) found.push("no title");
  return found;
}"""


def test_names_and_roles(console: Console) -> None:
    for who in (BOB, CAROL, DAVE):
        page = console.open("/", who=who)
        paths = ("/",) if who is DAVE else (*PAGES, SESSION_PAGE, f"/approvals/{FIRST}")
        for path in paths:
            if path == SESSION_PAGE and who is BOB:
                continue
            page.goto(console.address + path)
            assert page.evaluate(NAMELESS) == [], path
        page.context.close()
    page = console.open()
    expect(page.locator("#said")).to_have_attribute("aria-live", "polite")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"


def test_countdowns_tick_and_motion_can_be_less(console: Console) -> None:
    page = console.open(still=True)
    shown = page.locator(f"#row-{FIRST} .countdown")
    before = shown.inner_text()
    assert re.fullmatch(r"28:5\d", before)
    page.clock.run_for(30_000)
    assert shown.inner_text() < before
    console.stand.desk.put(approval(asking("Bash", "shred -u keys", number=7), 7, ago=-1))
    fresh = page.locator("#row-ap_abcdefghijkl0007")
    expect(fresh).to_have_class(re.compile("fresh"))
    assert fresh.evaluate("row => getComputedStyle(row).animationName") == "none"
    page.clock.run_for(3_600_000)
    expect(shown).to_have_text("over")


def test_pages_work_without_a_script(console: Console) -> None:
    context = console.browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.address}/approvals/{FIRST}")
    page.get_by_label("Reason").fill("Fine")
    page.get_by_role("button", name="Approve", exact=False).first.click()
    expect(page.locator("#card > header .state")).to_have_text("approved")
    assert console.stand.desk.all[FIRST].reason == "Fine"
    assert rows(page) == []
