# ruff: noqa: PLR2004 - lengths describe a kind of value
"""Secrets on command lines: `--password X`, `mysql -pX`, `curl -u user:X`, `sshpass -p X`.

A long option says by its name that a secret follows. A short one says so only after the command
whose option it is, so each command is listed with its own, as its manual has it.
"""

import re
from collections.abc import Iterator
from typing import Final

from proctor.redaction.model import API_KEY, PASSWORD
from proctor.redaction.recognizers.assignments import classify
from proctor.redaction.recognizers.plausible import (
    is_code,
    is_noise,
    is_numbered,
    is_password,
    is_placeholder,
    is_random,
    is_token,
    wordiness,
)
from proctor.redaction.recognizers.shapes import Found, Shape, by_regex

_ARGUMENT: Final = (
    r"(?:\\?\"(?P<d>[^\"\n\\]{1,512})\\?\"|'(?P<s>[^'\n]{1,512})'|(?P<b>[^\s\"'|;<>`)]{1,2048}))"
)
_LONG: Final = re.compile(
    r"-{1,2}(?P<name>[A-Za-z][\w.-]{1,40})(?:=|[ \t]{1,4}|\"[ ]?,[ ]?\"|'[ ]?,[ ]?'|:)" + _ARGUMENT
)
# Between a command and its option: other options, still on this line (or on continued ones).
_BETWEEN: Final = r"(?:[^\n|;&\\]|\\\r?\n|\\[^\n]){0,300}?"

# Command, then its option with what separates it from the value. A value is one argument, or where
# `user:` is named the part after the colon.
_OPTIONS: Final = (
    (
        r"sshpass",
        r"[ ]-p[ ]?",
    ),
    (
        r"mysql(?:dump|admin|import|sh|show|check|_upgrade|pump|binlog)?|mariadb(?:-\w+)?",
        r"[ ]-p(?=[^\s-])",
    ),
    (
        r"mongo(?:sh|dump|restore|export|import)?|mongosh",
        r"[ ]-p[ ]?",
    ),
    (
        r"redis-cli|valkey-cli|keydb-cli",
        r"[ ]-a[ ]{1,3}",
    ),
    (
        (
            r"docker[ ]login|podman[ ]login|nerdctl[ ]login|helm[ ]registry[ ]login|"
            r"skopeo[ ]login|buildah[ ]login|crane[ ]auth[ ]login|oras[ ]login"
        ),
        r"[ ]-p[ ]?",
    ),
    (
        r"az[ ]login|oc[ ]login|cf[ ]login|rancher[ ]login|ibmcloud[ ]login|argocd[ ]login",
        r"[ ]-[pt][ ]{1,3}",
    ),
    (
        r"sqlcmd|bcp|osql|isql|dbaccess|clickhouse-client|cqlsh|influx|arangosh|ysqlsh",
        r"[ ]-[pP][ ]?(?=[^\s-])",
    ),
    (
        r"ldap(?:search|modify|add|delete|whoami|passwd)",
        r"[ ]-w[ ]?",
    ),
    (
        (
            r"zip|unzip|mosquitto_(?:pub|sub)|ipmitool|smbmap|evil-winrm|"
            r"hydra|crackmapexec|nxc|netexec|xfreerdp|rdesktop|winexe|kinit|"
            r"twine[ ]upload|vncdo|impacket-\w+|svn|ngrok|snowsql"
        ),
        r"[ ]-[pP][ ]?(?=[^\s-])",
    ),
    (
        r"7za?|7zz|rar|unrar",
        r"[ ]-(?:p|hp)(?=[^\s-])",
    ),
    (
        r"plink|pscp|psftp|putty|kitty",
        r"[ ]-pw[ ]{1,3}",
    ),
    (
        r"openssl",
        r"[ ]-pass(?:in|out)?[ ](?:pass:)|[ ]-k[ ]|[ ]-password[ ]pass:",
    ),
    (
        r"gpg2?",
        r"[ ]--passphrase[ =]",
    ),
    (
        r"keytool|jarsigner|apksigner|codesign|security",
        r"[ ]-(?:store|key|srcstore|deststore|new|src|dest)pass[ ](?:pass:)?|[ ]-[pP][ ]",
    ),
    (
        r"net[ ]use|cmdkey|xfreerdp|runas|winscp|(?i:psexec)(?:64)?(?:\.exe)?|schtasks|wmic",
        r"[ ][/-](?:p|pass|password|rp):?[ ]?(?=[^\s/-])|[ ]\\\\[^\s]{1,200}[ ](?![/*-])",
    ),
    (
        r"curl|http|https|xh|aria2c",
        r"[ ](?:-u|--user|-a|--auth|-U|--proxy-user)[ =]?[\"']?[^\s:\"']{0,80}:",
    ),
    (
        r"smbclient|rpcclient|smbget",
        r"[ ]-U[ ]?[\"']?[^\s%\"']{1,80}%",
    ),
    (
        r"lftp",
        r"[ ]-u[ ][^\s,]{1,80},",
    ),
    (
        r"sqlplus|expdp|impdp|exp|imp|sqlldr|rman",
        r"[ ](?:target[ ])?[\"']?\w[\w$#.]{0,60}/(?=[^/\s]{4,80}@)",
    ),
    (
        r"rabbitmqctl",
        r"[ ](?:add_user|change_password|authenticate_user)[ ][\w.@-]{1,80}[ ]",
    ),
    (
        r"htpasswd",
        r"[ ]-\w*b\w*[ ](?:\S{1,200}[ ])?[\w.@-]{1,80}[ ]",
    ),
    (
        r"vault[ ]login",
        r"[ ](?:-method=\w+[ ])?(?=[\w.-]{16,})|password=",
    ),
    (
        r"aws[ ]configure[ ]set",
        r"[ ](?:[\w.]+\.)?aws_(?:secret_access_key|session_token|access_key_id)[ ]",
    ),
    (
        r"(?:npm|yarn|pnpm)[ ]config[ ]set",
        r"[ ]\S{0,200}(?:_authToken|_password|_auth|npmAuthToken)[ =]",
    ),
    (
        r"snmp(?:walk|get|bulkwalk|set|table)",
        r"[ ]-[cAX][ ]?",
    ),
    (
        r"wpa_passphrase|nmcli[^\n]{0,80}wifi[ ]connect",
        r"[ ](?:\"[^\"\n]{1,40}\"|'[^'\n]{1,40}'|\S{1,40})[ ](?:password[ ])?",
    ),
    (
        r"ssh-keygen|openssh-keygen",
        r"[ ]-[NP][ ]",
    ),
    (
        r"useradd|usermod",
        r"[ ]-p[ ]",
    ),
    (
        r"net[ ]user",
        r"[ ][\w.$-]{1,40}[ ](?!/)",
    ),
    (
        (
            r"bw[ ]unlock|bw[ ]login[ ]\S{1,80}|pass[ ]insert|doctl[ ]auth[ ]init[ ]-t|"
            r"gh[ ]auth[ ]login[ ]--with-token[ ]<<<|travis[ ]login[ ]--github-token|"
            r"surge[ ]token|pulumi[ ]login[ ]-t|fly[ ]auth[ ]token|sudo[ ]-S[ ](?:[^\n|;<]{1,80}"
            r"[ ])?<<<|"
            r"su[ ]-c"
        ),
        r"[ ]",
    ),
    (
        r"git[ ]config",
        (
            r"[ ][\w.:/-]{0,120}(?:token|password|extraheader)[ ](?:[\"']?AUTHORIZATION:[ ]\w+"
            r"[ ])?"
        ),
    ),
)
_DASH: Final = ("[ ]-", "[ ](?:-")
_NEAR: Final = 400  # characters from a command to the dash of its option, at most


def _commands(*, dashed: bool) -> re.Pattern[str]:
    return re.compile(
        "|".join(
            f"(?:(?:{command}){_BETWEEN}(?:{option}){_ARGUMENT})".replace("?P<d>", f"?P<d{n}>")
            .replace("?P<s>", f"?P<s{n}>")
            .replace("?P<b>", f"?P<b{n}>")
            for n, (command, option) in enumerate(_OPTIONS)
            if dashed == all(each.startswith(_DASH) for each in option.split("|[ ]"))
        )
    )


_WITH_DASH: Final = _commands(dashed=True)
_WITHOUT: Final = _commands(dashed=False)
_PIPED: Final = re.compile(
    r"(?:echo|printf|Write-Output)[ ](?:-\w+[ ]|['\"]?%s['\"]?[ ]){0,3}"
    r"(?:\"(?P<d>[^\"\n]{1,512})\"|'(?P<s>[^'\n]{1,512})'|(?P<b>[^\s\"'|;<>]{1,512}))[ ]?\|[ ]?"
    r"(?:sudo[ ](?:-\w+[ ]){0,3}-S|(?P<user>(?:sudo[ ])?chpasswd)|(?:sudo[ ])?passwd[ ]--"
    r"stdin|(?:sudo[ ])?(?:cryptsetup|kinit|smbpasswd|veracrypt|ssh-add|ansible-vault|restic|"
    r"borg|su|net[ ]ads|"
    r"realm|adcli|keyctl|pass|htpasswd|(?:gcloud|gh|fly|wrangler|podman|docker|az[ ]keyvault|"
    r"openstack)"
    r"[ ](?:secret|secrets))[ ]|[^\n|]{0,160}--(?:password|token|with|passphrase|api-key)"
    r"[\w-]{0,12}(?:stdin|"
    r"-fd|token))"
)
_VALUE: Final = re.compile(r"[ ]--[a-z-]{4,16}[ =]" + _ARGUMENT)
_ABOUT_SECRETS: Final = re.compile("(?i)secret|passw|securestring|credential|keyvault")
_ORACLE: Final = re.compile(r"(?:sqlplus|expdp|impdp|exp|imp|sqlldr|rman)[ ]")
_NUMERIC_PASSWORD: Final = re.compile(r"\d{4,}\Z")


def _argument(match: re.Match[str]) -> tuple[int, int, bool]:
    """The argument without its quotes, and whether it had any."""
    group = match.lastgroup or ""
    start, stop = match.span(group)
    if group.startswith("b"):
        while stop > start and match.string[stop - 1] in ",.:\\":
            stop -= 1
    return start, stop, not group.startswith("b")


def _typed(value: str, *, quoted: bool) -> bool:
    """Whether someone typed a password here: no variable, no placeholder, no other option."""
    if (
        value.startswith(("-", "$", "%", "<", "{{", "@"))
        or is_placeholder(value)
        or not 3 < len(value) < 1024
    ):
        return False
    return (
        quoted
        or not is_code(value)
        or is_noise(value)
        or is_numbered(value)
        or (is_random(value) and wordiness(value) < 0.3)
    )


def find_command(text: str, at: int) -> Iterator[Found]:
    """What the option of a known command holds."""
    if at and (text[at - 1].isalnum() or text[at - 1] in "-_."):
        return
    # Nearly every command has an option with a dash; where there is none, that is soon seen.
    match = _WITH_DASH.match(text, at) if text.find(" -", at, at + _NEAR) >= 0 else None
    match = match or _WITHOUT.match(text, at)
    if match:
        start, stop, quoted = _argument(match)
        if _ORACLE.match(text, at) and "@" in text[start:stop]:
            stop = text.index("@", start)  # user/password@host
        value = text[start:stop]
        if _typed(value, quoted=quoted) and (
            is_password(value, quoted=True) or _NUMERIC_PASSWORD.match(value)
        ):
            yield Found(start, stop, PASSWORD)


def find_long(text: str, at: int) -> Iterator[Found]:
    """What a long option holds whose name names a secret."""
    if (at and (text[at - 1].isalnum() or text[at - 1] in "_.")) or text[at - 2 : at] == "--":
        return
    match = _LONG.match(text, at)
    promise = classify(match["name"]) if match else None
    if match is None or promise is None:
        return
    type_, proof = promise
    start, stop, quoted = _argument(match)
    value = text[start:stop]
    if not _typed(value, quoted=quoted):
        return
    good = is_password(value, quoted=True) if proof == 0 else is_token(value, quoted=True)
    if good and (proof < 2 or is_random(value)):
        yield Found(start, stop, type_)


def find_value(text: str, at: int) -> Iterator[Found]:
    """What a command about secrets is given as the value."""
    match = _VALUE.match(text, at)
    line = text[max(0, at - 200) : at].rpartition("\n")[2]
    if match is None or not _ABOUT_SECRETS.search(line):
        return
    start, stop, quoted = _argument(match)
    value = text[start:stop]
    if _typed(value, quoted=quoted) and re.search(r"\d", value) and is_password(value, quoted=True):
        yield Found(start, stop, PASSWORD)


def find_piped(text: str, at: int) -> Iterator[Found]:
    """What is echoed into a command that reads a password."""
    match = _PIPED.match(text, at)
    if match is None:
        return
    group = next(name for name in ("d", "s", "b") if match[name] is not None)
    start, stop = match.span(group)
    if match["user"]:
        start = text.find(":", start, stop) + 1 or start
    if _typed(text[start:stop], quoted=group != "b") and is_password(text[start:stop], quoted=True):
        yield Found(start, stop, PASSWORD)


SHAPES: Final = (
    Shape(
        name="long-option",
        trigger=r"(?i)-(?:[A-Za-z][\w.-]{0,32})?(?:pass|pwd|psk|secret|token|key|"
        r"credential|auth)[\w.-]{0,20}[= \"':]",
        find=find_long,
    ),
    Shape(
        name="short-option",
        trigger="|".join(f"(?:{command})[ \\\\]".replace("(?P<", "(") for command, _ in _OPTIONS),
        find=find_command,
    ),
    Shape(
        name="login-argument",
        trigger=r" (?:auth|login|authenticate|authtoken|add-authtoken|set-token|"
        r"set-key|apikey|unlock) [A-Za-z0-9]",
        find=by_regex(
            r"[ ][\w-]{4,16}[ ](?:(?:login|add|set|token)[ ])?(?P<value>[\w.~+/=-]{20,512}"
            r")(?=\s|\Z)",
            API_KEY,
            lambda value: is_random(value, 20) and wordiness(value) < 0.3,
        ),
    ),
    Shape(
        name="value-option",
        trigger=r" --(?:value|body|secret-string|secret-value|string-value)[ =]",
        find=find_value,
    ),
    Shape(
        name="piped-password",
        trigger=r"(?:echo|printf|Write-Output) ",
        find=find_piped,
    ),
)
