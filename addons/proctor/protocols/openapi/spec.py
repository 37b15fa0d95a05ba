"""One description, compiled: what does a request ask for, and is it as described?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Self

from proctor.protocols.openapi.faults import MAX_FAULTS
from proctor.protocols.openapi.operations import Operation, read_operations
from proctor.protocols.openapi.reading import Source, invalid, read
from proctor.protocols.openapi.routing import Router, parse_template
from proctor.protocols.openapi.schemas import Collector

_NO_OPERATION: Final = "path: no operation of the description answers to this method and path"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a description says of a request.

    Attributes:
        operation: Its `operationId`, or method and path; "" where it is none of the description.
        violations: What is not as described, at most 20 lines without any value of the request.
    """

    operation: str
    violations: tuple[str, ...]


class Spec:
    """An OpenAPI description of version 3.0 or 3.1."""

    def __init__(self, source: Source) -> None:
        version = source.data.get("openapi") if isinstance(source.data, dict) else None
        if not isinstance(version, str) or not version.startswith(("3.0.", "3.1.")):
            raise invalid(
                "Not an OpenAPI description of a version that is read here",
                source.where(("openapi",)),
                expected="openapi: 3.0.x or 3.1.x",
            )
        collector = Collector(source, old=version.startswith("3.0."))
        self._router: Router[Operation] = Router()
        names: set[str] = set()
        for described in read_operations(source, collector):
            operation, where = described.operation, described.pointer
            if operation.id in names:
                raise invalid("Two operations of one name", source.where(where))
            names.add(operation.id)
            for path in described.paths:
                try:
                    template = parse_template(path)
                except ValueError as error:
                    raise invalid(f"Not a path: {error}", source.where(where[:2])) from None
                if not self._router.add(described.method, template, operation):
                    raise invalid("Two operations answer to the same path", source.where(where))
        self.operations: Final = frozenset(names)
        """Names of all its operations."""
        collector.compile()
        self._schemas = collector.schemas

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and compile a description; 13 MB of JSON take about a third of a second.

        Args:
            path: JSON or YAML, at most 16 MiB, all its references inside the file.

        Raises:
            ConfigurationError: `file-unreadable`, `openapi-too-large`, `openapi-invalid`,
                `openapi-reference`.
        """
        return cls(read(path))

    def match(self, method: str, path: str) -> Operation | None:
        """The operation behind a method and a path; see `look`."""
        found = self._router.find(method, path)
        return found[0] if found else None

    def look(  # noqa: PLR0913, PLR0917  # the parts of a request
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        content_type: str,
        body: bytes,
    ) -> Looked:
        """What a request asks for, and what of it is not as described.

        Args:
            method: As sent; methods are case-sensitive (RFC 9110 section 9.1).
            path: As sent, without query.
            query: Names and values, decoded.
            headers: By name in small letters.
            content_type: The header field, "" without.
            body: Without content coding.
        """
        found = self._router.find(method, path)
        if found is None:
            return Looked("", (_NO_OPERATION,))
        operation, values = found
        lines = operation.check(self._schemas, values, query, headers, content_type, body)
        return Looked(operation.id, tuple(dict.fromkeys(islice(lines, MAX_FAULTS))))
