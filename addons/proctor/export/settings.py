"""`exports` in proctor.yaml: where the record goes, all the time."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from proctor.export.events import VIEWS
from proctor.fields import (
    Bytes,
    FilePath,
    HeaderName,
    Name,
    SecretSource,
    Settings,
    absolute,
    problem,
    secure_url,
)

FILE = "file://"

_MIB = 2**20
_LEAST = 64 * 1024
_FILE_ONLY = ("rotate", "keep")
_HTTP_ONLY = ("header", "ca", "batch")

type View = Literal[
    "flows", "turns", "tool_calls", "statements", "findings", "decisions", "approvals", "events"
]


class HeaderSettings(Settings):
    """A header that says who proctor is to a sink.

    Attributes:
        name: Such as `authorization`.
        value: The whole value, such as `Bearer …`.
    """

    name: HeaderName
    value: SecretSource


def _place(value: object, info: ValidationInfo) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.startswith(FILE):
        try:
            return secure_url(value)
        except ValueError as error:
            raise ValueError(f"file:///FILE, or {error}") from None
    path = value.removeprefix(FILE)
    plain = (
        path.startswith("/") and not path.endswith("/") and not any(mark in path for mark in "?#%")
    )
    if not plain or ".." in Path(path).parts:
        raise ValueError("a plain absolute path behind file://")
    return absolute(path, info)


type _Place = Annotated[Path | str, BeforeValidator(_place)]


class ExportSettings(Settings):
    """One sink that gets what is recorded, at least once each.

    Attributes:
        name: As the log, /metrics and `proctor doctor` call it; its place in the record is kept
            under this name, so a new name begins at the record's beginning.
        to: `file:///FILE`, or where to POST.
        format: `ndjson`, or `otlp` for OpenTelemetry spans.
        profile: How a line of NDJSON looks: proctor's own, or OCSF.
        views: What is sent, of NDJSON; empty for all.
        content: Also what was typed and answered, redacted as it was recorded.
        header: Who proctor is to the sink.
        ca: Certificates by which the sink's TLS is trusted; None for the usual ones.
        batch: Records in one request, at most.
        rotate: A file of this size is put aside, bytes.
        keep: So many files put aside are kept.
    """

    name: Name
    to: _Place
    format: Literal["ndjson", "otlp"] = "ndjson"
    profile: Literal["proctor", "ocsf"] = "proctor"
    views: tuple[View, ...] = ()
    content: bool = False
    header: HeaderSettings | None = None
    ca: FilePath | None = None
    batch: Annotated[int, Field(ge=1, le=5000)] = 500
    rotate: Bytes = 100 * _MIB
    keep: Annotated[int, Field(ge=1, le=1000)] = 10

    @model_validator(mode="after")
    def _fits(self) -> Self:
        file = isinstance(self.to, Path)
        for key in _HTTP_ONLY if file else _FILE_ONLY:
            if key in self.model_fields_set:
                what = "a file" if file else "an address"
                raise problem("wrong-value", f"`{key}` does nothing where `to` is {what}", key=key)
        if file and self.rotate < _LEAST:
            raise problem("wrong-value", "`rotate` is at least 64KiB", key="rotate")
        if self.format == "otlp":
            for key in ("views", "profile"):
                if key in self.model_fields_set:
                    raise problem("wrong-value", f"`{key}` is for `format: ndjson`", key=key)
        if len(set(self.views)) < len(self.views):
            raise problem("wrong-value", "`views` names one twice", key="views")
        return self

    @property
    def wanted(self) -> frozenset[str]:
        """Views of which lines are made."""
        return frozenset(self.views or VIEWS)

    @property
    def place(self) -> str:
        """Where to, for people: a file, or scheme and host."""
        if isinstance(self.to, Path):
            return str(self.to)
        scheme, _, rest = self.to.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"
