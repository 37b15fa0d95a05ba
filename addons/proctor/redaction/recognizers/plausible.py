# ruff: noqa: PLR2004, SIM905 - lengths describe a kind of value; word lists read better as text
"""Whether a string beside a secret's name is a secret: no variable, no example, no label.

Text that speaks about passwords is far more frequent than passwords. What decides here is how a
value is built (words or noise), never where it was seen.
"""

import re
from itertools import pairwise
from typing import Final

STAND_IN: Final = re.compile(
    r"<[A-Z][A-Z0-9_]*(?::[bcdfghjklmnpqrstvwxz]{16})?>"
    r"|[A-Z][A-Z0-9_]*_[bcdfghjklmnpqrstvwxz]{16}(?![a-z])"
)
"""What redaction itself leaves behind: placeholders and surrogates."""

_EXAMPLES: Final = frozenset(
    "a abc abcd access admin all an and any api apikey app asdf aws bad bar baz bearer blank blah "
    "bool boolean bytes change changeit changeme char client code config confirm confirmation "
    "correct credential credentials current data db default demo dev dummy email empty encrypted "
    "enter env example expected fake false field fixme foo foobar forgot from get github given "
    "goes good has hash header here hidden id in input insert int invalid is it key keys label "
    "literal local login masked me missing mock my name new nil no none not null number object of "
    "old on one optional or page param parameter pass passphrase passwd password password1 "
    "passwords passwort placeholder please plain plaintext pw pwd qux quux random real redacted "
    "removed replace replaceme required reset sample secret secrets set some something string "
    "str super supersecret test tested tester testing text the this to todo token tokens true "
    "type undefined unknown unset user username uuid valid value var varchar variable with wrong "
    "xxx xxxx yes you your yours".split()
)
# As a whole value only: what development set-ups ship with.
_DEFAULTS: Final = frozenset(
    "admin root guest postgres mysql mariadb redis rabbitmq minioadmin elastic sa toor "
    "basic bearer digest negotiate oauth oauth2 jwt cookie session keyword identifier "
    "disabled enabled auto prompt stdin ask always never inherit ignore omit deny allow".split()
)
_STEMS: Final = frozenset(
    "password passwd pass secret test example changeme foo bar token key dummy user xxx demo "
    "sample mypassword mysecret testpass testpassword apikey abc".split()
)
_NOT_A_VALUE: Final = re.compile(
    r"""
      \A(?:
        [<\[({].*[>\])}]\Z | [<{(\[|>]\Z | \$[{(\[.]
      | \$[A-Za-z_]\w*(?:(?:\.|->|::|:)\w+|\[[^\]]*\])*;?\Z | %[\w.-]+%\Z | %\(?\w*\)?[sdr]\Z
      | \#\{ | \{\{ | \{%
      | @\w+[({@\w]*\Z | __\w+__\Z
      | !(?:Ref|Sub|GetAtt|ImportValue|Join|vault|secret|env|ENV|include|reference|file)\b
      | ENC\[ | ENC\(.*\)\Z | \$ANSIBLE_VAULT
      | (?:vault|op|env|file|secretref|awssm|arn|ssm|keyring|gcpsm|akv|sops|ref)[:+]
      | projects/[^/]+/secrets/ | (?:https?|wss?|urn|data): | [/~][\w./~-]*\Z | \.{1,2}/
      | \#[0-9a-fA-F]{3,8}\Z | [a-z_]+(?:\|[a-z_:0-9]+)+\Z
      | [*.xX\u2022\u25cf#?_=+-]{3,}\Z
      | (?:system|self|this|process|config|settings|options|os|env|args|props|request|req|ctx|params
         |secrets|vars?|local|data|module|input|context|import\.meta)\.\w
      )
    | \.{3} | \u2026 | \*{4} | x{6} | X{6} | \{\{ | \$\{ | \$\( | <% | %\{ | \#\{
    | eyJzdWIiOiIxMjM0NTY3ODkw | EXAMPLE(?:KEY)?\Z
    | (?i:redacted|_here\Z|-here\Z|placeholder|change[_-]?me|replace[_-]?(?:me|with|this))
    """,
    re.VERBOSE,
)
_CODE: Final = re.compile(
    r"""
      \A[&*!]?[A-Za-z_$][\w$]*(?:(?:\?\.|\.|->|::|\?)[A-Za-z_$]?[\w$]*)*[(\[{<]
    | \A(?:new|await|typeof|lambda|function|return|not|std::|crate::)\b
    | \A[(\[{!*&]+[A-Za-z_]\w*(?:\.|->|::|\()\w
    | \A[A-Za-z_]\w*(?:(?:\.|->|::)\w+)*(?:\.|->|::)[A-Za-z_]\w*(?:\.|->|::)?\Z  # attribute
    | \A\\[dwsSDWbAZz(\[] | \A\^ | \[[aA0]-[zZ9] | \(\?[:=!<P] | \\d[+*{]                # a regex
    | => | \)[;}\])] | \}\) | \A[=<>!&|+]{1,3}\Z | \A[)\]};,]
    """,
    re.VERBOSE,
)
# Words and a number, joined unlike each other: passphrases, no attributes.
_NUMBERED: Final = re.compile(
    r"\A[A-Za-z]+\.[A-Za-z]+[_-]\d{2,4}\Z|\A[A-Za-z]+[_-][A-Za-z]+\.\d{2,4}\Z"
)
_DOTTED_WORDS: Final = re.compile(
    r"\A[#.]?[A-Za-z][A-Za-z-]{1,30}(?:[.:/#][A-Za-z][\w-]{1,30}){1,6}\Z"
)
_HOST: Final = re.compile(r"\A[\w.-]+@[\w-]+(?:\.[\w-]+)+\Z|\A(?:\d{1,3}\.){3}\d{1,3}\Z")
_DATE: Final = re.compile(
    r"\A\d{1,4}[-/.:]\d{1,2}[-/.:]\d{1,4}(?:[T ][\d:.+Z-]*)?\Z|\Av?\d+(?:\.\d+){1,3}\Z"
)
_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_CONSONANTS: Final = re.compile(
    r"[bcdfghjklmnpqrstvwxz]{5}|[aeiou]{4}|q[^u]|[jvwxz][bcdfghjklmnpqrtvwxz]{2}"
)
# The commonest pairs of letters in words of program text; noise has a third of its pairs here.
_PAIRS_TEXT: Final = (
    "abacadagaiakalamanaparasatauavaybabebiblbobrbsbucacccechcickclcocrcsctcudadddedi"
    "dldodrdsdueaecedeeefegelemeneoeperesetevewexfafefffiflfofrfugageghgiglgngrgsguha"
    "hehihohtiaibicidieifigiliminioipirisitivizkekikslaldlelilllolsltlulymambmemimmmo"
    "mpmsmunancndnenfngninknlnnnonsntnunvobocodofogoiolomonoooporosotouovowpapepiplpo"
    "ppprpsptpupyqurarcrdrergrirlrmrnrorrrsrtrurysascseshsislsospssstsusytatctethtitl"
    "tmtotptrtstttutyuaubucueuiulumunupurusutvaveviwawewixpxtypze"
)
_PAIRS: Final = frozenset(_PAIRS_TEXT[at : at + 2] for at in range(0, len(_PAIRS_TEXT), 2))
_WORDLIKE: Final = 0.65
_SYMBOLS: Final = re.compile(r"[!-/:-@\[-`{-~]")
UUID: Final = re.compile(r"\A[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_VOWELS: Final = frozenset("aeiouy")
_HEX: Final = re.compile(r"\A[0-9a-f]+\Z|\A[0-9A-F]+\Z")


def is_stand_in(value: str) -> bool:
    """Whether nothing of substance is left once redaction's own words are taken away."""
    rest, found = STAND_IN.subn("", value)
    return bool(found) and sum(map(str.isalnum, rest)) < 4


def _pronounceable(word: str) -> bool:
    low = word.lower()
    common = sum(low[at : at + 2] in _PAIRS for at in range(len(low) - 1))
    return common >= _WORDLIKE * (len(low) - 1) and not _VOWELS.isdisjoint(low)


def wordiness(value: str) -> float:
    """Share of the value's letters and digits that stand in words of four letters or more."""
    total = words = 0
    for part in _PARTS.findall(value):
        total += len(part)
        if len(part) >= 4 and part.isalpha() and _pronounceable(part):
            words += len(part)
    return words / total if total else 0.0


def _sequential(value: str) -> bool:
    """`1234567890`, `abcdefgh`, `aaaaaaaa`: most characters follow from the one before."""
    low = value.lower()
    steps = sum(0 <= ord(b) - ord(a) <= 1 for a, b in pairwise(low))
    return steps >= 0.7 * (len(low) - 1)


def is_placeholder(value: str) -> bool:
    """Whether the value is meant to be replaced, or is filled in by something else."""
    if _NOT_A_VALUE.search(value) or is_stand_in(value):
        return True
    if len(value) >= 6 and (len(set(value.replace("-", ""))) <= 3 or _sequential(value)):
        return True
    low = value.lower().strip("!.?:")
    if low in _DEFAULTS or low.rstrip("0123456789") in _STEMS:
        return True
    parts = [part.lower() for part in _PARTS.findall(value)]
    words = [part for part in parts if not part.isdigit()]
    if not words or any(not c.isascii() for c in value):
        return False
    if (
        sum(map(len, parts))
        < len(value) - value.count("_") - value.count("-") - value.count(" ") - 2
    ):
        return False
    digits = sum(len(part) for part in parts if part.isdigit())
    return digits <= 3 and (
        all(word in _EXAMPLES for word in words) or low.startswith(("your", "my-", "my_", "<"))
    )


def is_numbered(value: str) -> bool:
    """Whether the value is two words and a number, such as people make passwords of."""
    return bool(_NUMBERED.match(value))


def is_code(value: str) -> bool:
    """Whether an unquoted value reads as an expression."""
    return bool(_CODE.search(value))


def is_random(value: str, least: int = 16) -> bool:
    """Whether the value is noise, as machines make it.

    Args:
        value: Without quotes.
        least: Characters it must have.
    """
    if len(value) < least or not value.isascii() or " " in value:
        return False
    if UUID.match(value):
        return len(set(value)) > 8
    kinds = sum(
        map(bool, (re.search("[a-z]", value), re.search("[A-Z]", value), re.search(r"\d", value)))
    )
    if _HEX.match(value):
        return len(set(value)) >= 7 and kinds >= 2 and len(value) >= max(least, 16)
    if kinds < 2 and (kinds == 0 or value.isdigit() or not _CONSONANTS.search(value.lower())):
        return False
    return len(set(value)) >= min(10, len(value) * 0.5) and wordiness(value) < 0.45


def is_noise(value: str, digits: int = 2) -> bool:
    """Whether brackets in a value are signs of a password rather than of code: no words in it.

    Args:
        value: Without quotes.
        digits: How many it must have.
    """
    return (
        len(value) >= 10
        and not re.search(r"[()]", value)
        and len(re.findall(r"\d", value)) >= digits
        and all(re.search(kind, value) for kind in ("[a-z]", "[A-Z]"))
        and wordiness(value) < 0.3
    )


def is_password(  # noqa: PLR0911 - a list of reasons, each with its answer
    value: str, *, quoted: bool, alone: bool = False
) -> bool:
    """Whether a value beside a password's name is a password someone chose or made.

    Args:
        value: Without quotes.
        quoted: It stood in quotes, so it is no expression.
        alone: It is all there is to the right of its name on its line, as in `.env` and YAML.
    """
    if not 4 <= len(value) <= 512 or is_placeholder(value):
        return False
    if " " in value or "\t" in value:
        return quoted and bool(re.fullmatch(r"[a-z]{4}(?: [a-z]{4}){3}", value))
    if _DOTTED_WORDS.match(value) and wordiness(value) > 0.4 and not re.search(r"\d\d", value):
        return False
    if _HOST.match(value) or _DATE.match(value):
        return False
    if (
        not quoted
        and is_code(value)
        and not is_noise(value)
        and not is_numbered(value)
        and not (alone and re.search(r"\d.*[!@#$%^&*]|[!@#$%^&*].*\d", value))
    ):
        return False
    lower = re.search("[a-z]", value)
    upper = re.search("[A-Z]", value)
    digits = len(re.findall(r"\d", value))
    symbol = re.search(r"[^\w.:/\-\s,]", value)
    if digits == len(value):
        return digits >= 6 and (quoted or alone)
    wordy = wordiness(value) > 0.45
    if digits and (lower or upper or symbol):
        return not wordy or digits >= 2 or symbol is not None or (quoted and len(value) >= 8)
    if symbol and (lower or upper):
        return (
            bool(quoted or alone or (lower and upper))
            and len(value) >= 6
            and not value.endswith(":")
        )
    if value.isascii() and re.fullmatch(r"[a-z]{3,}(?:[-_.][a-z]{3,}){3,}", value):
        words = re.split("[-_.]", value)
        return not any(word in _EXAMPLES for word in words)
    return (
        len(value) >= 8
        and not wordy
        and (bool(lower and upper) or bool(_CONSONANTS.search(value.lower())))
    )


def is_token(value: str, *, quoted: bool, alone: bool = False) -> bool:
    """Whether a value beside the name of a key, token or secret is one.

    Args:
        value: Without quotes.
        quoted: It stood in quotes, so it is no expression.
        alone: It is all there is to the right of its name on its line.
    """
    if not 8 <= len(value) <= 8192 or is_placeholder(value):
        return False
    if " " in value:
        # WordPress and the like draw salts from all of ASCII.
        return (
            quoted
            and len(value) >= 32
            and len(_SYMBOLS.findall(value)) >= 6
            and wordiness(value) < 0.45
        )
    if is_random(value):
        return quoted or not is_code(value) or (alone and wordiness(value) < 0.3)
    if wordiness(value) > 0.45 and not (
        re.search(r"[!@#$%^&*]", value) or (quoted and is_numbered(value))
    ):
        return False
    return (
        bool(re.search(r"\d.*\d|\d.*[!@#$%^&*]", value))
        and bool(re.search("[A-Za-z]", value))
        and is_password(value, quoted=quoted, alone=alone)
    )
