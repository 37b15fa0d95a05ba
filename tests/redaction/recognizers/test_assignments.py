"""Names beside values, in every notation."""

import pytest

from proctor.redaction.model import API_KEY, PASSWORD, PRIVATE_KEY, SECRET
from proctor.redaction.recognizers.assignments import SHAPES, classify, is_about
from tests.redaction.recognizers.shaped import found, values

P = "Vq8mZ2" + "kLp0xR"


@pytest.mark.parametrize(
    ("name", "promise"),
    [
        ("DB_PASSWORD", (PASSWORD, 0)),
        ("dbPassword", (PASSWORD, 0)),
        ("MYSQL_PWD", (PASSWORD, 0)),
        ("SMTPPASS", (PASSWORD, 0)),
        ("apiKey", (API_KEY, 1)),
        ("aws_secret_access_key", (API_KEY, 1)),
        ("shared_secret", (SECRET, 1)),
        ("github.token", (API_KEY, 1)),
        ("privateKey", (PRIVATE_KEY, 1)),
        ("PrivateKey2", (PRIVATE_KEY, 1)),
        ("some_key", (SECRET, 2)),
        ("password_field", None),
        ("tokenType", None),
        ("nextPageToken", None),
        ("publicKey", None),
        ("primary_key", None),
        ("data-sitekey", None),
        ("Sec-WebSocket-Key", None),
        ("monkey_count", None),
        ("", None),
    ],
)
def test_names(name: str, promise: tuple[str, int] | None) -> None:
    assert classify(name) == promise


def test_names_of_public_things() -> None:
    assert is_about("nextPageToken")
    assert not is_about("access_token")


@pytest.mark.parametrize(
    "text",
    [
        "password = '@@'",
        'password: "@@"',
        "DB_PASSWORD=@@",
        "export DB_PASSWORD='@@'",
        "password => '@@',",
        'password: str = "@@"',
        'Password string = "@@"',
        'let password: &str = "@@";',
        'password := "@@"',
        "<password>@@</password>",
        '<Password Type="x">@@</Password>',
        '<add key="Password" value="@@"/>',
        "<key>password</key>\n<string>@@</string>",
        '{"name": "DB_PASSWORD", "value": "@@"}',
        "- name: DB_PASSWORD\n  value: @@\n",
        '\\"password\\": \\"@@\\"',
        "setPassword('@@')",
        "define('DB_PASSWORD', '@@');",
        'os.environ["PASSWORD"] = "@@"',
        "?user=a&password=@@&ssl=1",
        "Server=a;Password=@@;Database=b",
        "ENV DB_PASSWORD @@",
        'if password == "@@":',
        "password: |\n  @@\n",
        'variable "db_password" {\n  default = "@@"\n}',
        'name="password"\r\n\r\n@@\r\n--b',
        "<password><![CDATA[@@]]></password>",
        "ParameterKey=DbPassword,ParameterValue=@@",
    ],
)
def test_every_way_to_write_it(text: str) -> None:
    assert found(SHAPES, text.replace("@@", P)) == [(PASSWORD, P)]


@pytest.mark.parametrize(
    "text",
    [
        "password = getpass.getpass()",
        "password: string;",
        "self.password = password",
        "password=os.environ['X']",
        "token.content = RE.sub('\\1', x)",
        "passphrase.encode('utf8')",
        "if (key === a ? 1 : b) {",
        "password == other",
        '"password": "Password"',
        "def f(password: str = '') -> None:",
        "<password>",
        "password=<PASSWORD>",
        "MD5 (token.py) = 0b1f2a3c4d5e6f708192a3b4c5d6e7f8",
        "token, value = get_token(text)",
        'password=""',
    ],
)
def test_what_is_no_value(text: str) -> None:
    assert values(SHAPES, text) == []


def test_a_value_ends_where_the_next_begins() -> None:
    assert values(SHAPES, f"password={P}&secret_token={P[::-1]}") == [P, P[::-1]]


@pytest.mark.parametrize(
    "text",
    [
        '"db_password": {"sensitive": true, "type": "string", "value": "@@"}',
        "const k = env.JWT_SECRET || '@@';",
        '<Key>Password</Key><Value Protected="True">@@</Value>',
        "netlify env:set DB_PASSWORD @@",
        "pulumi config set --secret dbPassword @@",
        "ParameterKey: MasterUserPassword\n    ParameterValue: @@\n",
        '["password"]=> string(12) "@@"',
        "password_confirmation: '@@'",
    ],
)
def test_notations_of_other_tools(text: str) -> None:
    assert values(SHAPES, text.replace("@@", P)) == [P]


@pytest.mark.parametrize(
    "text",
    [
        "STRIPE_PUBLISHABLE_KEY=pk_live_aZ4kLp0xRq8mB6nR1sD3gH5j",
        "cat secret || ./gen-key2.sh",
        "const t = o.token || 'anonymous';",
        '"token": {"in": "header", "value": "string"}',
        "git config set user.name alice2",
    ],
)
def test_notations_without_secrets(text: str) -> None:
    assert values(SHAPES, text) == []


def test_both_sides_of_a_change() -> None:
    other = P[::-1]
    assert values(SHAPES, f'~ password = "{P}" -> "{other}"') == [P, other]


def test_words_and_a_number_unquoted() -> None:
    assert values(SHAPES, "PGPASSWORD=coffee.lemon_937 psql -h db") == ["coffee.lemon_937"]
    assert values(SHAPES, "password = app.config.pass_2") == []
