"""One listener's redaction: looks at what comes, says what was found, takes it out."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from proctor.errors import ProctorError, RefusedError
from proctor.model import Finding, Principal, Session
from proctor.protocols.anthropic.calls import Judge
from proctor.record import Receipt
from proctor.redaction.answering import Answering, Messages
from proctor.redaction.answers import Answer, Means
from proctor.redaction.cutting import MEDIA, decoded, read_field
from proctor.redaction.handling import Rewritten
from proctor.redaction.holdback import Phrases
from proctor.redaction.keys import RedactionKeys
from proctor.redaction.model import Budget, Direction, Method, RedactionError, Spot
from proctor.redaction.operators import Operators
from proctor.redaction.redactor import Found, Look, MethodOf, Outcome, Piece, Redactor
from proctor.redaction.restore import Restorer
from proctor.redaction.settings import RedactionSettings
from proctor.redaction.structure.url import read_url
from proctor.redaction.treatment import Treatments, passes
from proctor.redaction.vault import Vault

NAMING: Final = frozenset({"user-agent", "x-claude-code-session-id", "x-claude-code-request-class"})
"""Request headers that go into the record."""

INLINE: Final = 48 * 1024
"""Bytes that are looked at in the event loop; more keep it waiting too long."""

_BLOCKED: Final = 10_000
_LONGEST_PATH: Final = 2048  # bytes of what anyone may send
_RULE: Final = "redaction"


@dataclass(frozen=True, slots=True)
class Parts:
    """What all listeners of a process share.

    Attributes:
        redactor: Looks and takes out.
        keys: Of the installation.
        vault: Keeps what surrogates stand for.
        treatments: What is done with findings.
        settings: As read.
        pool: Where large bodies are looked at.
        version: Names what was marked as harmless.
        phrases: Known texts that reach over white space.
        clock: Monotonic, seconds.
    """

    redactor: Redactor
    keys: RedactionKeys
    vault: Vault
    treatments: Treatments
    settings: RedactionSettings
    pool: Executor
    version: Callable[[], object] = lambda: ""
    phrases: Phrases = field(default_factory=Phrases)
    clock: Callable[[], float] = time.monotonic

    def budget(self) -> Budget:
        """What one exchange may cost; looking for names has time of its own."""
        names = self.settings.ner.budget if self.settings.ner else 0.0
        return Budget(self.settings.budget + names, self.settings.max_hits, self.clock)

    @property
    def inline(self) -> int:
        """Bytes that are looked at in the event loop."""
        return 0 if self.settings.ner else INLINE


@dataclass(frozen=True, slots=True)
class Sent:
    """All pieces as they go on, and as they are recorded."""

    sent: Sequence[bytes] = field(repr=False)
    record: Sequence[bytes] = field(repr=False)

    @property
    def unequal(self) -> bool:
        """Whether something goes on that is not recorded."""
        return self.sent is not self.record and self.sent != self.record


class Screen:
    """For one listener.

    Args:
        listener: Its name.
        parts: What all listeners share.
    """

    def __init__(self, listener: str, parts: Parts) -> None:
        self.listener = listener
        self.parts = parts
        self.headers = NAMING | frozenset(parts.settings.headers)
        self._blocked: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def look(self, pieces: Sequence[Piece], *, keep: bool = False) -> Look:
        """See what is in a request.

        Args:
            pieces: Of it.
            keep: As for `Redactor.look`.

        Raises:
            RedactionError: Something could not be looked at whole.
            ClientError: It cannot be read.
        """
        self._bound(sum(len(piece.raw) for piece in pieces))
        start = self.parts.clock()
        if self.parts.redactor.unseen(pieces) > self.parts.inline:
            loop = asyncio.get_running_loop()
            look = await loop.run_in_executor(self.parts.pool, self._look, pieces, keep)
        else:
            look = self._look(pieces, keep)
        look.seconds = self.parts.clock() - start
        self._refuse_media(look)
        return look

    def _look(self, pieces: Sequence[Piece], keep: bool = False) -> Look:  # noqa: FBT001, FBT002 - an executor names no arguments
        # The budget begins here, so that waiting for another exchange costs nothing of it.
        return self.parts.redactor.look(pieces, self.parts.budget(), keep=keep)

    def _bound(self, size: int) -> None:
        if size > self.parts.settings.max_size:
            raise RedactionError(
                "redaction-size",
                "The body is larger than what is looked at",
                got=f"{size} bytes",
                expected=f"at most {self.parts.settings.max_size} (redaction.max_size)",
            )

    def finds(self, name: str, words: bytes) -> bool:
        """Whether there is anything in words that stand where nothing can be changed.

        Args:
            name: What they are.
            words: What was said.

        Raises:
            RedactionError: They could not be looked at.
        """
        piece = read_field(name.encode(), words)
        return bool(self.findings(self._look((piece,)), {}))

    def method(self, method: bytes) -> bytes:
        """The method of a request that was not looked at, as it may be recorded."""
        try:
            return b"?" if self.finds("method", method) else method
        except RedactionError:
            return b"?"

    def path(self, target: bytes) -> bytes:
        """The path of a request that was not looked at, as it may be recorded."""
        path = target.partition(b"?")[0]
        if len(path) > _LONGEST_PATH:
            return b"/"
        methods = self.methods(Direction.REQUEST, {})
        piece = Piece(path, read_url, b"")
        try:
            look = self._look((piece,))
            return self.parts.redactor.take_out(
                look,
                0,
                lambda found: Method.MASK if methods(found) else None,
                Operators(self.parts.keys, self.parts.vault, principal="", session=""),
                scope=None,
                budget=self.parts.budget(),
            ).record
        except RedactionError:
            return b"/"

    def _refuse_media(self, look: Look) -> None:
        if self.parts.settings.media == "refuse":
            seen = sorted(MEDIA.intersection(look.skipped))
            if seen:
                raise RedactionError(
                    "redaction-media",
                    "Images and other binaries cannot be looked at, and this listener takes none",
                    got=seen[0],
                    expected="text, or redaction.media: pass",
                )

    def receipt(self, look: Look | None, error: RedactionError | None = None) -> Receipt:
        """How much was looked at."""
        return Receipt(
            looked=look.looked if look else 0,
            skipped=tuple(sorted(look.skipped.items())) if look else (),
            detectors=self.parts.redactor.detector.detectors,
            seconds=look.seconds if look else 0.0,
            failure=error.code if error else "",
        )

    def methods(
        self, direction: Direction, redact: Mapping[str, str], *, history: bool = False
    ) -> MethodOf:
        """What is done here with a finding.

        Args:
            direction: Which way it goes.
            redact: What matching rules say of it.
            history: Blocking comes too late.
        """
        treatment = self.parts.treatments.on(self.listener, redact)
        return lambda found: treatment.method(found.type, direction, history=history)

    def findings(
        self, look: Look, redact: Mapping[str, str], direction: Direction = Direction.REQUEST
    ) -> tuple[Finding, ...]:
        """What rules and the record are told of a request, or a message: what is new in it."""
        if not redact and not any(sight.found for sight in look.sights):
            return ()  # as nearly always
        methods = self.methods(direction, redact)
        return self.parts.redactor.findings(look, methods, direction, history=False)

    def lets_pass(self, kind: str, redact: Mapping[str, str]) -> bool:
        """Whether what is of this type may leave as it is.

        Args:
            kind: Entity type.
            redact: What matching rules say of findings.
        """
        treatment = self.parts.treatments.on(self.listener, redact)
        chosen = treatment.method(kind, Direction.REQUEST, history=False)
        return chosen is None or passes(chosen)

    def take_out(
        self,
        look: Look,
        redact: Mapping[str, str],
        principal: Principal,
        session: Session | None,
        direction: Direction = Direction.REQUEST,
    ) -> Sent:
        """Take out of a request what must not pass; the vault keeps what surrogates stand for.

        Args:
            look: From `look`.
            redact: What matching rules say of findings.
            principal: Whose surrogates.
            session: What they are kept for.
            direction: Which way it goes, where it is no request but a message by itself.

        Raises:
            RefusedError: Something blocks the request.
            RedactionError: It could not be done.
        """
        history = self.methods(direction, redact, history=True)
        owner = f"{principal.key} {session.id if session else ''}"
        self._block(look, self.methods(direction, redact), owner)
        if self.parts.settings.thinking == "refuse":
            self._refuse_thinking(look, history)
        operators = self.operators(principal, session)
        rules = tuple(sorted(redact.items()))
        scope = (principal.key, self.listener, direction, rules, self.parts.version())
        outcomes = self._outcomes(look, history, operators, scope)
        operators.commit()
        raw = [piece.raw for piece in look.pieces]
        sent, record = raw, raw.copy() if outcomes else raw
        for index, outcome in outcomes.items():
            sent[index], record[index] = outcome.sent, outcome.record
        return Sent(sent, record)

    def _outcomes(
        self,
        look: Look,
        methods: MethodOf,
        operators: Operators,
        scope: tuple[object, ...] | None,
    ) -> dict[int, Outcome]:
        """By index, the pieces in which something was found."""
        budget = self.parts.budget()
        return {
            index: self.parts.redactor.take_out(
                look, index, methods, operators, scope=scope, budget=budget
            )
            for index, sight in enumerate(look.sights)
            if sight.found
        }

    def mask(
        self,
        look: Look,
        redact: Mapping[str, str],
        principal: Principal,
        direction: Direction = Direction.REQUEST,
    ) -> tuple[bytes, ...]:
        """A request as it may be recorded, which does not leave: nothing is kept for it.

        Raises:
            RedactionError: It could not be done.
        """
        methods = self.methods(direction, redact, history=True)
        outcomes = self._outcomes(look, methods, self.operators(principal, None), None)
        return tuple(
            outcomes[index].record if index in outcomes else piece.raw
            for index, piece in enumerate(look.pieces)
        )

    def operators(self, principal: Principal, session: Session | None) -> Operators:
        """What makes replacements, for one exchange."""
        return Operators(
            self.parts.keys,
            self.parts.vault,
            principal=principal.key,
            session=session.id if session else "",
        )

    def answer(  # noqa: PLR0913 - what an answer is known by
        self,
        *,
        content_type: str,
        encoding: str,
        redact: Mapping[str, str],
        principal: Principal,
        session: Session | None,
        judge: Judge | None,
        messages: Callable[[Callable[[bytes], Rewritten]], Messages] | None = None,
        learn: Callable[[Spot, str], None] | None = None,
    ) -> Answering:
        """What an answer is looked at with.

        Args:
            content_type: Of the answer.
            encoding: Its `Content-Encoding`.
            redact: What matching rules say of findings.
            principal: Whose surrogates.
            session: What they are kept for.
            judge: Says what becomes of tool calls; None where it is no answer of the model's, and
                nothing is turned back.
            messages: Makes what takes an answer of several messages apart.
            learn: Told of each secret in it that the client gets; in any thread.
        """
        parts = self.parts
        means = Means(
            detector=parts.redactor.detector,
            methods=self.methods(Direction.RESPONSE, redact),
            operators=self.operators(principal, session),
            restorer=partial(self.restorer, principal) if judge else None,
            budget=parts.budget,
            digest=parts.redactor.digest,
            allowed=parts.redactor.allowed,
            configured=parts.redactor.configured,
            phrases=parts.phrases,
            sentences=parts.settings.ner is not None,
            learn=learn,
        )
        return Answering(
            Answer(means),
            content_type=content_type,
            encoding=encoding,
            judge=judge,
            media=parts.settings.media == "pass",
            detectors=parts.redactor.detector.detectors,
            clock=parts.clock,
            messages=messages,
        )

    def restorer(self, principal: Principal, types: frozenset[str] | None) -> Restorer:
        """What puts surrogates of these types back; None: of all that are put back at all."""
        text = self.parts.treatments.restored
        return Restorer(self.parts.vault, principal.key, text if types is None else types)

    async def read(self, answering: Answering, body: bytes) -> None:
        """Look at a whole answer.

        Raises:
            RedactionError: It cannot be looked at.
            RefusedError: Something in it blocks it.
            ClientError: It is no answer of the model's.
        """
        try:
            plain = decoded(body, answering.encoding)
            self._bound(len(plain))
            if len(plain) > self.parts.inline:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self.parts.pool, answering.body, plain)
            else:
                answering.body(plain)
        except ProctorError as error:
            answering.failed(error)
            raise

    def _block(self, look: Look, methods: MethodOf, owner: str) -> None:
        """Refuse what is new; the second time round it is part of the history, and masked."""
        found = [
            found
            for piece, sight in zip(look.pieces, look.sights, strict=True)
            if not piece.history
            for found in sight.found
            if methods(found) is Method.BLOCK and not self._harmless(found)
        ]
        if not found:
            return
        state = b"".join(p.digest for p in look.pieces if p.said and not p.history)
        blocked = [f for f in found if self._blocked.get((owner, f.digest), state) == state]
        if not blocked:
            return
        for item in blocked:
            self._blocked[owner, item.digest] = state
            if len(self._blocked) > _BLOCKED:
                self._blocked.popitem(last=False)
        first = blocked[0]
        raise RefusedError(
            "redaction-blocked",
            "This holds something that must not leave",
            got=f"{first.type} at {first.location}",
            hint="Take it out and send it again; nothing of it was sent.",
            rule_id=_RULE,
        )

    def _refuse_thinking(self, look: Look, methods: MethodOf) -> None:
        for sight in look.sights:
            for found in sight.found:
                chosen = methods(found) if found.signed else None
                if chosen is not None and not passes(chosen) and not self._harmless(found):
                    raise RefusedError(
                        "redaction-signed",
                        "A signed thinking block holds something that must not leave",
                        got=f"{found.type} at {found.location}",
                        expected="redaction.thinking: pass, or a new conversation",
                        rule_id=_RULE,
                    )

    def _harmless(self, found: Found) -> bool:
        return self.parts.redactor.allowed(found.detector, found.digest, found.location)
