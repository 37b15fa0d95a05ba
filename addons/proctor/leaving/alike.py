"""Letters of other alphabets that look like ASCII (Unicode TR 39, confusables)."""

from typing import Final

_ALIKE: Final = str.maketrans(
    "аеорсухіјѕԁԛԝһӏьгнквмтАВЕКМНОРСТУХІЈЅαονικρτυχεΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdqwhlbrhkbmtABEKMHOPCTYXIJSaovikptuxeABEZHIKMNOPTYX",
)


def plain(text: str) -> str:
    """The text with such letters read as what they look like; as long as before."""
    return text.translate(_ALIKE)
