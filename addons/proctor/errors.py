"""Every error proctor raises, by who is at fault.

ProctorError
├── ConfigurationError   the operator: a file, a key, a rule; found at load
├── ClientError          the caller: a token, a request that cannot be read
│   ├── AuthenticationError   who is asking is not proved
│   └── RefusedError          a rule said no
├── UpstreamError        the other side: an issuer, a model's endpoint
└── InternalError        ourselves: the journal, a stage

Each says what was got, what was expected and what to do, and has a code that never changes.
No message holds a token, a credential or a value from a body.
"""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class ProctorError(Exception):
    """The root of all errors of this package.

    Attributes:
        code: Stable name, lower case with hyphens; documented in the README.
        message: What happened, in one sentence.
        got: What was found, never a secret.
        expected: What would have been right.
        hint: What to do about it.
    """

    code: str
    message: str
    got: str = ""
    expected: str = ""
    hint: str = ""

    def __str__(self) -> str:
        parts = [self.message]
        if self.got:
            parts.append(f"got {self.got}")
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = "; ".join(parts)
        if not self.hint:
            return text
        # The message may be somebody's words, such as a rule's reason, with an end of their own.
        ends = "" if text.endswith((".", "!", "?")) else "."
        return f"{text}{ends} {self.hint}"


@dataclass(slots=True, eq=False)
class ConfigurationError(ProctorError):
    """A file is wrong. `where` is `file:line` as far as it is known."""

    where: str = ""

    def __str__(self) -> str:
        # Not super(): a slotted dataclass is a new class, so the cell would name the old one.
        text = ProctorError.__str__(self)
        return f"{self.where}: {text}" if self.where else text


@dataclass(slots=True, eq=False)
class ClientError(ProctorError):
    """The caller is at fault. `status` is the HTTP status an HTTP door answers with."""

    status: int = 400


@dataclass(slots=True, eq=False)
class AuthenticationError(ClientError):
    """Who is asking is not proved.

    Attributes:
        retry: The same client may succeed with a fresh token (the old one has merely expired).
    """

    status: int = 401
    retry: bool = False


@dataclass(slots=True, eq=False)
class RefusedError(ClientError):
    """A rule, or the lack of one, said no."""

    status: int = 451
    rule_id: str = ""


@dataclass(slots=True, eq=False)
class UpstreamError(ProctorError):
    """The other side failed. `status` is what an HTTP door answers with."""

    status: int = 502


@dataclass(slots=True, eq=False)
class InternalError(ProctorError):
    """We failed, and therefore refuse. `status` is what an HTTP door answers with."""

    status: int = 503
    causes: tuple[str, ...] = field(default=())
