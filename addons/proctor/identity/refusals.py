"""How a refusal is worded: what was got, clipped and typed, never the token."""

from proctor.errors import AuthenticationError, UpstreamError

_SHOWN = 120


def refuse(  # noqa: PLR0913 - the parts of a message
    code: str,
    message: str,
    *,
    got: str = "",
    expected: str = "",
    hint: str = "",
    retry: bool = False,
) -> AuthenticationError:
    """The error that says a token proves nothing; see AuthenticationError for the arguments."""
    return AuthenticationError(
        code=code, message=message, got=got, expected=expected, hint=hint, retry=retry
    )


def unreachable(issuer: str, *, got: str, hint: str = "") -> UpstreamError:
    """The issuer cannot be asked, so nobody of his can be admitted."""
    return UpstreamError(
        code="issuer-unreachable",
        message=f"The issuer {issuer} cannot be reached, so its tokens cannot be checked",
        got=got,
        hint=hint or "Try again later; `proctor doctor` says what is wrong with the connection.",
        status=503,
    )


def unusable(issuer: str, *, got: str, expected: str, hint: str = "") -> UpstreamError:
    """The issuer answers, but with what must not be believed."""
    return UpstreamError(
        code="issuer-invalid",
        message=f"The issuer {issuer} answers with what cannot be used",
        got=got,
        expected=expected,
        hint=hint,
        status=503,
    )


def shown(value: object) -> str:
    """A claim or header as a message may show it: short and printable, or only its type."""
    match value:
        case None:
            return "nothing"
        case bool() | int() | float():
            return repr(value)[:_SHOWN]
        case str():
            return _quoted(value)
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def _quoted(text: str) -> str:
    clipped = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f'"{clipped}"' if clipped.isprintable() else "text with control characters"
