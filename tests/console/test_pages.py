"""What all pages have in common, and what they load."""

import re
from pathlib import Path

import pytest

from proctor.console.pages import STATIC, routes
from proctor.console.rendering import environment
from proctor.errors import ClientError
from tests.console.samples import CAROL, DAVE, NOW
from tests.console.stand import Stand, asked, words

PAGES = ("/", "/sessions", "/rules", "/grants", "/kills", "/live", "/approvals/ap_abcdefghijkl0001")


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, reviewer=CAROL)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_stands_alone(stand: Stand, path: str) -> None:
    shown = asked(stand, path).text
    assert shown.count("<main") == shown.count("</main>") == 1
    assert 'lang="en"' in shown
    assert shown.count('aria-current="page"') == 1
    # No address of another host, no inline script, style or handler.
    assert not re.search(r'(?:src|href|action|hx-\w+)="(?:https?:)?//', shown)
    assert not re.search(r"<style| style=|javascript:| on[a-z]+=", shown)
    names = re.findall(r'\sid="([^"]+)"', shown)
    assert len(names) == len(set(names))
    # Every form that changes something carries the session's token.
    for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", shown, re.DOTALL):
        assert 'name="csrf" value="the-page-s-own-token"' in form


@pytest.mark.parametrize(
    "path", [*PAGES[1:], "/inbox", "/events", "/live/changes", "/live/exchanges"]
)
def test_nothing_is_shown_to_who_has_no_role(stand: Stand, path: str) -> None:
    stand.reviewer = DAVE
    answer = asked(stand, path)
    assert answer.status == 403
    assert "rm -rf" not in answer.text
    assert "None of your groups has a role here" in answer.text


def test_what_pages_load_is_there(stand: Stand) -> None:
    for name in re.findall(r'(?:src|href)="/static/([^"]+)"', asked(stand, "/").text):
        assert asked(stand, f"/static/{name}").status == 200
    assert asked(stand, "/static/../pages.py").status == 404
    assert "Zero-Clause BSD" in (STATIC / "LICENSES").read_text()
    assert {each.name for each in STATIC.iterdir()} == {
        "LICENSES",
        "app.css",
        "app.js",
        "htmx.min.js",
        "icon.svg",
        "replay.js",
    }


def test_htmx_runs_nothing_that_comes_as_text(stand: Stand) -> None:
    shown = asked(stand, "/").text
    (config,) = re.findall(r"name=\"htmx-config\" content='([^']+)'", shown)
    for part in ('"allowEval":false', '"allowScriptTags":false', '"historyCacheSize":0'):
        assert part in config
    assert 'version:"2.' in (STATIC / "htmx.min.js").read_text()


def test_templates_of_signing_in() -> None:
    frame: dict[str, object] = {
        "me": None,
        "roles": frozenset(),
        "dev": False,
        "kills_in_force": [],
        "lacking": [],
        "path": "/login",
        "now": NOW,
        "csrf": "c",
    }
    signin = environment().get_template("signin.html")
    error = ClientError("signin-state", "This sign-in is over", hint="Sign in again.")
    given = {"issuer": "https://idp.example", "start": "/login/start", "paste": "", "next": "/"}
    text = words(signin.render(**frame, **given, error=error))
    assert "This sign-in is over. Sign in again." in text
    assert "Sign in at https://idp.example" in text
    nowhere = words(signin.render(**frame, **{**given, "issuer": ""}, error=None))
    assert "Nobody can sign in here" in nowhere
    pasted = signin.render(
        **{**frame, "dev": True}, **{**given, "paste": "/login/token"}, error=None
    )
    assert 'action="/login/token"' in pasted
    assert 'type="password"' in pasted
    asks = environment().get_template("clilogin.html")
    fields = {"state": "<s>"}
    shown = asks.render(**frame, port=4242, action="/login/cli", fields=fields)
    assert "Let the command line on this computer act for you?" in shown
    assert 'name="state" value="&lt;s&gt;"' in shown


def test_routes_have_no_twins(stand: Stand) -> None:
    seen = set()
    for route in routes(stand.house):
        for method in sorted(getattr(route, "methods", None) or {"*"}):
            key = (getattr(route, "path", ""), method)
            assert key not in seen
            seen.add(key)
