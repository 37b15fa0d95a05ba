"""Media types (RFC 9110 section 8.3.1), and what is no text."""

import re
from dataclasses import dataclass, field
from typing import Final

_TYPE: Final = re.compile(r"[ \t]*([\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127})", re.ASCII)
_PARAMETER: Final = re.compile(r';[ \t]*([\w!#$&^.+*-]+)=("(?:[^"\\]|\\.)*+"|[^;" \t]*)', re.ASCII)
_TEXTUAL: Final = re.compile(
    r"text/.*|.*\+(?:json|xml|yaml)|application/(?:json|xml|yaml|x-yaml|toml|csv|sql|graphql"
    r"|(?:x-|ld-)?ndjson|jsonl|jsonlines|x-jsonlines|json-seq|x-www-form-urlencoded"
    r"|(?:x-)?javascript|ecmascript|x-sh|x-pem-file|pem-certificate-chain|http)"
)
_IMAGE: Final = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|BM.{4}\0{4}|II\*\0|MM\0\*|\0\0\x01\0"
    rb"|\xff\x0a|\0\0\0\x0cJXL |\0.{3}ftyp(?:avif|avis|heic|heix|mif1|msf1)",
    re.DOTALL,
)
_BINARY: Final = re.compile(
    # PDF; zip, gzip, bzip2, xz, zstd, 7z, rar; wasm, ELF, Mach-O, Java
    rb"%PDF-|PK[\x03\x05\x07][\x04\x06\x08]|\x1f\x8b\x08|BZh[1-9]1AY&SY|\xfd7zXZ\0|\x28\xb5\x2f\xfd"
    rb"|7z\xbc\xaf\x27\x1c|Rar!\x1a\x07|\0asm|\x7fELF|[\xcf\xce]\xfa\xed\xfe|\xca\xfe\xba\xbe"
    # MP4, Matroska, RIFF, MP3, Ogg, FLAC
    rb"|\0.{3}ftyp|\x1a\x45\xdf\xa3|RIFF.{4}(?:WAVE|AVI )|ID3[\x02-\x04]\0|OggS\0|fLaC\0"
    # Fonts, SQLite, git packs, old Office
    rb"|wOF[F2]\0|\0\x01\0\0\0|OTTO\0|SQLite format 3\0|PACK\0\0\0|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    rb"|.{257}ustar[\0 ]",
    re.DOTALL,
)
# They begin with lines of text: gitprotocol-pack(5), gitprotocol-v2(5).
_GIT: Final = re.compile(
    r"application/x-git-(?:upload-pack|receive-pack)-(?:request|result)|application/vnd\.git-lfs"
)
_CONTROLS: Final = bytes(c for c in range(32) if c not in b"\t\n\v\f\r\x1b")
# Of random bytes one in ten is a control; of text, even broken text, next to none.
_BINARY_SHARE: Final = 20


@dataclass(frozen=True, slots=True)
class Media:
    """A media type.

    Attributes:
        type: Type and subtype in lower case; "" where there is none.
        parameters: By name in lower case; the first of a name counts.
    """

    type: str
    parameters: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def textual(self) -> bool:
        """Whether it says that the body is text."""
        return bool(_TEXTUAL.fullmatch(self.type))

    @property
    def charset(self) -> str:
        """The declared charset, or ""."""
        return self.parameters.get("charset", "")


def parse_media(content_type: str) -> Media:
    """Read a Content-Type; what is not understood counts as not declared."""
    match = _TYPE.match(content_type)
    if match is None:
        return Media("")
    parameters: dict[str, str] = {}
    for name, value in _PARAMETER.findall(content_type, match.end()):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])  # noqa: PLW2901  # RFC 9110 section 5.6.4
        parameters.setdefault(name.lower(), value)
    return Media(match[1].lower(), parameters)


def is_image(raw: bytes) -> bool:
    """Whether it begins as an image does."""
    return bool(_IMAGE.match(raw))


def is_binary(raw: bytes, media: Media) -> bool:
    """Whether there is no text in a body that could be looked at.

    What is called text is text, whatever it begins with, and so is an image that is none.
    """
    if media.textual:
        return False
    if _GIT.fullmatch(media.type) or is_image(raw):
        return True
    if media.type.startswith("image/"):
        return False
    if _BINARY.match(raw):
        return True
    return (len(raw) - len(raw.translate(None, _CONTROLS))) * _BINARY_SHARE > len(raw)
