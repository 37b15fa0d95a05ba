"""One listener's redaction: looks, says what was found, takes it out, the same each time."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proctor.errors import RefusedError
from proctor.model import Principal
from proctor.protocols.anthropic.request import parse_request
from proctor.redaction.cutting import Cut, Message, cut_http, cut_model
from proctor.redaction.model import Budget, RedactionError, Spot
from proctor.redaction.redactor import Look
from proctor.redaction.screen import INLINE, NAMING, Screen
from proctor.redaction.surrogates import TOKEN
from tests.support.parts import ALICE, BOB
from tests.support.screened import BROKEN, KEY, MAIL, OTHER, TwoPatterns, screens

SIGNATURE = "EqQB" * 20
HEADERS = frozenset({"referer"})


class Here(Executor):
    """Does the work at once, and remembers that it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, work: Any, /, *args: Any, **how: Any) -> Any:
        self.asked += 1
        done: Future[Any] = Future()
        done.set_result(work(*args, **how))
        return done


@contextmanager
def screen(folder: Path, listener: str = "claude", **more: Any) -> Iterator[Screen]:
    with screens(folder / "state", **more) as made:
        found = made.on(listener)
        assert found
        yield found


def body(*said: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": said, **more}).encode()


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def cut(data: bytes) -> Cut:
    return cut_model(Message(b"/v1/messages", (), data), HEADERS, parse_request(data))


def looked(used: Screen, made: Cut) -> Look:
    return asyncio.run(used.look(made.pieces))


def sent(
    used: Screen, data: bytes, principal: Principal = ALICE, redact: dict[str, str] | None = None
) -> bytes:
    made = cut(data)
    out = used.take_out(looked(used, made), redact or {}, principal, None)
    return made.whole(out.sent).content


def failure(used: Screen, made: Cut) -> RedactionError:
    try:
        looked(used, made)
    except RedactionError as error:
        return error
    raise AssertionError("it was looked at")


def test_small_bodies_are_looked_at_at_once_and_large_ones_elsewhere(tmp_path: Path) -> None:
    with screen(tmp_path) as used:
        pool = Here()
        used.parts = replace(used.parts, pool=pool)
        looked(used, cut(body(user(MAIL))))
        assert pool.asked == 0
        large = cut(body(user("x " * INLINE)))
        looked(used, large)
        looked(used, large)  # seen before, so that nothing is left to do
        assert pool.asked == 1


def test_waiting_for_others_costs_nothing_of_the_budget(tmp_path: Path) -> None:
    class Busy(Here):
        def submit(self, work: Any, /, *args: Any, **how: Any) -> Any:
            clock[0] += 60
            return super().submit(work, *args, **how)

    clock = [0.0]
    with screen(tmp_path) as used:
        used.parts = replace(used.parts, pool=Busy(), clock=lambda: clock[0])
        assert looked(used, cut(body(user("x " * INLINE)))).seconds == 60


def test_what_is_too_large_or_fails_is_an_error(tmp_path: Path) -> None:
    with screen(tmp_path, max_size=4096) as used:
        error = failure(used, cut(body(user("x" * 5000))))
        assert error.code == "redaction-size"
        assert used.receipt(None, error).failure == "redaction-size"
        assert failure(used, cut(body(user(BROKEN)))).code == "redaction-detector"


def test_an_answer_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    with screen(tmp_path, max_size=4096) as used:
        made = used.answer(
            content_type="application/json",
            encoding="",
            redact={},
            principal=ALICE,
            session=None,
            judge=None,
        )
        with pytest.raises(RedactionError):
            asyncio.run(used.read(made, json.dumps(["x" * 5000]).encode()))
        assert made.receipt.failure == "redaction-size"


def test_the_budget_and_the_number_of_findings_are_bounded(tmp_path: Path) -> None:
    class Slow(TwoPatterns):
        def analyze(self, text: str, budget: Budget) -> list[Spot]:
            clock[0] += 60
            return super().analyze(text, budget)

    clock = [0.0]
    with screen(tmp_path, analyzer=Slow()) as used:
        used.parts = replace(used.parts, clock=lambda: clock[0])
        with pytest.raises(RedactionError) as caught:
            looked(used, cut(body(user(MAIL))))
    assert caught.value.code == "redaction-budget"


def test_media_can_be_refused(tmp_path: Path) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAAANSUhEUg=="}
    image = user([{"type": "image", "source": source}])
    with screen(tmp_path) as used:
        receipt = used.receipt(looked(used, cut(body(image))))
        assert [reason for reason, _ in receipt.skipped if reason == "image"]
    with screen(tmp_path, media="refuse") as used:
        for _ in range(2):  # also when it was seen before
            assert failure(used, cut(body(image))).code == "redaction-media"


def test_findings_are_those_of_what_is_new(tmp_path: Path) -> None:
    with screen(tmp_path) as used:
        look = looked(used, cut(body(user(MAIL), assistant(KEY), user(OTHER))))
        told = used.findings(look, {})
        assert [(f.location, f.action) for f in told] == [("messages[2].content", "surrogate")]
        assert used.findings(look, {"EMAIL_ADDRESS": "hash"})[0].action == "hash"


def test_two_principals_never_share_a_surrogate(tmp_path: Path) -> None:
    data = body(user(f"{MAIL} {OTHER}"), assistant(MAIL), user("go"))
    with screen(tmp_path) as used:
        mine, theirs = (sent(used, data, who) for who in (ALICE, BOB))
        assert sent(used, data, ALICE) == mine
    tokens = [set(TOKEN.findall(out.decode())) for out in (mine, theirs)]
    assert len(tokens[0]) == len(tokens[1]) == 2
    assert not tokens[0] & tokens[1]


def test_rules_do_not_share_what_is_remembered(tmp_path: Path) -> None:
    data = body(user(MAIL))
    with screen(tmp_path) as used:
        plain = sent(used, data)
        for method, left in [("hash", b"<EMAIL_ADDRESS:"), ("mask", b"<EMAIL_ADDRESS>")]:
            for _ in range(2):
                assert left in sent(used, data, redact={"EMAIL_ADDRESS": method})
        assert MAIL.encode() in sent(used, data, redact={"EMAIL_ADDRESS": "detect"})
        assert sent(used, data) == plain


def test_another_session_and_another_process_write_the_same(tmp_path: Path) -> None:
    data = body(user(f"{MAIL} {KEY}"))
    with screen(tmp_path) as one, screen(tmp_path) as other:
        assert sent(one, data) == sent(other, data)


def test_a_vault_that_forgot_knows_again_what_was_sent(tmp_path: Path) -> None:
    data = body(user(MAIL))
    with screen(tmp_path) as used:
        first = sent(used, data)
        used.parts.vault.forget(ALICE.key, "")
        letters = TOKEN.findall(first.decode())[0][-16:]
        assert used.parts.vault.get(ALICE.key, letters) is None
        assert sent(used, data) == first
        entry = used.parts.vault.get(ALICE.key, letters)
        assert entry
        assert entry.value == MAIL


def test_what_is_refused_is_masked_and_nothing_is_kept_for_it(tmp_path: Path) -> None:
    with screen(tmp_path) as used:
        made = cut(body(user(f"{MAIL} {KEY}")))
        shown = made.whole(used.mask(looked(used, made), {}, ALICE)).content.decode()
        assert MAIL not in shown
        [token] = TOKEN.findall(shown)
        assert used.parts.vault.get(ALICE.key, token[-16:]) is None


def test_a_signed_block_can_be_refused(tmp_path: Path) -> None:
    thinking = {"type": "thinking", "thinking": KEY, "signature": SIGNATURE}
    data = body(user("x"), assistant([thinking]), user("go"))
    with screen(tmp_path) as used:
        assert KEY.encode() in sent(used, data)
    with screen(tmp_path, thinking="refuse") as used:
        with pytest.raises(RefusedError):
            sent(used, data)
        used.parts.redactor.allowed = lambda *_found: True
        assert KEY.encode() in sent(used, data)


# Blocking: see the table in treatment.py.

BLOCK = {"API_KEY": {"request": "block"}}


def blocked(used: Screen, data: bytes, who: Principal = ALICE) -> bool:
    try:
        out = sent(used, data, who)
    except RefusedError:
        return True
    assert KEY.encode() not in out
    return False


def test_what_is_new_blocks_until_more_is_said(tmp_path: Path) -> None:
    with screen(tmp_path, entities=BLOCK) as used:
        assert blocked(used, body(user(KEY)))
        assert blocked(used, body(user(KEY), max_tokens=9, system="other"))
        assert blocked(used, body(user(KEY)), BOB)
        assert not blocked(used, body(user(KEY), user("sorry")))
        assert not blocked(used, body(user(KEY), assistant("ok"), user("go")))
        # Another secret is another matter, and so is the same one in what is said first.
        assert blocked(used, body(user(KEY), user("key-" + "b" * 24)))


def test_a_secret_in_what_comes_with_every_turn_blocks_once(tmp_path: Path) -> None:
    with screen(tmp_path, entities=BLOCK) as used:
        assert blocked(used, body(user("hi"), system=[{"type": "text", "text": KEY}]))
        assert not blocked(
            used, body(user("hi"), user("go"), system=[{"type": "text", "text": KEY}])
        )


def test_a_plain_request_blocks_each_time(tmp_path: Path) -> None:
    with screen(tmp_path, entities=BLOCK) as used:
        for target in (b"/a", b"/b", b"/a"):
            made = cut_http(Message(target, (), KEY.encode()), HEADERS, "", "")
            with pytest.raises(RefusedError):
                used.take_out(looked(used, made), {}, ALICE, None)


# What stands where nothing can be changed.


def test_words_that_are_recorded_are_looked_at(tmp_path: Path) -> None:
    with screen(tmp_path) as used:
        assert used.headers >= NAMING | {"from", "referer"}
        assert used.finds("session", KEY.encode())
        assert not used.finds("session", b"e3b0c442-98fc-1c14-9afb-f4c8996fb924")
        with pytest.raises(RedactionError):
            used.finds("session", BROKEN.encode())
        assert used.method(b"POST") == b"POST"
        assert used.method(KEY.encode()) == used.method(BROKEN.encode()) == b"?"


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (b"/v1/messages?beta=true", b"/v1/messages"),
        (b"/u/" + MAIL.encode() + b"/" + KEY.encode(), b"/u/%3CEMAIL_ADDRESS%3E/%3CAPI_KEY%3E"),
        (b"/u/jane.roe%40acme.test", b"/u/%3CEMAIL_ADDRESS%3E"),
        (b"/" + BROKEN.encode(), b"/"),
        (b"/" + b"a" * 5000, b"/"),
    ],
)
def test_a_path_that_was_not_looked_at(tmp_path: Path, target: bytes, shown: bytes) -> None:
    with screen(tmp_path) as used:
        assert used.path(target) == shown


# Any conversation.

values = st.sampled_from([MAIL, OTHER, KEY, KEY[:-1] + "x"])
words = st.lists(
    st.one_of(values, st.sampled_from(["so", "é", '"', "\\", "{", "\n", "😀", "1.0", "key-"])),
    max_size=5,
).map(" ".join)
leaves = words | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans() | st.none()
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
nested = anything.map(json.dumps)
block = st.one_of(
    words.map(lambda text: {"type": "text", "text": text}),
    st.tuples(
        words,
        words | nested | st.lists(words.map(lambda t: {"type": "text", "text": t}), max_size=2),
        anything,
    ).map(
        lambda t: {"type": "tool_result", "tool_use_id": t[0], "content": t[1], "structured": t[2]}
    ),
    st.tuples(words, anything).map(
        lambda t: {"type": "tool_use", "id": "toolu_1", "name": t[0], "input": t[1]}
    ),
    words.map(lambda t: {"type": "thinking", "thinking": t, "signature": SIGNATURE}),
    words.map(lambda t: {"type": "thinking", "thinking": t}),
    st.tuples(words, words).map(lambda t: {"type": t[0], t[1]: t[1]}),
)
said = st.builds(
    lambda role, content, more: {"role": role, "content": content, **more},
    st.sampled_from(["user", "assistant"]),
    words | st.lists(block, max_size=3),
    st.dictionaries(words.filter(lambda name: name not in {"role", "content"}), leaves, max_size=1),
)
tool = st.builds(
    lambda name, text, schema: {"name": name, "description": text, "input_schema": schema},
    words,
    words,
    anything,
)
requests = st.builds(
    lambda messages, system, tools, metadata, more, indent: json.dumps(
        {
            **{f"x{name}": value for name, value in more.items()},
            "model": "m",
            "system": system,
            "messages": messages,
            "tools": tools,
            "metadata": metadata,
        },
        indent=indent,
        ensure_ascii=bool(indent),
    ),
    st.lists(said, max_size=4),
    words | st.lists(words.map(lambda text: {"type": "text", "text": text}), max_size=2),
    st.lists(tool, max_size=2),
    st.dictionaries(words, words, max_size=2),
    st.dictionaries(words, anything, max_size=2),
    st.sampled_from([None, 1]),
)


def leaves_of(value: Any, *, thinking: bool = True) -> Iterator[str]:
    """All texts and names that a receiver would read, JSON in texts read, too."""
    if isinstance(value, dict):
        signed = value.get("type") == "thinking" and "signature" in value
        for name, held in value.items():
            yield name
            if thinking or not (signed and name == "thinking"):
                yield from leaves_of(held, thinking=thinking)
    elif isinstance(value, list):
        for held in value:
            yield from leaves_of(held, thinking=thinking)
    elif isinstance(value, str):
        yield value


def like(before: Any, after: Any) -> bool:
    """Whether two values differ in nothing but texts in which something was found."""
    if isinstance(before, dict):
        return (
            isinstance(after, dict)
            and len(before) == len(after)
            and all(
                like(b, a)
                for pair in zip(before.items(), after.items(), strict=True)
                for b, a in zip(*pair, strict=True)
            )
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(map(like, before, after))
    if isinstance(before, str) and any(v in before for v in (MAIL, OTHER, "key-Zq")):
        return isinstance(after, str)
    return type(before) is type(after) and bool(before == after)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with screen(tmp_path_factory.mktemp("screen")) as made:
        yield made


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=requests, forgets=st.booleans())
def test_no_value_leaves_whatever_it_stands_in(used: Screen, text: str, *, forgets: bool) -> None:
    data = text.encode()
    made = cut(data)
    look = looked(used, made)
    outcome = used.take_out(look, {}, ALICE, None)
    left, record = (made.whole(parts).content for parts in (outcome.sent, outcome.record))
    for value in (MAIL, OTHER, KEY, KEY[:-1] + "x"):
        assert not any(value in text for text in leaves_of(json.loads(left), thinking=False))
        assert not any(value in text for text in leaves_of(json.loads(record)))
        assert value not in repr(used.findings(look, {}))
    assert like(json.loads(data), json.loads(left))
    parse_request(left)
    if forgets:
        used.parts.vault.forget(ALICE.key, "")
    assert sent(used, data) == left  # from what is remembered
    # What was redacted is not redacted again, so that it may come back in a history.
    assert sent(used, left) == left
    found = [piece for piece, sight in zip(made.pieces, look.sights, strict=True) if sight.found]
    if not found:
        assert left == record == data


def test_names_of_members_that_would_become_the_same(used: Screen) -> None:
    names = [f"x{KEY}", "m", f"x{KEY[:-1]}x", f"y{KEY}", "x<API_KEY>~2"]
    data = json.dumps({"model": "m", "messages": [], **dict.fromkeys(names, 1)}).encode()
    left = sent(used, data)
    shown = ["x<API_KEY>", "m", "x<API_KEY>~3", "y<API_KEY>", "x<API_KEY>~2"]
    assert list(json.loads(left)) == ["model", "messages", *shown]
    assert sent(used, left) == left


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_history_is_the_same_bytes_in_any_order_of_turns(
    used: Screen, data: st.DataObject
) -> None:
    """Each turn repeats the ones before; some come twice, some from another session."""
    turns = data.draw(st.lists(said, min_size=1, max_size=5))
    order = data.draw(st.lists(st.integers(1, len(turns)), min_size=2, max_size=6))
    seen: dict[int, bytes] = {}
    for count in order:
        if data.draw(st.booleans()):
            used.parts.vault.forget(ALICE.key, "")
        out = sent(used, json.dumps({"model": "m", "messages": turns[:count]}).encode())
        assert seen.setdefault(count, out) == out
    for shorter in seen:
        for longer in seen:
            first, second = (json.loads(seen[count])["messages"] for count in (shorter, longer))
            common = min(len(first), len(second))
            assert first[:common] == second[:common]


def test_looking_in_two_threads_gives_what_one_gives(tmp_path: Path) -> None:
    bodies = [body(user(f"{MAIL} {KEY} {number} " + "x " * 200)) for number in range(40)]
    with screen(tmp_path) as one:
        alone = [sent(one, data) for data in bodies]
    with screen(tmp_path) as shared:
        found: dict[int, list[bytes]] = {}

        def work(number: int) -> None:
            found[number] = [sent(shared, data) for data in bodies]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[number] for number in range(3)] == [alone] * 3
