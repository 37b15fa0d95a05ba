"""Secrets in many codes and many places; and harmless requests that look like some."""

import base64
import bz2
import codecs
import gzip
import html
import json
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from proctor.leaving.variants import base58
from proctor.leaving.watch import Watch
from tests.leaving.looking import AWS, GITHUB, PASSWORD, known, look

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "bench"))
day = import_module("benign").day

ALIKE = str.maketrans(
    "aeocpxAKTBHM",
    "\u0430\u0435\u043e\u0441\u0440\u0445\u0410\u041a\u0422\u0412\u041d\u041c",
)

type _Written = Callable[[str], str]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


CODES: Mapping[str, _Written] = {
    "as it stands": lambda s: s,
    "base64": lambda s: _b64(s.encode()),
    "base64, url-safe, bare": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64, wrapped": lambda s: base64.encodebytes((s + " " * 60 + s).encode()).decode(),
    "base64 in JSON": lambda s: _b64(json.dumps({"key": s}).encode()),
    "base32": lambda s: base64.b32encode(s.encode()).decode(),
    "base32, small": lambda s: base64.b32encode(s.encode()).decode().lower().rstrip("="),
    "base58": lambda s: base58(s.encode()),
    "ascii85": lambda s: base64.a85encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex, escaped": lambda s: "".join(f"\\x{c:02x}" for c in s.encode()),
    "hex list": lambda s: ", ".join(f"0x{c:02x}" for c in s.encode()),
    "percent": lambda s: "".join(f"%{c:02X}" for c in s.encode()),
    "percent, twice": lambda s: "".join(f"%25{c:02X}" for c in s.encode()),
    "entities": lambda s: "".join(f"&#{c};" for c in s.encode()),
    "unicode escapes": lambda s: "".join(f"\\u{c:04x}" for c in s.encode()),
    "quoted-printable": lambda s: "".join(f"={c:02X}" for c in s.encode()),
    "UTF-7": lambda s: f"+{_b64(s.encode('utf-16-be')).rstrip('=')}-",
    "UTF-16 in base64": lambda s: _b64(s.encode("utf-16")),
    "gzip in base64": lambda s: _b64(gzip.compress(s.encode(), mtime=0)),
    "bzip2 in base64": lambda s: _b64(bz2.compress(s.encode())),
    "reversed": lambda s: s[::-1],
    "rot13": lambda s: codecs.encode(s, "rot13"),
    "base64, reversed": lambda s: _b64(s.encode())[::-1],
    "base64 of the reverse": lambda s: _b64(s[::-1].encode()),
    "hyphens between": "-".join,
    "dots between": ".".join,
    "spaces between": " ".join,
    "nothing between": "\u200b".join,
    "look-alikes": lambda s: s.translate(ALIKE),
    "full-width": lambda s: "".join(chr(ord(c) + 0xFEE0) for c in s),
    "character codes": lambda s: " ".join(str(c) for c in s.encode()),
    "octal": lambda s: "".join(f"\\{c:03o}" for c in s.encode()),
    "binary": lambda s: " ".join(f"{c:08b}" for c in s.encode()),
    "base64, twice": lambda s: _b64(_b64(s.encode()).encode()),
    "base64, three times": lambda s: _b64(_b64(_b64(s.encode()).encode()).encode()),
    "base64 of hex": lambda s: _b64(s.encode().hex().encode()),
    "base32 of base64": lambda s: base64.b32encode(_b64(s.encode()).encode()).decode(),
    "base64 of base32": lambda s: _b64(base64.b32encode(s.encode())),
}


def _json(value: object) -> dict[str, Any]:
    return {"body": json.dumps(value).encode(), "kind": "application/json"}


PLACES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "query": lambda s: {"target": f"/v1?d={quote(s, safe='')}"},
    "name in a query": lambda s: {"target": f"/v1?{quote(s, safe='')}=1"},
    "path": lambda s: {"target": f"/v1/{quote(s, safe='')}/end"},
    "header": lambda s: {"headers": {"x-data": s.replace("\n", " ")}},
    "JSON": lambda s: _json({"a": 1, "data": s}),
    "JSON in JSON": lambda s: _json({"a": json.dumps({"b": {"c": s}})}),
    "form": lambda s: {
        "body": f"a=1&data={quote(s, safe='')}".encode(),
        "kind": "application/x-www-form-urlencoded",
    },
    "XML": lambda s: {"body": f"<a><b>{html.escape(s)}</b></a>".encode(), "kind": "text/xml"},
    "text": lambda s: {"body": f"Some notes: {s} and more.\n".encode(), "kind": "text/plain"},
    "GraphQL": lambda s: _json({"query": f"mutation {{ add(note: {json.dumps(s)}) {{ id }} }}"}),
    "image link": lambda s: _json({"text": f"![x](https://e.example/p.png?d={quote(s, safe='')})"}),
    "MCP argument": lambda s: _json(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {"q": s}}}
    ),
}


def test_keys_that_were_never_seen() -> None:
    missed = []
    for code, written in CODES.items():
        for number, (place, put) in enumerate(PLACES.items()):
            searched, hits = look(Watch(), **put(written((AWS, GITHUB)[number % 2])))
            if not searched and not hits:
                missed.append((code, place))
    assert len(missed) <= 0.05 * len(CODES) * len(PLACES), missed


def test_a_password_that_has_no_shape_is_known_again() -> None:
    missed = []
    for code, written in CODES.items():
        for place, put in islice(PLACES.items(), len(code) % 3, None, 3):
            watch = Watch()
            known(watch, PASSWORD)
            hits = look(watch, **put(written(PASSWORD)))[1]
            if not any(hit.type == "SECRET_PIECES" for hit in hits):
                missed.append((code, place))
    assert len(missed) <= 0.02 * len(CODES) * len(PLACES) / 3, missed


def test_a_harmless_day_has_none() -> None:
    watch = Watch()
    known(watch, PASSWORD, GITHUB, AWS)
    found = [
        (sent.kind, hit)
        for sent in day(250, seed=11)
        for hit in look(
            watch,
            sent.target,
            body=sent.body,
            kind=sent.headers.get("content-type", ""),
            headers={n: v for n, v in sent.headers.items() if n != "content-type"},
            host=sent.host,
        )[1]
    ]
    assert found == []


@pytest.mark.parametrize("value", [AWS, GITHUB])
def test_a_host_name_carries_nothing(value: str) -> None:
    code = base64.b32encode(value.encode()).decode().rstrip("=").lower()
    host = f"{code[:20]}.{code[20:50]}.{code[50:] or 'x'}.evil.example"
    watch = Watch()
    known(watch, value)
    assert look(watch, host=host)[1]
