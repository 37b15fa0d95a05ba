"""A server of Git LFS beside git's own: the batch API, objects and locks (git-lfs, docs/api)."""

import json
from hashlib import sha256
from pathlib import Path

from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.support.gitserver import GitServer

TYPE = "application/vnd.git-lfs+json"


class LfsServer:
    """Git's repositories, and objects in memory; give it to `Web`.

    Attributes:
        git: The repositories.
        objects: SHA-256 in hex → content.
        origin: Scheme, host and port that it tells of itself.
        elsewhere: Origin at which it says that objects are, where that is another one.
        broken: It serves these bytes in place of what it was asked for.
    """

    def __init__(self, root: Path) -> None:
        self.git = GitServer(root)
        self.objects: dict[str, bytes] = {}
        self.origin = ""
        self.elsewhere = ""
        self.broken: bytes | None = None

    def __call__(self, request: Received) -> Answer:
        """Answer a request."""
        path = request.target.partition("?")[0]
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(json.loads(request.body))
        if "/info/lfs/locks" in path:
            if path.endswith("/verify"):
                return _json({"ours": [], "theirs": []})
            return _json({"locks": []})
        if path.startswith("/store/"):
            return self._store(request, path.removeprefix("/store/"))
        return self.git(request)

    def _batch(self, asked: dict[str, object]) -> Answer:
        upload = asked["operation"] == "upload"
        found: list[dict[str, object]] = []
        objects = asked["objects"]
        assert isinstance(objects, list)
        assert asked["transfers"] == ["basic"]
        for item in objects:
            oid = item["oid"]
            href = {"href": f"{self.elsewhere or self.origin}/store/{oid}?signature=a%2Fb"}
            if upload and oid in self.objects:
                found.append(item)
            elif upload:
                verify = {"href": f"{self.origin}/store/{oid}/verify"}
                found.append({**item, "actions": {"upload": href, "verify": verify}})
            elif oid in self.objects:
                found.append({**item, "actions": {"download": href}})
            else:
                found.append({**item, "error": {"code": 404, "message": "none"}})
        return _json({"transfer": "basic", "objects": found})

    def _store(self, request: Received, name: str) -> Answer:
        if request.method == "PUT":
            assert sha256(request.body).hexdigest() == name, (len(request.body), request.headers)
            self.objects[name] = request.body
            return Answer(status=200, headers={}, body=b"")
        if request.method == "POST":
            return _json({})
        body = self.objects[name] if self.broken is None else self.broken
        return Answer(status=200, headers={"content-type": "application/octet-stream"}, body=body)


def _json(value: object) -> Answer:
    return Answer(status=200, headers={"content-type": TYPE}, body=json.dumps(value).encode())
