"""Harmless requests that look like something: digests, cursors, images, tokens of nobody's.

They are made, the same in every run, after what package managers, git, browsers' APIs and telemetry
send; values are noise of the same shape.
"""

import base64
import gzip
import json
import random
import string
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

_WORDS_TEXT = (
    "the of and to in for is on that by this with you it not or be are from at as your all "
    "have new more an was we will home can us about if page my has search free but our one "
    "other do no time they site he up may what which their news out use any there see only so "
    "his when contact here business who web also now help get view online first been would "
    "how were services some these click its like service than find price date back top people "
    "list name just over state year day into email two health world next used go work last "
    "most products music buy data make"
)
_WORDS = _WORDS_TEXT.split()
_PACKAGES_TEXT = (
    "react lodash @babel/core @types/node express typescript vite eslint prettier jest axios "
    "chalk commander debug semver glob rxjs tslib webpack rollup @aws-sdk/client-s3 next "
    "postcss zod uuid"
)
_PACKAGES = _PACKAGES_TEXT.split()


@dataclass(frozen=True, slots=True)
class Sent:
    """A request."""

    kind: str
    host: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.chosen = random.Random(seed)  # noqa: S311 - the same in every run

    def hex(self, size: int) -> str:
        return self.chosen.randbytes(size).hex()

    def b64(self, size: int) -> str:
        return base64.b64encode(self.chosen.randbytes(size)).decode()

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self.chosen.randbytes(16), version=4))

    def base62(self, size: int) -> str:
        return "".join(self.chosen.choices(string.ascii_letters + string.digits, k=size))

    def words(self, count: int) -> str:
        return " ".join(self.chosen.choices(_WORDS, k=count))

    def pick(self, *of: str) -> str:
        return self.chosen.choice(of)

    def number(self, low: int, high: int) -> int:
        return self.chosen.randint(low, high)

    def version(self) -> str:
        return f"{self.number(0, 9)}.{self.number(0, 30)}.{self.number(0, 20)}"


def _trace(make: _Maker) -> dict[str, str]:
    return {"traceparent": f"00-{make.hex(16)}-{make.hex(8)}-01", "x-request-id": make.uuid()}


def _json(
    kind: str, host: str, target: str, body: object, headers: Mapping[str, str] | None = None
) -> Sent:
    more = {"content-type": "application/json", **(headers or {})}
    return Sent(kind, host, target, more, json.dumps(body).encode())


def _npm(make: _Maker) -> Sent:
    name = make.chosen.choice(_PACKAGES)
    short = name.rpartition("/")[2]
    path = make.pick(
        f"/{quote(name, safe='@')}",
        f"/{name}/-/{short}-{make.version()}.tgz",
        f"/{name}/-/{short}-{make.version()}-canary-{make.hex(4)}-2026{make.number(10, 12)}01.tgz",
    )
    headers = {
        "user-agent": "npm/11.4.2 node/v24.1.0 linux x64 workspaces/false",
        "npm-session": make.hex(8),
        "npm-command": "install",
        "pacote-integrity": f"sha512-{make.b64(64)}",
        "if-none-match": f'W/"{make.hex(16)}"',
    }
    return Sent("npm", "registry.yarnpkg.com", path, headers)


def _pip(make: _Maker) -> Sent:
    digest = make.hex(32)
    path = make.pick(
        f"/simple/{make.pick('flask', 'django', 'numpy', 'pydantic-core')}/",
        f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/django-{make.version()}-py3-none-any.whl",
    )
    agent = (
        'pip/26.0 {"ci":null,"cpu":"x86_64","distro":{"id":"trixie","libc":{"lib":"glibc",'
        '"version":"2.41"},"name":"Debian GNU/Linux","version":"13"},"implementation":{"name":'
        '"CPython","version":"3.13.1"},"installer":{"name":"pip","version":"26.0"},'
        '"openssl_version":"OpenSSL 3.5.0 8 Apr 2025","python":"3.13.1","system":{"name":"Linux"}}'
    )
    return Sent("pip", "packages.example.com", path, {"user-agent": agent})


def _cargo(make: _Maker) -> Sent:
    host = make.pick("index.crates.io", "static.crates.io", "proxy.golang.org", "sum.golang.org")
    path = {
        "index.crates.io": "/se/rd/serde",
        "static.crates.io": f"/crates/serde/serde-{make.version()}.crate",
        "proxy.golang.org": f"/golang.org/x/net/@v/v0.0.0-2026010112{make.number(1000, 5999)}-"
        f"{make.hex(6)}.mod",
        "sum.golang.org": f"/tile/8/1/x{make.number(100, 999)}/{make.number(100, 999)}",
    }[host]
    return Sent("cargo and go", host, path, {"etag": make.hex(16)})


def _git(make: _Maker) -> Sent:
    lines = [f"want {make.hex(20)} multi_ack_detailed side-band-64k thin-pack ofs-delta\n"]
    lines += [f"have {make.hex(20)}\n" for _ in range(make.number(2, 30))]
    body = "".join(f"{len(line) + 4:04x}{line}" for line in lines) + "0000"
    kind = {"content-type": "application/x-git-upload-pack-request", "git-protocol": "version=2"}
    return Sent("git", "github.com", "/acme/app.git/git-upload-pack", kind, body.encode())


def _container(make: _Maker) -> Sent:
    path = f"/v2/library/node/blobs/sha256:{make.hex(32)}"
    return Sent("containers", "registry-1.docker.io", path, _trace(make))


def _page(make: _Maker) -> Sent:
    words = make.words(4).replace(" ", "-")
    path = make.pick(
        f"/en-US/docs/Web/{words}",
        f"/{words}-{make.hex(6)}?utm_source=agent&utm_medium=web&gclid={make.base62(60)}",
        f"/questions/{make.number(10**6, 10**8)}/{words}",
        f"/watch?v={make.base62(11)}&list=PL{make.base62(32)}",
        f"/_next/static/chunks/{make.number(100, 9999)}-{make.hex(8)}.js?dpl=dpl_{make.base62(28)}",
        f"/assets/index-{make.base62(8)}.js.map",
        f"/d/{make.base62(44)}/edit",
        f"/embed/{make.b64(18).replace('/', '_').replace('+', '-')}",
    )
    host = make.pick("developer.mozilla.org", "docs.python.org", "stackoverflow.com", "example.com")
    headers = {
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0",
        "referer": f"https://www.google.com/search?q={quote(make.words(3))}&ei={make.base62(22)}",
        "if-none-match": f'"{make.base62(27)}"',
    }
    return Sent("pages", host, path, headers)


def _api(make: _Maker) -> Sent:
    cursor = base64.b64encode(f"cursor:v2:{make.number(10**8, 10**9)}".encode()).decode()
    node = base64.b64encode(f"010:Repository{make.number(10**6, 10**8)}".encode()).decode()
    path = make.pick(
        f"/repos/acme/app/commits/{make.hex(20)}",
        f"/repos/acme/app/compare/{make.hex(20)}...{make.hex(20)}",
        f"/v1/items?cursor={quote(cursor)}&limit=100",
        f"/v1/nodes/{quote(node)}?fields=id,name&page_token={quote(make.b64(48))}",
        f"/v1/orders/{make.uuid()}/lines/{make.uuid()}",
        f"/v1/orders/ord_{make.base62(14)}",
        f"/v2/events/01J{make.base62(23).upper()}",
        f"/rest/api/3/search?jql={quote('project = APP AND text ~ ' + make.words(2))}",
    )
    return Sent("APIs: reading", "api.github.com", path, _trace(make))


def _graphql(make: _Maker) -> Sent:
    digest = {"persistedQuery": {"version": 1, "sha256Hash": make.hex(32)}}
    cursor = base64.b64encode(f'{{"offset":{make.number(1, 999)}}}'.encode()).decode()
    body = {
        "query": 'query($after:String){repository(owner:"a"){issues(first:50,after:$after){id}}}',
        "variables": {"after": cursor, "id": f"R_kgDO{make.base62(6)}"},
        "extensions": digest,
    }
    return _json("GraphQL", "api.internal", "/graphql", body, _trace(make))


def _record(make: _Maker) -> Sent:
    rows = [
        {
            "id": make.uuid(),
            "etag": make.hex(16),
            "name": make.words(2),
            "sum": make.number(1, 9999),
        }
        for _ in range(make.number(1, 20))
    ]
    body = {"rows": rows, "checksum": f"sha256:{make.hex(32)}", "note": make.words(30)}
    return _json("APIs: JSON", "api.internal", "/v1/import", body, _trace(make))


def _image(make: _Maker) -> Sent:
    data = b"\x89PNG\r\n\x1a\n" + make.chosen.randbytes(make.number(500, 6000))
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return _json("APIs: image", "api.internal", "/v1/avatar", {"name": "a.png", "image": uri})


def _upload(make: _Maker) -> Sent:
    noise = gzip.compress(make.chosen.randbytes(3000))
    head = (
        '--BOUND\r\nContent-Disposition: form-data; name="file"; filename="build.tar.gz"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    body = head.encode() + noise + b"\r\n--BOUND--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=BOUND"}
    return Sent("upload", "ci.internal", f"/artifacts/{make.uuid()}", kind, body)


def _telemetry(make: _Maker) -> Sent:
    events = [
        {
            "event": make.pick("tool_use", "session_start", "api_request"),
            "event_id": make.uuid(),
            "session": make.uuid(),
            "device": make.hex(32),
            "duration_ms": make.number(1, 90_000),
            "stack": f"at {make.base62(2)} (file:///usr/lib/cli.js:{make.number(1, 900)}:12)",
        }
        for _ in range(make.number(1, 12))
    ]
    host = make.pick("statsig.example.com", f"o{make.number(10**6, 10**7)}.ingest.example.com")
    return _json("telemetry", host, "/api/v2/events", {"events": events}, _trace(make))


def _source_map(make: _Maker) -> Sent:
    signs = "AAAA CAAC SAASA GAAGC IAAI EAAE"
    more = "QAAQ MAAM eAAe kBAAkB oBAAoB;"
    body = {
        "version": 3,
        "sources": ["src/app.ts", "src/util.ts"],
        "names": make.words(12).split(),
        "mappings": ",".join(
            make.chosen.choices(f"{signs} {more}".split(), k=make.number(100, 900))
        ),
    }
    return _json("source map", "maps.internal", "/upload", body)


def _minified(make: _Maker) -> Sent:
    parts = [
        f"function {make.base62(2)}(e,t){{return e[{make.number(0, 99)}]^t>>>{make.number(1, 31)}}}"
        f"var n=[{','.join(str(make.number(0, 255)) for _ in range(16))}];"
        f'const o="{make.hex(4)}",i=r.{make.words(1)}({make.number(1, 999)});'
        for _ in range(make.number(4, 30))
    ]
    kind = {"content-type": "text/javascript"}
    return Sent("minified", "cdn.internal", "/put/app.min.js", kind, "".join(parts).encode())


def _mcp(make: _Maker) -> Sent:
    arguments = {
        "path": f"src/{make.words(1)}/{make.words(1)}.py",
        "content": f"def f(x):\n    # {make.words(8)}\n    return x * {make.number(1, 99)}\n" * 5,
        "sha": make.hex(20),
    }
    body = {
        "jsonrpc": "2.0",
        "id": make.number(1, 999),
        "method": "tools/call",
        "params": {"name": "write_file", "arguments": arguments},
    }
    return _json("MCP", "tools.internal", "/mcp", body)


def _numbers(make: _Maker) -> Sent:
    body = {
        "series": [make.number(0, 200) for _ in range(make.number(20, 300))],
        "bytes": [make.number(0, 255) for _ in range(64)],
        "matrix": [[round(make.chosen.random(), 6) for _ in range(12)] for _ in range(8)],
    }
    return _json("numbers", "metrics.internal", "/v1/series", body)


def _chat(make: _Maker) -> Sent:
    text = (
        f"{make.words(60)}. See https://example.com/{make.words(1)}/{make.hex(6)}#{make.words(1)}"
    )
    channel = f"C0{make.base62(9).upper()}"
    form = f"channel={channel}&text={quote(text)}&ts={make.number(10**9, 2 * 10**9)}.0"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return Sent("chat", "chat.internal", "/api/post", kind, form.encode())


def _weather(make: _Maker) -> Sent:
    number = make.number(1, 40)
    return Sent("paging", "api.internal", f"/v1/list?page={number}&per_page=50&sort=name&q=a")


_SHARES = (
    (_npm, 30), (_pip, 12), (_cargo, 8), (_git, 8), (_container, 4), (_page, 16), (_api, 16),
    (_graphql, 6), (_record, 8), (_image, 2), (_upload, 2), (_telemetry, 14), (_source_map, 1),
    (_minified, 2), (_mcp, 10), (_numbers, 3), (_chat, 4), (_weather, 4),
)  # fmt: skip


def day(count: int = 3000, seed: int = 7) -> Iterator[Sent]:
    """Requests of one day.

    Args:
        count: How many, about.
        seed: Of the noise.
    """
    make = _Maker(seed)
    kinds = [kind for kind, _ in _SHARES]
    weights = [weight for _, weight in _SHARES]
    for kind in make.chosen.choices(kinds, weights, k=count):
        yield kind(make)


def ten_kilobytes(count: int) -> Iterator[Sent]:
    """Requests of about 10 KB: JSON, text, code, one in ten with something encoded."""
    make = _Maker(10)
    for number in range(count):
        rows = [
            {"id": make.uuid(), "name": make.words(3), "text": make.words(40), "n": number}
            for _ in range(28)
        ]
        if number % 10 == 0:
            rows.append({"data": base64.b64encode(make.words(60).encode()).decode()})
        target = f"/v1/items/{make.uuid()}?page={number}"
        yield _json("JSON", "api.internal", target, {"rows": rows}, _trace(make))
