"""A registry of npm packages with one in it, made on the spot: what npm installs from."""

import base64
import gzip
import hashlib
import io
import json
import tarfile

from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.support.web import answer, answer_json

NAME = "oracle-parcel"
VERSION = "1.0.0"
SAYS = "delivered"


def tarball() -> bytes:
    """The package, as `npm pack` lays it out."""
    files = {
        "package/package.json": json.dumps({"name": NAME, "version": VERSION, "main": "main.js"}),
        "package/main.js": f'module.exports = "{SAYS}";\n',
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(made.getvalue(), mtime=0)  # always the same bytes


def registry(request: Received) -> Answer:
    """A package's document and its file; the scheme is https, the host as the client wrote it."""
    path = request.target.partition("?")[0]
    data = tarball()
    file = f"/{NAME}/-/{NAME}-{VERSION}.tgz"
    if path == file:
        return answer(200, data, "application/octet-stream")
    if path != f"/{NAME}":
        return answer_json({"error": "Not found"}, 404)
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    dist = {
        "integrity": f"sha512-{digest}",
        "shasum": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "tarball": f"https://{request.header('host')}{file}",
    }
    version = {"name": NAME, "version": VERSION, "main": "main.js", "dist": dist}
    body = {"name": NAME, "dist-tags": {"latest": VERSION}, "versions": {VERSION: version}}
    return answer_json(body)
