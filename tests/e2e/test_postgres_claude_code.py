"""Claude Code at the database: masked e-mails, seven ways that fail, and a DROP that waits."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proctor.testing import gateway
from proctor.testing.standin import StandIn, serving
from tests.e2e.conftest import ClaudeCode, needs_claude_code
from tests.postgres.conftest import postgres
from tests.postgres.gateway import Through, through
from tests.postgres.server import Server
from tests.support import clients
from tests.support.errand import Errand, bash, call
from tests.support.leaks import contents, found
from tests.support.reviewing import Person, chromium

__all__ = ["postgres"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MAILS = ("bob.builder@example.com", "eve.online@example.org", "mallory@example.net")

SCHEMA = f"""
CREATE TABLE users (id int PRIMARY KEY, name text, email text);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total int);
INSERT INTO users VALUES
  (1, 'Bob', '{MAILS[0]}'), (2, 'Eve', '{MAILS[1]}'), (3, 'Mallory', '{MAILS[2]}');
INSERT INTO orders SELECT n, 1 + n % 3, n * 10 FROM generate_series(1, 1234) n;
ALTER TABLE users OWNER TO orders_app;
ALTER TABLE orders OWNER TO orders_app;
"""  # noqa: S608 - ours

RULES = """\
rules:
  - {id: model, on: [llm.request, llm.tool_use], then: allow}
  - {id: statements, on: sql.statement, then: allow}
  - id: schema-changes
    on: sql.statement
    when: sql.verbs.exists(v, v in ["CREATE", "ALTER", "DROP", "TRUNCATE"])
    then: hold
    approval: {from: [reviewers], wait: 2m, ttl: 10m}
    reason: Schema changes need a second pair of eyes.
"""

MASKED = """\
masking:
  columns:
    - {table: public.users, column: email, with: partial}
"""

READS = "SELECT o.id, u.email FROM orders o JOIN users u ON u.id = o.user_id ORDER BY o.id LIMIT 3"
TRICKS = (
    "SELECT upper(email) FROM users",
    "SELECT name FROM users WHERE email LIKE 'bob%'",
    "SELECT row_to_json(u) FROM users u",
    "SELECT email::bytea FROM users",
    "COPY users TO STDOUT",
    "SELECT CAST(email AS int) FROM users",
    "CREATE TEMP TABLE mine AS SELECT email FROM users",
)
DROP = "DROP TABLE orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A session that has ended.

    Attributes:
        through: What it went through.
        session: Its id.
        said: What Claude Code printed, as lines of JSON.
        card: What bob was shown.
        timeline: The session's page afterwards.
        home: Claude Code's.
        asked: What the model was asked.
    """

    through: Through
    session: str
    said: str
    card: str
    timeline: str
    home: Path
    asked: list[bytes]

    def result(self, step: int) -> str:
        """What a step's tool said, as Claude Code told the model."""
        for line in self.said.splitlines():
            told = json.loads(line)
            if told["type"] == "user":
                (block,) = told["message"]["content"]
                if block["tool_use_id"] == call(step):
                    return str(block["content"])
        raise AssertionError(f"no result of step {step}:\n{self.said}")


def psql(sql: str) -> str:
    """As an agent would ask."""
    return f'psql -X -c "{sql}" 2>&1'


@pytest.fixture(scope="module")
def run(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    needs_claude_code()
    clients.needs("psql")
    folder = tmp_path_factory.mktemp("errand")
    for name in ("home", "work"):
        (folder / name).mkdir()
    database = postgres.fresh(SCHEMA)
    errand = Errand(steps=[bash(psql(sql)) for sql in (READS, *TRICKS, DROP)])
    session = str(uuid.uuid4())
    with (
        serving(StandIn(script=errand, api_key="the-real-key")) as model,
        through(
            postgres,
            rules=RULES,
            listener=MASKED,
            before=(
                "  - {name: claude, kind: reverse, listen: 127.0.0.1:0,"
                f" upstream: '{model.url}', speaks: anthropic, credential: anthropic}}\n"
            ),
            credentials="  - {name: anthropic, header: x-api-key, value: {env: MODEL_KEY}}\n",
            env={"MODEL_KEY": "the-real-key"},
        ) as made,
        chromium() as browser,
        ThreadPoolExecutor(1) as pool,
    ):
        bob = Person.sits_down(browser, f"http://{made.gateway.console}")
        bob.pastes(made.person())
        token = made.token()
        claude = ClaudeCode(folder=folder, url=made.gateway.url("claude"))
        reached: dict[str, str] = {
            "PGHOST": made.host,
            "PGPORT": str(made.port),
            "PGDATABASE": database,
            "PGUSER": "claude",
            "PGPASSWORD": token,
            "PGAPPNAME": session,
            "PGGSSENCMODE": "disable",
        }
        waiting = pool.submit(
            claude.run,
            *("--session-id", session, "--output-format", "stream-json", "--verbose"),
            "Look at the orders.",
            token=token,
            **reached,
        )
        bob.sees(DROP)
        bob.keeps("drop")
        card = bob.page.locator("#card").inner_text()
        assert not waiting.done()
        assert postgres.execute("SELECT count(*) FROM orders", database=database) == [(1234,)]
        bob.approves("It is only a test")
        done = waiting.result(120)
        assert done.returncode == 0, done.stderr + done.stdout
        assert postgres.execute("SELECT to_regclass('orders')", database=database) == [(None,)]
        bob.page.goto(f"{bob.address}/sessions")
        bob.page.get_by_role("link", name=session[:8]).first.click()
        bob.keeps("session")
        timeline = bob.page.locator("main").inner_text()
        yield Run(
            through=made,
            session=session,
            said=done.stdout,
            card=card,
            timeline=timeline,
            home=folder,
            asked=[request.body for request in model.requests],
        )


def test_it_reads_orders_with_masked_mails(run: Run) -> None:
    told = run.result(0)
    assert "e***@***.org" in told
    assert "(3 rows)" in told


@pytest.mark.parametrize("number", range(len(TRICKS)))
def test_a_trick_fails(run: Run, number: int) -> None:
    told = run.result(1 + number)
    assert "ERROR" in told
    assert "public.users.email" in told or "masked" in told


def test_no_mail_came_out_anywhere(run: Run) -> None:
    planted: dict[str, str] = dict(zip(("bob", "eve", "mallory"), MAILS, strict=True))
    kept = contents(run.through.folder / "recordings")
    seen = [run.said.encode(), *run.asked, *contents(run.home)]
    assert found(planted, *seen, *kept) == []


def test_the_drop_waited_with_the_row_count_in_view(run: Run) -> None:
    assert "1234" in run.card.replace(",", "")
    assert "DROP TABLE" in run.result(1 + len(TRICKS))


def test_everything_is_on_record(run: Run) -> None:
    statements: list[dict[str, Any]] = run.through.recorded(
        "sql, verdict, rule_id, masked_columns, approval_id, error",
        f"session_id = '{run.session}'",
    )
    assert [each["sql"] for each in statements] == [READS, *TRICKS, DROP]
    assert [each["verdict"] for each in statements] == ["allow", *["deny"] * 7, "hold"]
    assert statements[0]["masked_columns"] == ["public.users.email"]
    assert statements[-1]["approval_id"]
    assert statements[-1]["error"] is None


def test_the_session_replays_from_the_record(run: Run) -> None:
    told = gateway.command(
        *("replay", run.session, "--speed", "100"), cwd=run.through.folder, COLUMNS="200"
    )
    assert told.returncode == 0, told.stderr
    at = 0
    for words in ("orders o JOIN users u", *(trick[:20] for trick in TRICKS), DROP):
        at = told.stdout.find(words, at)
        assert at >= 0, f"{words!r} is not where it belongs:\n{told.stdout}"


def test_the_console_shows_it(run: Run) -> None:
    for sql in (READS, *TRICKS, DROP):
        assert sql in run.timeline
