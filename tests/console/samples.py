"""People, and what they could be asked, in earnest and in malice."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proctor.approval.model import (
    Approval,
    Asking,
    Card,
    Change,
    Hidden,
    Part,
    Reviewer,
    Role,
    State,
    Via,
    Vote,
)
from proctor.approval.records import envelope
from proctor.audit.recorder import Recorder
from proctor.model import ActionKind, ApprovalTerms
from tests.support.parts import ALICE
from tests.support.recorded import SESSION, START

NOW = datetime(2026, 1, 2, 10, 42, 31, tzinfo=UTC)


ISSUER = "https://idp.example/realms/corp"


HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(1)</script>{{7*7}}\u202e\u200b"


def person(
    subject: str,
    *roles: Role,
    groups: tuple[str, ...] = ("platform",),
    human: str | None = None,
) -> Reviewer:
    """Somebody who has signed in."""
    return Reviewer(
        issuer=ISSUER,
        subject=subject,
        human=human,
        name=subject.capitalize(),
        groups=groups,
        roles=frozenset(roles),
        signed_in_at=NOW - timedelta(minutes=20),
        via=Via.CONSOLE,
    )


BOB = person("bob", Role.REVIEWER, groups=("platform", "dba"))


CAROL = person("carol", *Role, groups=("platform", "sec"))


DAVE = person("dave", groups=("sales",))


TERMS = ApprovalTerms(
    rule_id="destructive-shell",
    rule_reason="Deleting many files at once needs a second pair of eyes.",
    from_groups=("platform",),
    grant=timedelta(hours=1),
)


STRICT = ApprovalTerms(
    rule_id="schema-changes",
    rule_reason="Schema changes need two people, and a reason.",
    from_groups=("dba", "platform"),
    count=2,
    reason_required=True,
)


def asking(
    title: str,
    command: str,
    *,
    number: int = 0,
    subject: str = "alice",
    demands: tuple[ApprovalTerms, ...] = (TERMS,),
    **more: Any,
) -> Asking:
    """One held tool call."""
    rest = {"description": "Remove the build folder", "timeout": 120000}
    parts = (
        Part(name="command", kind="command", text=command),
        Part(name="input", kind="json", text=json.dumps(more.pop("rest", rest))),
    )
    card = more.pop("card", None) or Card(
        title=title,
        summary=" ".join(command.split())[:300],
        parts=parts,
        hidden=more.pop("hidden", ()),
        findings=more.pop("findings", ()),
        prompt=more.pop("prompt", "Clean up the build folder and run the tests again."),
        tool_use_id=f"toolu_{number}",
    )
    given: dict[str, Any] = {
        "kind": ActionKind.LLM_TOOL_USE,
        "listener": "claude",
        "digest": f"{number:064x}",
        "target": title,
        "shape": f"{title}({command.split(' ', maxsplit=1)[0]})",
        "pattern": f"{title}({command[:60]})",
        "principal": f"{ISSUER}#{subject}",
        "subject": subject,
        "groups": ("developers", "payments"),
        "session": "3f2a7c1e-0000-4000-8000-000000000001",
        "session_started": NOW - timedelta(minutes=31),
        "flow_id": f"f{number:04d}-0000",
        "demands": demands,
        "policy_version": "sha256:" + "ab" * 32,
        "ttl": timedelta(minutes=30),
        "card": card,
    }
    return Asking(**{**given, **more})


def approval(asked: Asking, number: int, *, ago: float = 0.0, **more: Any) -> Approval:
    """An approval of it, asked for `ago` seconds before NOW."""
    then = NOW - timedelta(seconds=ago)
    given: dict[str, Any] = {
        "id": f"ap_{'abcdefghijklmnop'[:12]}{number:04d}",
        "asking": asked,
        "nonce": "n",
        "state": State.PENDING,
        "requested_at": then,
        "expires_at": then + asked.ttl,
    }
    return Approval(**{**given, **more})


def vote(who: Reviewer, *, approve: bool, reason: str = "", ago: float = 0.0, **more: Any) -> Vote:
    """What somebody said."""
    return Vote(
        reviewer=who.key,
        identities=who.identities,
        name=who.name,
        groups=who.groups,
        approve=approve,
        reason=reason,
        at=NOW - timedelta(seconds=ago),
        via=who.via,
        **more,
    )


def samples() -> list[Approval]:
    """Some of every kind."""
    before = asking(
        "Bash", "rm -rf dist", number=90, rest={"description": "Clean", "timeout": 60000}
    )
    http = Card(
        title="POST https://api.internal/v1/orders",
        summary='{"customer": "EMAIL_ADDRESS_bcdfghjklmnpqrst", "items": 3}',
        parts=(
            Part(name="address", kind="text", text="https://api.internal/v1/orders?dry=false"),
            Part(
                name="headers",
                kind="headers",
                text="content-type: application/json\nx-request-id: 7d1c\naccept: */*",
            ),
            Part(
                name="body",
                kind="json",
                text=json.dumps(
                    {
                        "customer": "EMAIL_ADDRESS_bcdfghjklmnpqrst",
                        "items": [{"sku": "A-100", "count": 3}, {"sku": "B-7", "count": 1}],
                        "note": "first line\nsecond line",
                    }
                ),
                cut=1840,
            ),
        ),
        hidden=(
            Hidden(
                type="EMAIL_ADDRESS",
                length=21,
                place="body",
                shown="EMAIL_ADDRESS_bcdfghjklmnpqrst",
            ),
        ),
        findings=(("EMAIL_ADDRESS", "body.customer"),),
        prompt="Place the order for the customer in the mail that I forwarded.",
    )
    return [
        approval(
            asking("Bash", "rm -rf build && npm run build 2>&1 | tail -n 20", number=1), 1, ago=64
        ),
        approval(
            asking(
                "Bash",
                "psql \"$DB\" <<'SQL'\nALTER TABLE orders\n  DROP COLUMN legacy_status;\nSQL",
                number=2,
                subject="erin",
                demands=(STRICT,),
                prompt="Apply the migration.",
            ),
            2,
            ago=200,
            votes=(vote(CAROL, approve=True, reason="Agreed in the change meeting", ago=100),),
        ),
        approval(
            asking(
                "POST https://api.internal/v1/orders",
                "x",
                number=3,
                subject="order-bot",
                human="frank",
                kind=ActionKind.HTTP_REQUEST,
                listener="egress",
                target="https://api.internal/v1/orders",
                card=http,
                sealed=b"sealed",
                demands=(replace(TERMS, rule_id="orders-need-a-look", grant=None),),
            ),
            3,
            ago=30,
        ),
        approval(
            asking(
                "Bash",
                "ls \u202e/ fr- mr\u202c tmp; cat re\u200badme.md\x1b[2K"
                + " " * 300
                + "; rm -rf ~/\u0430rchive",
                number=4,
                prompt="Look around.",
            ),
            4,
            ago=10,
            waiting=False,
        ),
        approval(asking("Bash", "git push --force origin main", number=5, subject="bob"), 5, ago=5),
        approval(
            before,
            90,
            ago=5400,
            state=State.USED,
            votes=(vote(BOB, approve=True, reason="fine", ago=5380),),
            by=BOB.key,
            decided_at=NOW - timedelta(seconds=5380),
            reason="fine",
            waiting=False,
        ),
        approval(
            asking("Bash", "rm -rf /srv/data/exports", number=91),
            91,
            ago=3600,
            state=State.DENIED,
            votes=(vote(BOB, approve=False, reason="Those are the customers' files.", ago=3550),),
            by=BOB.key,
            decided_at=NOW - timedelta(seconds=3550),
            reason="Those are the customers' files.",
            waiting=False,
        ),
        approval(
            asking("Bash", "kubectl rollout undo deployment/payments", number=92, subject="erin"),
            92,
            ago=900,
            state=State.USED,
            break_glass=True,
            votes=(
                vote(
                    replace(CAROL, subject="mallory", name="Mallory"),
                    approve=True,
                    reason="Payments are down, nobody else is awake",
                    ago=890,
                    break_glass=True,
                ),
            ),
            by=f"{ISSUER}#mallory",
            reason="Payments are down, nobody else is awake",
            decided_at=NOW - timedelta(seconds=890),
            waiting=False,
        ),
    ]


def hostile() -> Approval:
    """Markup in every field that somebody else fills."""
    card = Card(
        title=HOSTILE,
        summary=HOSTILE,
        parts=(
            Part(name=HOSTILE, kind="command", text=HOSTILE),
            Part(
                name="input", kind="json", text=json.dumps({HOSTILE: HOSTILE}, ensure_ascii=False)
            ),
            Part(name="odd", kind='"><b>', text=HOSTILE, cut=3),
        ),
        hidden=(Hidden(type=HOSTILE, length=3, place=HOSTILE, shown="alert(1)"),),
        findings=((HOSTILE, HOSTILE),),
        prompt=HOSTILE,
        tool_use_id=HOSTILE,
    )
    terms = replace(TERMS, rule_id=HOSTILE, rule_reason=HOSTILE, from_groups=("platform", HOSTILE))
    asked = asking(
        HOSTILE,
        HOSTILE,
        number=66,
        subject=HOSTILE,
        human=HOSTILE,
        groups=(HOSTILE,),
        session=HOSTILE,
        target=HOSTILE,
        pattern=HOSTILE,
        reason=HOSTILE,
        principal=f"{ISSUER}#{HOSTILE}",
        demands=(terms, terms),
        card=card,
    )
    liar = replace(CAROL, name=HOSTILE, subject="x" + HOSTILE)
    return approval(
        asked, 66, ago=1, votes=(vote(liar, approve=True, reason=HOSTILE),), reason=HOSTILE
    )


def put_on_record(folder: Path, told: Sequence[tuple[Approval, str, str, str, datetime]]) -> None:
    """Record changes of approvals: each with its state, who, in which words, and when."""

    async def main() -> None:
        moments = [START]

        def clock() -> float:
            return moments[-1].timestamp()

        recorder = await Recorder.open(folder, clock=clock)
        try:
            for number, (one, state, by, reason, at) in enumerate(told, 1):
                moments.append(at)
                change = Change(
                    seq=number,
                    subject="approval",
                    id=one.id,
                    state=state,
                    by=by,
                    reason=reason,
                    at=at,
                )
                await recorder.append(*envelope(change, one))
        finally:
            await recorder.close()

    asyncio.run(main())


def held_in_story() -> list[tuple[Approval, str, str, str, datetime]]:
    """What was held in the session that `tests.support.recorded.story` plays."""
    found: list[tuple[Approval, str, str, str, datetime]] = []
    for number, flow, tool, wait, answers in (
        (501, "f0001-0000", "toolu_1", 1, [("approved", BOB, "Go ahead."), ("used", None, "")]),
        (
            502,
            "f0009-9999",
            "",
            100,
            [
                ("denied", CAROL, "Not on a Friday."),
            ],
        ),
    ):
        card = replace(asking("Bash", "ls -la | wc -l  # count").card, tool_use_id=tool)
        one = approval(
            asking(
                "Bash",
                "ls -la | wc -l  # count",
                number=number,
                session=SESSION,
                principal=ALICE.key,
                flow_id=flow,
                card=card,
            ),
            number,
            state=State.USED,
            requested_at=START + timedelta(seconds=wait),
        )
        found.append((one, "pending", "proctor", "", one.requested_at))
        for late, (state, who, words) in enumerate(answers, 1):
            by = who.key if who else "proctor"
            found.append((one, state, by, words, one.requested_at + timedelta(seconds=9 * late)))
    return found
