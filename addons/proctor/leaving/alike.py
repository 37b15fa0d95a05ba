"""Letters of other alphabets that look like ASCII (Unicode TR 39, confusables)."""

import unicodedata
from typing import Final

# In circles and squares (Unicode, compatibility decompositions).
_ENCLOSED: Final = {
    sign: unicodedata.normalize("NFKC", chr(sign))
    for sign in (*range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A))
}
_ALIKE: Final = _ENCLOSED | str.maketrans(
    "аеорсухіјѕԁԛԝһӏьгнквмтАВЕКМНОРСТУХІЈЅαονικρτυχεΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdqwhlbrhkbmtABEKMHOPCTYXIJSaovikptuxeABEZHIKMNOPTYX",
)


def plain(text: str) -> str:
    """The text with such letters read as what they look like; as long as before."""
    return text.translate(_ALIKE)
