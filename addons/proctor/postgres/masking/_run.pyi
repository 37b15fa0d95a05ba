from collections.abc import Callable, Sequence

def run(
    data: bytes,
    count: int,
    changes: Sequence[Callable[[bytes], bytes | None] | None],
    constants: Sequence[bytes | None],
) -> bytes | None: ...
