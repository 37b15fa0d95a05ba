"""`budgets` and `prices` in proctor.yaml."""

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from proctor.approval.settings import Group
from proctor.fields import AT_LEAST_ONE, Name, Seconds, Settings, problem
from proctor.model import ApprovalTerms
from proctor.units import parse_size

type Of = Literal["requests", "sent", "received", "tokens", "cost", "people", "records"]
type Per = Literal["principal", "group", "session"]
type Over = Literal["hour", "day", "month"]

PREFIX: Final = "budget:"
"""Stands before a budget's name where a rule's would stand."""

_SIZED: Final = frozenset({"sent", "received"})
_PERCENT: Final = re.compile(r"(\d{1,3})(?:\.(\d))? ?%", re.ASCII)
_MAX_WAIT: Final = 9 * 60.0
_MAX_TTL: Final = 7 * 86_400.0


def _amount(value: object) -> object:
    """A number, or a size such as 10GiB."""
    if isinstance(value, str):
        return float(parse_size(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number, or for bytes a size such as 10GiB")  # noqa: TRY004 - pydantic's
    return float(value)


def _share(value: object) -> object:
    if isinstance(value, float):
        return value
    found = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a percentage, such as 80%")
    return float(f"{found[1]}.{found[2] or 0}") / 100


def _zone(value: object) -> object:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ValueError, OSError, KeyError):
        raise ValueError("the IANA name of a time zone, such as Europe/Berlin") from None
    return value


class BudgetApproval(Settings):
    """Who may let somebody go beyond a budget.

    Attributes:
        from_: Groups whose members may.
        count: Distinct people needed.
        wait: How long the connection is held, seconds.
        ttl: The approval's end, seconds from the request.
        reason: Whether a decision needs words.
        grant: The longest grant that may be given, seconds; None where none may be.
    """

    from_: Annotated[tuple[Group, ...], AT_LEAST_ONE] = Field(alias="from")
    count: int = Field(default=1, ge=1, le=10)
    wait: Annotated[Seconds, Field(gt=0, le=_MAX_WAIT)] = 240.0
    ttl: Annotated[Seconds, Field(gt=0, le=_MAX_TTL)] = 1800.0
    reason: Literal["required", "optional"] = "optional"
    grant: Annotated[Seconds, Field(gt=0, le=_MAX_TTL)] | None = None


class BudgetSettings(Settings):
    """How much may be used of one thing.

    Attributes:
        name: As rules and records call it: `budget["daily-tokens"]` is the share that is used up.
        per: Whose: every `principal`'s own, one for all of a `group`, or every `session`'s.
        groups: Whom it is for; empty for everybody. With `per: group` each has one of its own.
        over: From the beginning of the `hour`, `day` or `month`; a session has no such window.
        time_zone: Whose days and months.
        of: What is counted: `requests`; bytes `sent` and `received`; `tokens`, those of the cache
            excepted that were read; `cost`, by `prices`; `people`: distinct personal values of the
            kind of which most were seen; `records`: rows of databases' answers.
        limit: How much; for bytes also a size, such as 10GiB.
        soft: The share from which on it is said that little is left.
        then: What becomes of what comes once it is used up; `notice` lets it pass.
        approval: For `then: hold`.
        reason: Shown to whoever is held or denied; empty for words of our own.
    """

    name: Name
    per: Per = "principal"
    groups: tuple[Group, ...] = ()
    over: Over | None = None
    time_zone: Annotated[str, BeforeValidator(_zone)] = "UTC"
    of: Of
    limit: Annotated[float, BeforeValidator(_amount), Field(gt=0, le=1e15)]
    soft: Annotated[float, BeforeValidator(_share), Field(gt=0, le=1)] = 0.8
    then: Literal["notice", "hold", "deny"] = "deny"
    approval: BudgetApproval | None = None
    reason: str = Field(default="", max_length=2000)

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, data: Any) -> Any:
        if (
            isinstance(data, dict)
            and isinstance(data.get("limit"), str)
            and data.get("of") not in _SIZED
        ):
            raise problem(
                "wrong-value", "Only bytes have a size as `limit`", key="limit", expected="a number"
            )
        return data

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.per == "group" and not self.groups:
            raise problem("missing-key", "A group's budget names its `groups`", key="")
        if (self.per == "session") != (self.over is None):
            raise problem(
                "wrong-value",
                "A session's budget lasts as long as the session, any other says `over` what",
                key="over" if self.over else "",
                expected="over: hour, day or month; nothing with per: session",
            )
        if (self.then == "hold") != (self.approval is not None):
            raise problem(
                "wrong-value",
                "A budget that holds says who may approve, and no other does",
                key="approval" if self.approval else "",
                expected="then: hold and approval: {from: [group]}",
            )
        return self

    @property
    def terms(self) -> ApprovalTerms | None:
        """What is asked of humans, or None."""
        if self.approval is None:
            return None
        grant = self.approval.grant
        return ApprovalTerms(
            rule_id=f"{PREFIX}{self.name}",
            rule_reason=self.reason,
            from_groups=self.approval.from_,
            count=self.approval.count,
            wait=timedelta(seconds=self.approval.wait),
            ttl=timedelta(seconds=self.approval.ttl),
            reason_required=self.approval.reason == "required",
            grant=None if grant is None else timedelta(seconds=grant),
        )


class PriceSettings(Settings):
    """What a model costs, for a million tokens, in whatever money `limit` is in.

    Attributes:
        model: Its name; `*` stands for any letters.
        input: Of what is sent.
        output: Of what comes.
        cache_read: Of what the provider's cache had.
        cache_write: Of what goes into it.
    """

    model: str = Field(min_length=1, max_length=200)
    input: float = Field(ge=0, le=1e6)
    output: float = Field(ge=0, le=1e6)
    cache_read: float = Field(default=0.0, ge=0, le=1e6)
    cache_write: float = Field(default=0.0, ge=0, le=1e6)

    def of(self, input_: int, output: int, read: int, written: int) -> float:
        """What so many tokens cost."""
        total = input_ * self.input + output * self.output
        return (total + read * self.cache_read + written * self.cache_write) / 1_000_000


def cost(  # noqa: PLR0913, PLR0917 - the four kinds of tokens
    prices: tuple[PriceSettings, ...], model: str, input_: int, output: int, read: int, written: int
) -> float:
    """What an answer of the model costs; of a model without a price the most that any would."""
    for price in prices:
        if fnmatchcase(model, price.model):
            return price.of(input_, output, read, written)
    return max((price.of(input_, output, read, written) for price in prices), default=0.0)
