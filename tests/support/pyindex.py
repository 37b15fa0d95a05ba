"""A package index with one package in it, made on the spot: what pip installs from."""

import base64
import hashlib
import io
import zipfile

from proctor.testing.http1 import Received
from proctor.testing.service import Answer
from tests.support.web import answer, answer_json

NAME = "oracle-parcel"
MODULE = "oracle_parcel"
VERSION = "1.0.0"
SAYS = "delivered"
FILE = f"{MODULE}-{VERSION}-py3-none-any.whl"

_JSON = "application/vnd.pypi.simple.v1+json"


def wheel() -> bytes:
    """A pure wheel (Binary distribution format, PyPA specifications)."""
    info = f"{MODULE}-{VERSION}.dist-info"
    files = {
        f"{MODULE}/__init__.py": f'SAYS = "{SAYS}"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: oracle\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    lines = [f"{name},{_digest(text)},{len(text)}" for name, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # always the same time, so same bytes
    return made.getvalue()


def index(request: Received) -> Answer:
    """The Simple repository API in HTML and JSON (PEP 503, PEP 691), and the file."""
    path = request.target.partition("?")[0]
    data = wheel()
    digest = hashlib.sha256(data).hexdigest()
    if path == f"/files/{FILE}":
        return answer(200, data, "application/octet-stream")
    if path != f"/simple/{NAME}/":
        return answer(404, b"", "text/plain")
    url = f"/files/{FILE}"
    if _JSON not in (request.header("accept") or ""):
        link = f'<!DOCTYPE html><a href="{url}#sha256={digest}">{FILE}</a>'
        return answer(200, link.encode(), "text/html")
    listed = {"filename": FILE, "url": url, "hashes": {"sha256": digest}}
    body = {"meta": {"api-version": "1.0"}, "name": NAME, "files": [listed]}
    return answer_json(body, content_type=_JSON)


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"
